"""A server with one model of each kind, for the tests that only ask."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from tests.e2e.serving.process import ServerProcess
from tests.unit.vision.onnxmodels import constant_model, mean_model

BOX = (16.0, 16.0, 32.0, 48.0)
"""In the detector's input of 64 by 64."""


@pytest.fixture(scope="session")
def models(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a classifier that tells the strongest channel, and a detector that always finds a bus."""
    folder = tmp_path_factory.mktemp("models")
    mean_model(folder / "channels.onnx")
    (folder / "channels.txt").write_text("red\ngreen\nblue\n")
    rows = np.zeros((300, 6), np.float32)
    rows[0] = *BOX, 0.9, 1
    rows[1] = *BOX, 0.4, 0
    constant_model(folder / "bus.onnx", {"output0": rows}, metadata={"names": "{0: 'car', 1: 'bus'}"})
    return folder


@pytest.fixture(scope="session")
def server(models: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[ServerProcess]:
    """The server; `channels` answers at /predict."""
    config = {
        "models": {
            "channels": {"path": str(models / "channels.onnx"), "names": str(models / "channels.txt"), "version": "7"},
            "bus": str(models / "bus.onnx"),
        },
        "limits": {"body_bytes": 200_000, "pixels": 1_000_000, "images": 4},
        "watch": False,
    }
    with ServerProcess(tmp_path_factory.mktemp("server"), config) as process:
        yield process.ready()
