"""One process a device: one that dies is started again, one that cannot run is told of."""

from __future__ import annotations

import os
import signal
import time
from pathlib import Path

import httpx
import onnxruntime
import pytest

from inferfleet.config.serve import ServeFile
from tests.e2e.serving import pictures
from tests.e2e.serving.process import DEADLINE, ServerProcess


def ask(server: ServerProcess) -> httpx.Response:
    with server.client() as client:
        return client.post("/predict", content=pictures.encoded(), headers={"Content-Type": "image/jpeg"})


def started(server: ServerProcess, count: int) -> list[int]:
    """The process ids of the first so many processes that were started."""
    until = time.monotonic() + DEADLINE
    while time.monotonic() < until:
        found = [entry["pid"] for entry in [*server.log] if entry.get("event") == "process started"]
        if len(found) >= count:
            return found
        time.sleep(0.05)
    raise AssertionError(f"no {count} processes were started: {server.log[-5:]}")


def answers_again(server: ServerProcess) -> httpx.Response:
    until = time.monotonic() + DEADLINE
    while True:
        try:
            response = ask(server)
            if response.status_code == 200 or time.monotonic() > until:
                return response
        except httpx.HTTPError:
            assert time.monotonic() < until
        time.sleep(0.1)


def test_a_device_s_process_that_dies_is_started_again(tmp_path: Path, models: Path) -> None:
    config = {"models": {"channels": str(models / "channels.onnx")}, "devices": ["cpu"], "watch": False}
    with ServerProcess(tmp_path, config) as server:
        assert ask(server.ready()).status_code == 200
        (first,) = started(server, 1)
        os.kill(first, signal.SIGKILL)
        server.wait_for_log("a device's process ended; starting it again", device="cpu", exit_code=-9)
        assert started(server, 2)[1] != first
        assert answers_again(server).status_code == 200
        server.signal(signal.SIGTERM)
        assert server.wait() == 0


def test_a_device_cannot_be_named_twice() -> None:
    with pytest.raises(ValueError, match="cpu has a process already"):
        ServeFile.model_validate({"models": {"m": "m.onnx"}, "devices": ["cpu", "cpu"]})


@pytest.mark.skipif(
    "CUDAExecutionProvider" in onnxruntime.get_available_providers(), reason="this machine has CUDA: both would run"
)
def test_a_device_that_is_not_there_ends_the_server_with_its_name(tmp_path: Path, models: Path) -> None:
    config = {"models": {"channels": str(models / "channels.onnx")}, "devices": ["cpu", "cuda:0"], "watch": False}
    with ServerProcess(tmp_path, config) as server:
        assert server.wait() == 3
        said = " ".join(str(entry) for entry in server.log)
        assert "cuda:0 (exit code 1)" in said
        assert "cpu (exit" not in said
