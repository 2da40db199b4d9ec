"""`inferfleet run` from the outside: what it delivers, how it stops, how it changes, what it shows."""

from __future__ import annotations

import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import jsonschema
import pytest

from inferfleet.streams.event import json_schema
from tests.e2e.process import WorkerProcess, events_in

FRAMES = 60


def fleet(street: Path, cameras: int = 2, **camera: Any) -> dict[str, Any]:
    """A configuration with so many cameras that see the same street."""
    return {
        "models": {"street": "zoo:street-v1"},
        "defaults": {"zones": {"road": {"polygon": [[0, 0.2], [1, 0.2], [1, 1], [0, 1]], "events": ["enter"]}}},
        "cameras": [{"id": f"cam-{n}", "source": str(street), **camera} for n in range(cameras)],
        "sinks": [{"file": "events.jsonl"}, {"snapshots": "pictures"}],
    }


def test_files_are_processed_to_their_end_and_their_events_delivered(tmp_path: Path, street: Path) -> None:
    with WorkerProcess(tmp_path, fleet(street)) as worker:
        assert worker.wait() == 0
    events = events_in(tmp_path / "events.jsonl")
    assert {event["subject"] for event in events} == {"cam-0", "cam-1"}
    assert {event["type"] for event in events} == {"inferfleet.detection", "inferfleet.zone.enter"}
    for event in events:
        jsonschema.validate(event, json_schema())
        assert (tmp_path / event["data"]["snapshot"]).is_file()
    by_camera = [[e["data"]["position"] for e in events if e["subject"] == c] for c in ("cam-0", "cam-1")]
    assert by_camera[0] == by_camera[1]
    assert len({event["id"] for event in events}) == len(events)


def test_a_second_run_goes_on_at_the_end_and_a_fresh_one_repeats_the_same_ids(tmp_path: Path, street: Path) -> None:
    config = fleet(street, 1)
    ids = []
    for options in ((), (), ("--fresh",)):
        with WorkerProcess(tmp_path, config, *options) as worker:
            assert worker.wait() == 0
        ids.append({event["id"] for event in events_in(tmp_path / "events.jsonl")})
    assert ids[0]
    assert ids[0] == ids[1] == ids[2]


def test_sigterm_ends_a_worker_with_endless_cameras_cleanly(tmp_path: Path, street: Path) -> None:
    config = fleet(street, 3)
    for camera in config["cameras"]:
        camera["source"] = {"path": str(street), "loop": True}
    with WorkerProcess(tmp_path, config) as worker:
        worker.wait_until(lambda status: all(camera["frames"] > FRAMES for camera in status["cameras"]))
        worker.signal(signal.SIGTERM)
        assert worker.wait() == 0
    assert events_in(tmp_path / "events.jsonl")


def test_health_status_metrics_and_snapshots_are_served(tmp_path: Path, street: Path) -> None:
    config = fleet(street, 1)
    config["cameras"][0]["source"] = {"path": str(street), "loop": True, "pace": "realtime"}
    with WorkerProcess(tmp_path, config) as worker:
        status = worker.wait_until(lambda status: status["cameras"] and status["cameras"][0]["frames"] > 5)
        assert worker.get("/healthz").status_code == 200
        assert worker.get("/readyz").status_code == 200
        (camera,) = status["cameras"]
        assert (camera["state"], camera["mode"], camera["drops"]) == ("running", "complete", {})
        metrics = worker.get("/metrics").text
        assert 'inferfleet_frames_total{camera="cam-0"}' in metrics
        assert 'inferfleet_camera_state{camera="cam-0",state="running"} 1.0' in metrics
        picture = worker.get("/snapshot/cam-0.jpg")
        assert picture.headers["content-type"] == "image/jpeg"
        assert picture.content.startswith(b"\xff\xd8")
        assert worker.get("/snapshot/none.jpg").status_code == 404


def test_a_changed_configuration_touches_only_the_cameras_that_changed(tmp_path: Path, street: Path) -> None:
    config = fleet(street, 3)
    for camera in config["cameras"]:
        camera["source"] = {"path": str(street), "loop": True, "pace": "realtime"}
    with WorkerProcess(tmp_path, config) as worker:
        before = worker.wait_until(lambda s: len(s["cameras"]) == 3 and all(c["frames"] > 2 for c in s["cameras"]))
        kept, changed, _removed = config["cameras"]
        added = {**kept, "id": "new"}
        config["cameras"] = [kept, {**changed, "fps_target": 2}, added]
        worker.write(config)
        after = worker.wait_until(
            lambda s: (
                {c["id"] for c in s["cameras"]} == {"cam-0", "cam-1", "new"} and all(c["frames"] for c in s["cameras"])
            )
        )
        entry = worker.wait_for_log(lambda e: e["event"] == "configuration applied")
        assert sorted(entry["cameras_changed"]) == ["cam-1", "cam-2", "new"]
        frames = [{c["id"]: c["frames"] for c in status["cameras"]} for status in (before, after)]
        assert frames[1]["cam-0"] > frames[0]["cam-0"]


def test_a_broken_configuration_changes_nothing_and_is_told(tmp_path: Path, street: Path) -> None:
    config = fleet(street, 1)
    config["cameras"][0]["source"] = {"path": str(street), "loop": True, "pace": "realtime"}
    with WorkerProcess(tmp_path, config) as worker:
        worker.wait_until(lambda status: status["cameras"] and status["cameras"][0]["frames"] > 2)
        worker.config.write_text("cameras:\n  - {id: cam-0, sauce: x}\n")
        worker.signal(signal.SIGHUP)
        entry = worker.wait_for_log(lambda e: e.get("level") == "error")
        assert "did you mean `source`?" in entry["error"]
        frames = worker.get("/status").json()["cameras"][0]["frames"]
        worker.wait_until(lambda status: status["cameras"][0]["frames"] > frames)


@pytest.mark.parametrize(
    ("config", "code", "message"),
    [
        ({"cameras": [{"id": "a"}]}, 1, "`cameras.a.source` is missing"),
        ({"models": {"m": "none.onnx"}, "cameras": [{"id": "a", "source": "a.mp4"}]}, 1, "none.onnx"),
    ],
)
def test_what_cannot_run_is_refused_at_start(tmp_path: Path, config: dict[str, Any], code: int, message: str) -> None:
    with WorkerProcess(tmp_path, config) as worker:
        assert worker.wait() == code
        assert message in "\n".join(str(entry["event"]) for entry in worker.log)


def test_events_go_to_standard_output_and_nothing_else_does(tmp_path: Path, street: Path) -> None:
    (tmp_path / "cameras.yaml").write_text(f"cameras: [{{id: a, source: '{street}'}}]")
    command = [sys.executable, "-m", "inferfleet", "run", "-c", str(tmp_path / "cameras.yaml"), "--http-port", "0"]
    done = subprocess.run(command, check=True, capture_output=True, text=True, timeout=120)
    lines = done.stdout.splitlines()
    assert lines
    assert all(line.startswith('{"id":"') for line in lines)
