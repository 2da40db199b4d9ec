"""One bad camera hurts no other."""

from __future__ import annotations

import os
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

from tests.e2e.process import WorkerProcess, events_in

GOOD = 4
FRAMES = 60


@contextmanager
def serving(body: bytes | None) -> Iterator[str]:
    """An HTTP server whose every answer is `body`, or a head and then nothing for ever; yields its address."""
    server = socket.create_server(("127.0.0.1", 0))
    held: list[socket.socket] = []

    def serve() -> None:
        while True:
            try:
                connection, _ = server.accept()
            except OSError:
                return
            held.append(connection)
            connection.recv(65536)
            connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Type: video/mp2t\r\n\r\n" + (body or b""))
            if body is not None:
                connection.close()

    threading.Thread(target=serve, daemon=True).start()
    try:
        yield f"http://127.0.0.1:{server.getsockname()[1]}/stream"
    finally:
        server.close()
        for connection in held:
            connection.close()


def config_for(street: Path, extra: list[dict[str, Any]]) -> dict[str, Any]:
    return {
        "models": {"street": "zoo:street-v1"},
        "cameras": [{"id": f"good-{n}", "source": str(street)} for n in range(GOOD)] + extra,
        "sinks": [{"file": "events.jsonl"}],
    }


MISTAKES = ("missing", "not-a-video")


def good_events(folder: Path) -> set[str]:
    return {event["id"] for event in events_in(folder / "events.jsonl") if event["subject"].startswith("good")}


@pytest.mark.parametrize("kind", ["missing", "refused", "stalled", "garbage", "not-a-video"])
def test_a_bad_camera_changes_nothing_for_the_good_ones(tmp_path: Path, street: Path, kind: str) -> None:
    alone, beside = tmp_path / "alone", tmp_path / "beside"
    alone.mkdir()
    beside.mkdir()
    with WorkerProcess(alone, config_for(street, [])) as worker:
        assert worker.wait() == 0
    noise = beside / "noise.mp4"
    noise.write_bytes(os.urandom(200_000))
    with serving(None) as silent, serving(os.urandom(300_000)) as garbage:
        bad = {
            "missing": str(beside / "none.mp4"),
            "refused": {"url": "rtsp://127.0.0.1:9/x", "timeout": 2},
            "stalled": {"url": silent, "timeout": 2},
            "garbage": {"url": garbage, "timeout": 2},
            "not-a-video": str(noise),
        }[kind]
        with WorkerProcess(beside, config_for(street, [{"id": "bad", "source": bad}])) as worker:
            if kind in MISTAKES:  # no use waiting for them: the worker ends with the others, and says so
                assert worker.wait() == 1
                frames = worker.wait_for_log(lambda entry: entry["event"] == "done")["frames"]
            else:
                status = worker.wait_until(lambda s: _good_are_done(s) and _bad_has_shown_itself(s))
                frames = {camera["id"]: camera["frames"] for camera in status["cameras"]}
    del frames["bad"]
    assert frames == {f"good-{n}": FRAMES for n in range(GOOD)}
    assert good_events(beside) == good_events(alone)


def test_a_camera_that_ends_early_ends_no_other(tmp_path: Path, street: Path) -> None:
    pictures = tmp_path / "pictures"
    pictures.mkdir()
    for number in range(3):
        cv2.imwrite(str(pictures / f"{number}.png"), np.zeros((90, 160, 3), np.uint8))
    with WorkerProcess(tmp_path, config_for(street, [{"id": "short", "source": f"{pictures}/"}])) as worker:
        assert worker.wait() == 0
        frames = worker.wait_for_log(lambda entry: entry["event"] == "done")["frames"]
    assert frames == {"short": 3} | {f"good-{n}": FRAMES for n in range(GOOD)}


def _good_are_done(status: dict[str, Any]) -> bool:
    good = [camera for camera in status["cameras"] if camera["id"] != "bad"]
    return len(good) == GOOD and all(camera["state"] == "ended" and camera["frames"] == FRAMES for camera in good)


def _bad_has_shown_itself(status: dict[str, Any]) -> bool:
    (bad,) = (camera for camera in status["cameras"] if camera["id"] == "bad")
    return bad["state"] in ("reconnecting", "stalled", "failed", "ended")
