"""The image as a camera worker: it runs where nothing is writable, and says how it is."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import jsonschema
import yaml

from inferfleet.streams.event import json_schema
from tests.e2e.docker.container import Container
from tests.e2e.process import WorkerProcess

CONFIG = {"CONFIG_FILE": "/app/config/cameras.yaml"}


def test_a_clip_gives_the_same_events_as_without_a_container(cpu_image: str, cameras: Any, tmp_path: Path) -> None:
    folder = cameras()
    with Container(
        cpu_image, "inferfleet", "run", config=folder, environment=CONFIG, network_mode="none", ports={}
    ) as worker:
        assert worker.wait() == 0, worker.log
        events = [json.loads(line) for line in worker.output.splitlines()]
    for event in events:
        jsonschema.validate(event, json_schema())
    outside = tmp_path / "outside"
    outside.mkdir()
    config = yaml.safe_load((folder / "cameras.yaml").read_text()) | {"sinks": [{"file": "events.jsonl"}]}
    config["cameras"][0]["source"]["path"] = str(folder / "street.mp4")
    with WorkerProcess(outside, config) as process:
        assert process.wait() == 0
    expected = [json.loads(line) for line in (outside / "events.jsonl").read_text().splitlines()]
    assert expected
    assert {event["id"] for event in events} == {event["id"] for event in expected}


def test_a_worker_is_healthy_and_ends_with_sigterm(cpu_image: str, cameras: Any) -> None:
    folder = cameras(loop=True, pace="realtime")
    with Container(cpu_image, "inferfleet", "run", config=folder, environment=CONFIG) as worker:
        worker.wait_until("/status", lambda answer: answer.json()["cameras"][0]["frames"] > 5)
        worker.wait_until("/healthz", lambda answer: answer.status_code == 200)
        assert worker.stop() == 0, worker.log
        assert '"event": "done"' in worker.log
