"""`inferfleet local up --stay`, as a container runs it: there until it is told to stop, and then gone."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

DEADLINE = 120
PROGRAM = [sys.executable, "-m", "inferfleet", "local"]


@pytest.fixture
def environment(tmp_path: Path) -> Iterator[dict[str, str]]:
    values = {**os.environ, "INFERFLEET_LOCAL_DIR": str(tmp_path / "cloud")}
    yield values
    subprocess.run([*PROGRAM, "down"], env=values, capture_output=True, check=False)


def running(environment: dict[str, str]) -> dict[str, str] | None:
    """The processes of the cloud by their addresses, once it runs."""
    done = subprocess.run([*PROGRAM, "status", "--json"], env=environment, capture_output=True, text=True, check=False)
    told = json.loads(done.stdout)
    return {name: service["url"] for name, service in told["services"].items()} if told["running"] else None


def wait_until_it_runs(environment: dict[str, str], process: subprocess.Popen[bytes]) -> dict[str, str]:
    until = time.monotonic() + DEADLINE
    while time.monotonic() < until and process.poll() is None:
        if services := running(environment):
            return services
        time.sleep(0.1)
    raise AssertionError(f"it never ran; exit code {process.poll()}")


def test_it_listens_for_everyone_and_stops_when_told(environment: dict[str, str]) -> None:
    options = ["up", "--stay", "--only-kvs", "--host", "0.0.0.0", "--kvs-port", "0"]
    with subprocess.Popen([*PROGRAM, *options], env=environment) as process:
        (url,) = wait_until_it_runs(environment, process).values()
        assert url.startswith("http://127.0.0.1:")
        listening = Path("/proc/net/tcp").read_text()
        assert f"00000000:{int(url.rpartition(':')[2]):04X}" in listening
        process.send_signal(signal.SIGTERM)
        assert process.wait(DEADLINE) == 0
    assert running(environment) is None


def test_it_ends_with_an_error_when_a_server_does(environment: dict[str, str]) -> None:
    options = ["up", "--stay", "--only-kvs", "--kvs-port", "0"]
    with subprocess.Popen([*PROGRAM, *options], env=environment, stderr=subprocess.PIPE) as process:
        wait_until_it_runs(environment, process)
        state = json.loads((Path(environment["INFERFLEET_LOCAL_DIR"]) / "cloud.json").read_text())
        os.kill(state["services"]["kvs"]["process"]["pid"], signal.SIGKILL)
        assert process.wait(DEADLINE) == 3
        assert process.stderr is not None
        assert b"Kinesis Video Streams has ended; its log is" in process.stderr.read()
