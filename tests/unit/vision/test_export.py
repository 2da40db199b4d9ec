"""Writing a torchvision classifier as ONNX; the parts that need torch are skipped where it is not."""

from __future__ import annotations

import importlib.util
from pathlib import Path

import numpy as np
import pytest

from inferfleet.config.model import ModelConfig
from inferfleet.errors import InputError
from inferfleet.vision import loader
from inferfleet.vision.detector import Classifier
from inferfleet.vision.export import export, write
from inferfleet.vision.picture import Still


def test_only_torchvision_s_models_are_known(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="write torchvision/resnet50"):
        export("timm/resnet50", tmp_path / "m.onnx", "IMAGENET1K_V1")


@pytest.mark.skipif(importlib.util.find_spec("torchvision") is not None, reason="torchvision is here")
def test_what_is_missing_is_named_with_the_way_to_get_it(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"inferfleet\[export\]"):
        export("torchvision/resnet50", tmp_path / "m.onnx", "IMAGENET1K_V1")


def test_a_network_is_written_with_its_names(tmp_path: Path) -> None:
    torch = pytest.importorskip("torch", reason="torch is not installed")

    class Reddest(torch.nn.Module):  # type: ignore[name-defined, misc]
        """Scores the colours by their share of the picture."""

        def forward(self, pictures: object) -> object:
            """Averages each channel."""
            return pictures.mean(dim=(2, 3)) * 4  # type: ignore[attr-defined]

    done = write(torch, Reddest().eval(), ["red", "green", "blue"], 64, tmp_path / "deep" / "m.onnx")
    assert done.labels.read_text() == "red\ngreen\nblue\n"
    model = loader.load(ModelConfig(path=str(done.model)))
    assert isinstance(model, Classifier)
    assert model.names == ("red", "green", "blue")
    blue = Still(np.full((80, 60, 3), (200, 10, 10), np.uint8))
    found = model.classify([model.prepare(blue), model.prepare(blue)], 1)
    assert [int(one.class_ids[0]) for one in found] == [2, 2]
