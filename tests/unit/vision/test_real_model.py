"""A real detector on a real recording finds the people that are there."""

from __future__ import annotations

from pathlib import Path

import av
import pytest

from inferfleet.config.model import ModelConfig
from inferfleet.vision.loader import load_detector
from inferfleet.vision.picture import Still

# Frames of the recording with one person in full view, and where that person stands (x from … to, in pixels).
PEOPLE = {300: (370, 560)}


@pytest.fixture
def frames(shared_data: Path) -> dict[int, Still]:
    with av.open(str(shared_data / "video" / "one-by-one-person-detection.mp4")) as container:
        wanted = {}
        for number, frame in enumerate(container.decode(video=0)):
            if number in PEOPLE or number == 0:
                wanted[number] = Still(frame.to_ndarray(format="bgr24"))
            if number >= max(PEOPLE):
                return wanted
    raise AssertionError("the recording is shorter than it was")


@pytest.mark.parametrize(("engine", "precision"), [("openvino", "auto"), ("openvino", "f32"), ("onnxruntime", "auto")])
def test_yolox_finds_the_person(shared_data, frames, engine, precision):
    path = shared_data / "models" / "yolox_nano.onnx"
    detector = load_detector(ModelConfig(path=str(path), engine=engine, precision=precision))
    assert detector.family.name == "yolox"
    for number, still in frames.items():
        found = detector.detect([detector.prepare(still)], 0.5)[0]
        labels = [detector.names[one] for one in found.class_ids]
        assert labels == (["person"] if number in PEOPLE else [])
        if number in PEOPLE:
            assert 0.86 < found.scores[0] < 0.91
            low, high = PEOPLE[number]
            assert low < found.boxes[0, 0] < found.boxes[0, 2] < high
