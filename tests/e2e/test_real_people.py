"""A real recording and a real detector: people walk through the picture one by one."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

from tests.e2e.process import WorkerProcess, events_in

FRAMES = 1394
PEOPLE = 6
CAMERAS = 2


def test_each_person_is_one_event_and_one_zone_entry_on_every_camera(tmp_path: Path, shared_data: Path) -> None:
    clip = shared_data / "video" / "one-by-one-person-detection.mp4"
    config = {
        "models": {"yolox": str(shared_data / "models" / "yolox_nano.onnx")},
        "defaults": {
            "mode": "complete",
            "steps": [{"detect": {"classes": {"person": 0.5}}}],
            "zones": {"room": {"polygon": [[0, 0], [1, 0], [1, 1], [0, 1]], "match": "center", "events": ["enter"]}},
        },
        "cameras": [{"id": f"cam-{n}", "source": str(clip)} for n in range(CAMERAS)],
        "sinks": [{"file": "events.jsonl"}],
    }
    with WorkerProcess(tmp_path, config) as worker:
        assert worker.wait() == 0
        frames = worker.wait_for_log(lambda entry: entry["event"] == "done")["frames"]
    assert frames == {f"cam-{n}": FRAMES for n in range(CAMERAS)}
    events = events_in(tmp_path / "events.jsonl")
    kinds = Counter((event["subject"], event["type"]) for event in events)
    assert set(kinds.values()) == {PEOPLE}
    assert {event["data"]["label"] for event in events} == {"person"}
    assert len(kinds) == 2 * CAMERAS
