"""`docker compose up` as a newcomer runs it: a camera, a worker and the local cloud, and events in three services."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import time
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import boto3
import httpx
import pytest

REPOSITORY = Path(__file__).parents[3]
DEADLINE = 120
FEW = 3

Compose = Callable[..., str]


@pytest.fixture
def compose(cpu_image: str, local_image: str) -> Iterator[Compose]:
    """Runs a compose command on a project of its own, which is gone, volumes and all, at the end."""
    program = _program()
    project = f"inferfleet-test-{uuid.uuid4().hex[:8]}"
    ports = dict.fromkeys(("WORKER_PORT", "AWS_PORT", "KVS_PORT"), "0")
    environment = os.environ | ports | {"WORKER_IMAGE": cpu_image, "CLOUD_IMAGE": local_image}

    def run(*words: str) -> str:
        command = [*program, "--project-name", project, "--file", "docker/compose.yaml", *words]
        done = subprocess.run(command, cwd=REPOSITORY, env=environment, capture_output=True, text=True, check=False)
        assert done.returncode == 0, f"{done.stdout[-2000:]}\n{done.stderr[-4000:]}"
        return done.stdout

    yield run
    run("down", "--volumes", "--timeout", "10")


@pytest.mark.slow
def test_events_of_the_composed_camera_reach_all_services(compose: Compose) -> None:
    compose("up", "--detach")
    status = _wait(lambda: _status(compose), lambda status: sum(c["events"] for c in status["cameras"]) >= FEW)
    assert status["cameras"][0]["state"] == "running"
    delivered = _wait(lambda: _status(compose), lambda status: min(s["delivered"] for s in status["sinks"]) >= FEW)
    assert {sink["name"] for sink in delivered["sinks"]} == {"stdout", "kinesis", "s3", "dynamodb"}
    client = _client(compose)
    kept = {item["id"]["S"] for item in client("dynamodb").scan(TableName="detection-metadata")["Items"]}
    assert len(kept) >= FEW
    assert client("s3").list_objects_v2(Bucket="snapshots")["KeyCount"] >= 1
    compose("stop", "--timeout", "60", "worker")
    printed = [line.partition("{")[1:] for line in compose("logs", "--no-color", "worker").splitlines()]
    entries = [json.loads("".join(parts)) for parts in printed if parts[0]]
    assert any(entry.get("event") == "done" for entry in entries)
    assert kept <= {entry["id"] for entry in entries if "specversion" in entry}


def _program() -> list[str]:
    if subprocess.run(["docker", "compose", "version"], capture_output=True, check=False).returncode == 0:
        return ["docker", "compose"]
    if shutil.which("docker-compose"):
        return ["docker-compose"]
    pytest.skip("needs docker compose; `python tools/docker_engine.py`, as root, brings it")


def _address(compose: Compose, service: str, port: int) -> str:
    return f"http://{compose('port', service, str(port)).strip()}"


def _status(compose: Compose) -> dict[str, Any] | None:
    try:
        return dict(httpx.get(f"{_address(compose, 'worker', 8080)}/status", timeout=DEADLINE).json())
    except httpx.TransportError:
        return None


def _wait(ask: Callable[[], Any], fulfilled: Callable[[Any], bool]) -> Any:
    until = time.monotonic() + DEADLINE
    while time.monotonic() < until:
        answer = ask()
        if answer is not None and fulfilled(answer):
            return answer
        time.sleep(0.2)
    raise AssertionError(f"never came true; last: {answer}")


def _client(compose: Compose) -> Callable[[str], Any]:
    session = boto3.Session(aws_access_key_id="test", aws_secret_access_key="test", region_name="us-east-1")
    url = _address(compose, "cloud", 4566)
    return lambda name: session.client(name, endpoint_url=url)
