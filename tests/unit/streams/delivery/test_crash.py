"""Killing a process for good, at any moment, again and again."""

from __future__ import annotations

import random
import subprocess
import sys
import time
from pathlib import Path

import pytest

from inferfleet.streams.event import decode
from tests.unit.streams.delivery.crash_child import CAMERAS

REPOSITORY = Path(__file__).parents[4]
TOTAL = 3000
KILLS = 10
ENOUGH_SECONDS = 12.0


def start(folder: Path) -> subprocess.Popen[bytes]:
    child = ["-m", "tests.unit.streams.delivery.crash_child", str(folder), str(TOTAL)]
    command = [sys.executable, "-X", "faulthandler", *child]
    return subprocess.Popen(command, cwd=REPOSITORY, stdout=subprocess.PIPE)


def run_and_kill(folder: Path, seconds: float) -> set[str]:
    """Lets it work for a moment after its first event, kills it, and returns what it had made durable."""
    process = start(folder)
    assert process.stdout is not None
    first = process.stdout.readline()
    time.sleep(seconds)
    process.kill()
    rest = process.stdout.read()
    process.wait()
    whole = (first + rest)[: (first + rest).rfind(b"\n") + 1]
    return set(whole.decode().splitlines())


def oldest_first(folder: Path) -> list[Path]:
    rotated = sorted(folder.glob("events.jsonl.*"), key=lambda path: int(path.suffix[1:]), reverse=True)
    return [*rotated, folder / "events.jsonl"]


@pytest.mark.slow
def test_kill_9_at_any_moment_loses_nothing_and_repeats_nothing(tmp_path: Path) -> None:
    durable: set[str] = set()
    deadline = time.monotonic() + ENOUGH_SECONDS
    kills = 0
    for kills in range(1, KILLS + 1):  # noqa: B007
        durable |= run_and_kill(tmp_path, random.uniform(0, 0.4))
        if time.monotonic() > deadline:
            break
    process = start(tmp_path)
    out, _ = process.communicate(timeout=120)
    assert process.returncode == 0, "everything was delivered in the end"
    durable |= set(out.decode().splitlines())

    events = [decode(line) for path in oldest_first(tmp_path) for line in path.read_bytes().splitlines()]
    ids = [event.id for event in events]
    assert len(ids) == len(set(ids)), f"repeated after {kills} kills"
    found = {f"{event.subject} {event.data.position.frame}" for event in events}
    assert not durable - found, f"lost after {kills} kills"
    for number in range(CAMERAS):
        frames = [event.data.position.frame for event in events if event.subject == f"camera-{number}"]
        assert frames == list(range(0, TOTAL, 3)), f"order or completeness after {kills} kills"
    pictures = {path.relative_to(tmp_path / "pictures").as_posix() for path in (tmp_path / "pictures").rglob("*.jpg")}
    assert pictures == {f"camera-{n}/{frame}.jpg" for n in range(CAMERAS) for frame in range(0, TOTAL, 30)}
    assert all(path.stat().st_size == 5000 for path in (tmp_path / "pictures").rglob("*.jpg"))
