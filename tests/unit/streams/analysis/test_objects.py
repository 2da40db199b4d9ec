"""What of the detections counts: class, confidence, size; and what a wrong configuration is told."""

from __future__ import annotations

import numpy as np
import pytest

from inferfleet.config.cameras import Camera, Detect, Tracking
from inferfleet.errors import InputError
from inferfleet.streams.analysis import CameraAnalysis, ModelInfo, least_confidence
from inferfleet.vision.types import Detections

COCO = ModelInfo("coco", "c" * 64, ("person", "car", "dog"))
SAFETY = ModelInfo("safety", "s" * 64, ("helmet", "person"))


def labels(outcome):
    return sorted(view.label for view in outcome.tracks)


def test_only_the_wanted_classes_count(stage, thing):
    camera = stage(steps=[{"detect": {"classes": ["person", "bicycle"]}}])
    assert labels(camera.show(thing(100, 300), thing(300, 300, "person"), thing(500, 300, "bicycle"))) == [
        "bicycle",
        "person",
    ]


def test_each_class_has_its_own_least_confidence(stage, thing):
    camera = stage(steps=[{"detect": {"confidence": 0.5, "classes": {"person": 0.8, "car": None, "truck": 0.3}}}])
    outcome = camera.show(
        thing(100, 300, "person", score=0.79),
        thing(250, 300, "person", score=0.81),
        thing(400, 300, "car", score=0.49),
        thing(550, 300, "car", score=0.51),
        thing(700, 300, "truck", score=0.31),
        thing(850, 300, "truck", score=0.29),
    )
    assert [(view.label, round(view.confidence, 2)) for view in outcome.tracks] == [
        ("person", 0.81),
        ("car", 0.51),
        ("truck", 0.31),
    ]


@pytest.mark.parametrize("min_box", [[40, 60], [0.04, 0.12]])
def test_small_boxes_are_ignored(stage, thing, min_box):
    camera = stage(steps=[{"detect": {"min_box": min_box}}])
    outcome = camera.show(
        thing(100, 300, width=39, height=100),
        thing(300, 300, width=100, height=59),
        thing(500, 300, width=41, height=61),
    )
    assert [view.box[0] for view in outcome.tracks] == [479.5]


def test_an_object_that_must_be_whole_begins_no_track_at_the_edge_but_goes_on_there(stage, thing):
    camera = stage(steps=[{"detect": {"whole": True}}])
    assert labels(camera.show(thing(31, 300), thing(969, 300), thing(500, 100), thing(500, 499))) == []
    (begun,) = camera.show(thing(33, 300)).tracks
    (carried,) = camera.show(thing(30, 300)).tracks
    assert carried.id == begun.id


def test_the_least_confidence_that_matters_is_told():
    assert least_confidence(Detect(), Tracking()) == 0.15
    assert least_confidence(Detect(confidence=0.1), Tracking()) == 0.1
    assert least_confidence(Detect(classes={"car": 0.05, "dog": None}), Tracking(low_confidence=0.3)) == 0.05


def two_models(**settings):
    steps = [{"detect": {"model": "coco"}}, {"detect": {"model": "safety"}}]
    camera = Camera.model_validate(
        {"id": "yard", "source": {"type": "file", "path": "x.mp4"}, "steps": steps, **settings}
    )
    return CameraAnalysis(camera, {"coco": COCO, "safety": SAFETY}, "w")


def test_events_name_the_model_that_saw_the_object(stage, thing, found):
    camera = stage()
    camera.analysis = two_models()
    for _ in range(3):
        camera.found(found([thing(100, 300)], COCO.names), found([thing(500, 200, "helmet", 30, 30)], SAFETY.names))
    assert [(event.data.label, event.data.model.name) for event in camera.events] == [
        ("car", "coco"),
        ("helmet", "safety"),
    ]


def test_what_two_models_see_is_one_object_if_it_is_of_one_class(stage, thing, found):
    camera = stage()
    camera.analysis = two_models()
    for n in range(12):
        one, other = thing(100 + 9 * n, 300, "person"), thing(101 + 9 * n, 301, "person", score=0.8)
        camera.found(found([one] if n % 3 else [], COCO.names), found([other], SAFETY.names))
    assert camera.kinds == ["detection"]


def test_a_helmet_in_the_place_of_a_person_is_both(stage, thing, found):
    camera = stage()
    camera.analysis = two_models()
    for _ in range(4):
        camera.found(found([thing(100, 300, "person")], COCO.names), found([thing(100, 300, "helmet")], SAFETY.names))
    assert sorted(event.data.label for event in camera.events) == ["helmet", "person"]


def test_detections_of_too_few_steps_are_a_mistake_of_the_caller_and_change_nothing():
    analysis = two_models()
    before = analysis.state()
    frame = type("F", (), {"picture": type("P", (), {"width": 10, "height": 10})})
    with pytest.raises(ValueError, match="2 detect steps, but the detections of 1"):
        analysis.step(frame, [Detections.none()])
    assert analysis.state() == before


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        (
            {"steps": [{"detect": {"classes": ["persn"]}}]},
            'camera "gate": detect: the model street has no class "persn"; did you mean "person"?',
        ),
        (
            {"zones": {"door": {"polygon": [(0, 0), (1, 0), (1, 1)], "classes": ["zebra"]}}},
            'camera "gate": zone "door": the model street has no class "zebra"; known: car, truck, person, bicycle',
        ),
        (
            {"lines": {"door": {"points": [(0, 0), (1, 0)], "classes": ["Truck"]}}},
            'camera "gate": line "door": the model street has no class "Truck"; did you mean "truck"?',
        ),
        (
            {"steps": [{"detect": {}}, {"read_text": {"classes": ["cars"]}}]},
            'camera "gate": read_text: the model street has no class "cars"; did you mean "car"?',
        ),
        (
            {"steps": [{"detect": {}}, {"read_text": {"pattern": "[A-Z"}}]},
            "camera \"gate\": read_text: the pattern '[A-Z' is not valid: unterminated character set",
        ),
    ],
)
def test_a_wrong_configuration_says_what_is_wrong_and_what_would_be_right(stage, settings, message):
    with pytest.raises(InputError) as error:
        stage(reader=lambda crop: [], **settings)
    assert str(error.value).startswith(message)


def test_a_zone_outside_the_picture_is_told(stage, thing, capsys):
    camera = stage(
        zones={"far": {"polygon": [(3000, 10), (3800, 10), (3800, 900)]}, "near": {"polygon": [(0, 0), (1, 0), (1, 1)]}}
    )
    camera.play([[thing(300, 300)]] * 3)
    told = [line for line in capsys.readouterr().out.splitlines() if "outside the picture" in line]
    assert len(told) == 1
    assert "far" in told[0]


def test_no_detections_at_all_are_no_trouble(stage):
    camera = stage(zones={"near": {"polygon": [(0, 0), (1, 0), (1, 1)]}}, lines={"door": {"points": [(0, 0), (1, 1)]}})
    for _ in range(5):
        outcome = camera.found(Detections(np.empty((0, 4), np.float32), np.empty(0, np.float32), np.empty(0, np.int32)))
        assert outcome.events == outcome.tracks == ()
