"""Killed with -9 at any moment, the worker goes on where it was: the same events, none lost, none under a new id."""

from __future__ import annotations

import random
import signal
from pathlib import Path
from typing import Any

import pytest

from tests.e2e.process import WorkerProcess, events_in

KILLS = 6
CAMERAS = 3


def config_for(street: Path, sinks: list[dict[str, Any]]) -> dict[str, Any]:
    zone = {"polygon": [[0, 0.3], [1, 0.3], [1, 1], [0, 1]]}
    return {
        "models": {"street": "zoo:street-v1"},
        "defaults": {"zones": {"near": zone}, "lines": {"mid": {"points": [[0.5, 0], [0.5, 1]]}}},
        "cameras": [{"id": f"cam-{n}", "source": {"path": str(street), "pace": "realtime"}} for n in range(CAMERAS)],
        "sinks": sinks,
    }


def identity(events: list[dict[str, Any]]) -> dict[str, tuple[Any, ...]]:
    """What each event says, without what may differ between runs (nothing may but the confidence's last digits)."""
    return {
        e["id"]: (e["type"], e["subject"], e["time"], e["data"]["position"]["frame"], e["data"].get("track"))
        for e in events
    }


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory: pytest.TempPathFactory, street: Path) -> dict[str, tuple[Any, ...]]:
    folder = tmp_path_factory.mktemp("undisturbed")
    with WorkerProcess(folder, config_for(street, [{"file": "events.jsonl"}])) as worker:
        assert worker.wait() == 0
    return identity(events_in(folder / "events.jsonl"))


@pytest.mark.parametrize("seed", [1, 2])
def test_a_worker_that_is_killed_again_and_again_delivers_the_same_events(
    tmp_path: Path, street: Path, undisturbed: dict[str, tuple[Any, ...]], seed: int
) -> None:
    chance = random.Random(seed)
    config = config_for(street, [{"file": "events.jsonl"}, {"snapshots": "pictures"}])
    total = 60 * CAMERAS
    for kill in range(KILLS):
        with WorkerProcess(tmp_path, config) as worker:
            # The moment is chosen by progress, not by the clock, so that slow machines are killed in the middle too.
            until = chance.randrange(1, total // KILLS)
            worker.wait_until(lambda s, n=until: bool(s["cameras"]) and sum(c["frames"] for c in s["cameras"]) >= n)
            worker.signal(signal.SIGKILL)
            assert worker.wait() == -signal.SIGKILL, f"the worker came to its end before kill {kill}"
    with WorkerProcess(tmp_path, config) as worker:
        assert worker.wait() == 0
    events = events_in(tmp_path / "events.jsonl")
    assert undisturbed
    assert identity(events) == undisturbed
    assert len(events) == len(undisturbed), "the file holds an event twice"
    assert all((tmp_path / event["data"]["snapshot"]).is_file() for event in events if "snapshot" in event["data"])
