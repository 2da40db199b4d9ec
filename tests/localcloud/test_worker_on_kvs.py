"""The worker on Kinesis Video Streams: whatever the service and the process suffer, the same events come out."""

from __future__ import annotations

import signal
import time
from dataclasses import replace
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest

from inferfleet.demo.clips import CLIPS, write_clip
from inferfleet.streams.kvs import recording
from inferfleet.streams.kvs.recording import Recording
from tests.e2e.process import WorkerProcess, events_in

FAULTS = (
    "cut:call=GetMedia,after=1f,times=2",
    "end:call=GetMedia,after=2f,times=2",
    "error:call=GetMedia,id=5000,after=1f",
    "truncate:call=GetMedia,after=1f",
    "throttle:call=GetMedia",
    "expired-endpoint:call=GetMedia",
    "expired-token:call=GetMedia",
    "busy:call=GetMedia",
)


@pytest.fixture(scope="session")
def street(tmp_path_factory: pytest.TempPathFactory) -> Recording:
    """Five seconds of a street, as fragments of a second."""
    path = write_clip(replace(CLIPS[0], seconds=5.0), tmp_path_factory.mktemp("street")).video
    return recording.read(path, fragment_s=1.0, transcode=True)


def config_for(url: str) -> dict[str, Any]:
    source = {"type": "kvs", "stream": "gate", "endpoint_url": url, "start": "earliest", "timeout": 5}
    camera = {"id": "gate", "source": source, "mode": "complete", "lines": {"mid": {"points": [[0.5, 0], [0.5, 1]]}}}
    return {"models": {"street": "zoo:street-v1"}, "cameras": [camera], "sinks": [{"file": "events.jsonl"}]}


def has_seen(end: float) -> Any:
    """Whether the camera has analysed the frame of a time."""

    def check(status: dict[str, Any]) -> bool:
        seen = status["cameras"][0]["last_frame_time"] if status["cameras"] else None
        return seen is not None and datetime.fromisoformat(seen).timestamp() >= end - 0.01

    return check


def finish(folder: Path, config: dict[str, Any], end: float) -> dict[str, Any]:
    """Lets a worker come to the end of what is in the stream; its events by their id."""
    with WorkerProcess(folder, config) as worker:
        worker.wait_until(has_seen(end))
        worker.signal(signal.SIGTERM)
        assert worker.wait() == 0
    events = events_in(folder / "events.jsonl")
    found = {event["id"]: (event["type"], event["time"], event["data"]["position"]["fragment"]) for event in events}
    assert len(found) == len(events), "an event came twice"
    return found


@pytest.mark.slow
def test_faults_and_kills_change_no_event(kvs, street, tmp_path):
    kvs.create()
    start = float(int(time.time()) - 60)
    kvs.put(street, start=start)
    last = start + street.groups[-1][-1].timecode / 1e9
    middle = start + street.groups[2][0].timecode / 1e9
    config = config_for(kvs.url)
    for folder in ("calm", "storm"):
        (tmp_path / folder).mkdir()
    calm = finish(tmp_path / "calm", config, last)
    assert calm
    for fault in FAULTS:
        kvs.fault(fault)
    with WorkerProcess(tmp_path / "storm", config) as worker:
        worker.wait_until(has_seen(middle))
        worker.signal(signal.SIGKILL)
        worker.wait()
    storm = finish(tmp_path / "storm", config, last)
    assert storm == calm
    assert sum(kvs.state()["injected"].values()) >= 3
