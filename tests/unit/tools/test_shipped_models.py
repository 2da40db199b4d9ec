"""The models that ship, as the product loads them: they work on unseen scenes, and the cards tell of these files."""

from __future__ import annotations

import hashlib
from pathlib import Path

import numpy as np
import pytest

from inferfleet.config.model import ModelConfig
from inferfleet.demo.figure import CLASSES
from inferfleet.demo.random_scenes import random_scene
from inferfleet.demo.scene import render
from inferfleet.demo.truth import Box
from inferfleet.vision.loader import load_classifier, load_detector
from inferfleet.vision.picture import Still

ZOO = Path(__file__).parents[3] / "src" / "inferfleet" / "vision" / "zoo"
MODELS = ("street-v1", "street-classifier-v1")
UNSEEN = 2_000_000
"""Neither training nor the figures on the cards used seeds from here on."""


def overlap(a: Box, b: Box) -> float:
    width, height = min(a[2], b[2]) - max(a[0], b[0]), min(a[3], b[3]) - max(a[1], b[1])
    shared = max(width, 0) * max(height, 0)
    return shared / ((a[2] - a[0]) * (a[3] - a[1]) + (b[2] - b[0]) * (b[3] - b[1]) - shared)


@pytest.mark.parametrize("name", MODELS)
def test_a_card_tells_of_the_file_beside_it(name: str) -> None:
    digest = hashlib.sha256((ZOO / f"{name}.onnx").read_bytes()).hexdigest()
    assert digest in (ZOO / f"{name}.md").read_text()


def test_the_detector_is_small_and_recognised_without_being_told() -> None:
    detector = load_detector(ModelConfig(path="zoo:street-v1"))
    assert detector.names == CLASSES
    assert detector.input_size == (512, 288)
    assert (ZOO / "street-v1.onnx").stat().st_size <= 5_000_000


def test_the_detector_finds_what_is_drawn_on_unseen_scenes() -> None:
    detector = load_detector(ModelConfig(path="zoo:street-v1"))
    wanted, found, right, made = 0, 0, 0, 0
    for seed in range(UNSEEN, UNSEEN + 16):
        frame, objects = render(random_scene(seed), 4.0)
        (detections,) = detector.detect([detector.prepare(Still(frame))], 0.4)
        boxes = [
            (detector.names[label], tuple(map(float, box)))
            for label, box in zip(detections.class_ids, detections.boxes, strict=True)
        ]
        clear = [item for item in objects if item.visible > 0.6 and item.box[3] - item.box[1] > 40]
        wanted += len(clear)
        found += sum(any(name == item.label and overlap(box, item.box) > 0.5 for name, box in boxes) for item in clear)
        made += len(boxes)
        right += sum(
            any(name == item.label and overlap(box, item.box) > 0.4 for item in objects) for name, box in boxes
        )
    assert wanted > 40
    assert found / wanted > 0.8
    assert right / made > 0.8


def test_the_classifier_knows_a_single_object() -> None:
    classifier = load_classifier(ModelConfig(path=str(ZOO / "street-classifier-v1.onnx")))
    right, seen = 0, 0
    for seed in range(UNSEEN, UNSEEN + 10):
        frame, objects = render(random_scene(seed), 4.0)
        for item in objects:
            left, top, low_right, bottom = item.box
            if item.visible < 0.95 or max(low_right - left, bottom - top) < 100:
                continue
            side = max(low_right - left, bottom - top) * 0.6
            x, y = (left + low_right) / 2, (top + bottom) / 2
            crop = frame[max(0, round(y - side)) : round(y + side), max(0, round(x - side)) : round(x + side)]
            (result,) = classifier.classify([classifier.prepare(Still(np.ascontiguousarray(crop)))], 1)
            right += classifier.names[result.class_ids[0]] == item.label
            seen += 1
    assert seen > 15
    assert right / seen > 0.85
