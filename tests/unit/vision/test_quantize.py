"""The int8 copy of a model: what it is worth, and that a bad one is not written."""

from __future__ import annotations

import json
from pathlib import Path

import cv2
import numpy as np
import pytest

from inferfleet.config.model import ModelConfig
from inferfleet.demo.clips import CLIPS
from inferfleet.demo.scene import render
from inferfleet.errors import InputError
from inferfleet.vision import loader
from inferfleet.vision.detector import Classifier
from inferfleet.vision.picture import Still
from inferfleet.vision.quantize import quantize
from tests.unit.vision.test_commands import inferfleet

SIDE = 40
"""Objects smaller than so many pixels are not cut out."""
MARGIN = 0.1


@pytest.fixture(scope="module")
def scenes(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Pictures of drawn streets."""
    folder = tmp_path_factory.mktemp("scenes")
    for clip in CLIPS[:2]:
        scene = clip.scene()
        for number in range(12):
            cv2.imwrite(str(folder / f"{clip.name}-{number:02}.jpg"), render(scene, number * 1.1)[0])
    return folder


@pytest.fixture(scope="module")
def crops(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What moves in them, cut out, in folders named after the classes."""
    folder = tmp_path_factory.mktemp("crops")
    for clip in CLIPS[:2]:
        scene = clip.scene()
        for number in range(8):
            picture, objects = render(scene, number * 1.7)
            for index, one in enumerate(objects):
                left, top, right, bottom = one.box
                if min(right - left, bottom - top) >= SIDE and one.visible > 0.9:
                    wide, high = MARGIN * (right - left), MARGIN * (bottom - top)
                    (folder / one.label).mkdir(exist_ok=True)
                    file = folder / one.label / f"{clip.name}-{number}-{index}.png"
                    cv2.imwrite(str(file), _cut(picture, left - wide, top - high, right + wide, bottom + high))
    return folder


def _cut(picture: np.ndarray, *box: float) -> np.ndarray:
    left, top, right, bottom = (max(0, round(side)) for side in box)
    return picture[top:bottom, left:right]


def test_a_classifier_s_copy_is_smaller_and_as_accurate(crops: Path, tmp_path: Path) -> None:
    target = tmp_path / "int8.onnx"
    report = quantize(ModelConfig(path="zoo:street-classifier-v1"), crops, target, max_loss=0.1)
    assert report.measure == "accuracy by folder names"
    assert report.original > 0.6
    assert report.loss <= 0.1
    assert report.quantized_bytes == target.stat().st_size < report.original_bytes / 2
    copy = loader.load(ModelConfig(path=str(target)))
    assert isinstance(copy, Classifier)
    file = next(crops.glob("car/*.png"))
    best = copy.classify([copy.prepare(Still.decode(file.read_bytes()))], 1)[0].class_ids[0]
    assert copy.names[int(best)] in ("car", "truck", "bus")


def test_a_detector_s_copy_finds_what_the_original_finds(scenes: Path, tmp_path: Path) -> None:
    target = tmp_path / "deep" / "int8.onnx"
    done = inferfleet(
        "models", "quantize", "zoo:street-v1", "--images", scenes, "--out", target, "--max-loss", "0.2", "--json"
    )
    assert done.returncode == 0, done.stderr
    report = json.loads(done.stdout)
    assert report["measure"].startswith("F1")
    assert report["quantized"] > 0.8
    assert target.stat().st_size == report["quantized_bytes"]


def test_a_copy_that_loses_too_much_is_not_written(scenes: Path, tmp_path: Path) -> None:
    target = tmp_path / "int8.onnx"
    with pytest.raises(InputError, match="nothing was written"):
        quantize(ModelConfig(path="zoo:street-v1"), scenes, target, max_loss=0.0)
    assert not target.exists()


def test_too_few_pictures_are_refused(tmp_path: Path) -> None:
    cv2.imwrite(str(tmp_path / "one.png"), render(CLIPS[0].scene(), 0.0)[0])
    with pytest.raises(InputError, match="1 pictures; at least 16"):
        quantize(ModelConfig(path="zoo:street-v1"), tmp_path, tmp_path / "int8.onnx", max_loss=0.5)
