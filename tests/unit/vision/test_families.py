"""Each family's outputs are read as its own published code reads them, on both engines."""

from __future__ import annotations

import math

import numpy as np
import pytest
from onnx import helper

from inferfleet.config.model import ModelConfig
from inferfleet.vision.detector import Detector
from inferfleet.vision.loader import load_detector
from inferfleet.vision.picture import Still
from tests.unit.vision.onnxmodels import constant_model, detr_model

SIZE = (128, 96)
PICTURE = (320, 200)
"""Width and height; 128/320 = 0.4 leaves 80 of 96 rows, so the letterbox has 8 rows of padding above."""

TRUTH = [  # x1 y1 x2 y2 in input pixels, class, score; far apart, so that nothing suppresses anything
    (10.0, 20.0, 40.0, 50.0, 2, 0.90),
    (60.5, 30.25, 90.0, 70.0, 0, 0.75),
    (100.0, 12.0, 120.0, 40.0, 1, 0.60),
]
CLASSES = 3
NAMES = ("car", "bus", "bike")


@pytest.fixture(params=["openvino", "onnxruntime"])
def engine(request) -> str:
    return request.param


def loaded(path, engine: str, **settings) -> Detector:
    precision = "f32" if engine == "openvino" else "auto"
    return load_detector(ModelConfig(path=str(path), engine=engine, precision=precision, names=NAMES, **settings))


def look(model: Detector, picture: tuple[int, int] = PICTURE):
    still = Still(np.full((picture[1], picture[0], 3), 90, np.uint8))
    return model.detect([model.prepare(still)], 0.25)[0]


def assert_found(result, undo, truth=TRUTH):
    """Compares with the truth, brought back by `undo` (input x, y → picture x, y)."""
    assert len(result) == len(truth)
    for box, score, number, (x1, y1, x2, y2, expected, sure) in zip(
        result.boxes, result.scores, result.class_ids, truth, strict=True
    ):
        np.testing.assert_allclose(box, [*undo(x1, y1), *undo(x2, y2)], atol=1e-3)
        assert score == pytest.approx(sure, abs=1e-5)
        assert number == expected


def unletterbox(x: float, y: float) -> tuple[float, float]:
    return x / 0.4, (y - 8) / 0.4


def unstretch(x: float, y: float) -> tuple[float, float]:
    return x * PICTURE[0] / SIZE[0], y * PICTURE[1] / SIZE[1]


def centred(x1, y1, x2, y2):
    return (x1 + x2) / 2, (y1 + y2) / 2, x2 - x1, y2 - y1


def test_yolov8_columns_are_boxes_and_classes(tmp_path, engine):
    output = np.zeros((4 + CLASSES, 252), np.float32)
    for column, (*box, number, score) in zip((5, 100, 251), TRUTH, strict=True):
        output[:4, column] = centred(*box)
        output[4 + number, column] = score
    output[4, 7] = 0.24  # below the least score
    model = loaded(constant_model(tmp_path / "m.onnx", {"output0": output}, size=SIZE), engine)
    assert model.family.name == "yolov8"
    assert_found(look(model), unletterbox)


def test_yolov5_scores_are_objectness_times_class(tmp_path, engine):
    rows = 3 * (16 * 12 + 8 * 6 + 4 * 3)
    output = np.zeros((rows, 5 + CLASSES), np.float32)
    for row, (*box, number, score) in zip((5, 300, rows - 1), TRUTH, strict=True):
        output[row, :4] = centred(*box)
        output[row, 4] = 0.95
        output[row, 5 + number] = score / 0.95
    output[50, 4:6] = 0.45, 0.5  # its objectness passes, its score does not
    model = loaded(constant_model(tmp_path / "m.onnx", {"output": output}, size=SIZE), engine)
    assert model.family.name == "yolov5"
    assert_found(look(model), unletterbox)


def yolox_rows() -> list[tuple[int, int, int, int]]:
    """Row, grid x, grid y and stride of three of YOLOX's predictions over a 128 x 96 input."""
    return [(3 * 16 + 4, 4, 3, 8), (192 + 2 * 8 + 5, 5, 2, 16), (192 + 48 + 1 * 4 + 3, 3, 1, 32)]


@pytest.mark.parametrize("decoded", [False, True])
def test_yolox_is_read_raw_and_decoded(tmp_path, engine, decoded):
    output = np.zeros((16 * 12 + 8 * 6 + 4 * 3, 5 + CLASSES), np.float32)
    for (row, grid_x, grid_y, stride), (*box, number, score) in zip(yolox_rows(), TRUTH, strict=True):
        x, y, wide, high = centred(*box)
        if decoded:
            output[row, :4] = x, y, wide, high
        else:
            output[row, :4] = x / stride - grid_x, y / stride - grid_y, math.log(wide / stride), math.log(high / stride)
        output[row, 4] = 0.95
        output[row, 5 + number] = score / 0.95
    exp = [helper.make_node("Exp", ["images"], ["unused"])] if decoded else []
    path = constant_model(tmp_path / "m.onnx", {"output": output}, size=SIZE, batch=1, extra_nodes=exp)
    model = loaded(path, engine)
    assert model.family.name == "yolox"
    assert model.preprocessing.bgr
    assert_found(look(model), lambda x, y: (x / 0.4, y / 0.4))


def test_rows_of_models_that_suppress_themselves_are_taken_as_they_are(tmp_path, engine):
    output = np.zeros((300, 6), np.float32)
    for row, (*box, number, score) in enumerate(TRUTH):
        output[row] = *box, score, number
    output[3] = output[0]  # an exact duplicate stays: it is the model's own business
    output[3, 4] = 0.5
    model = loaded(constant_model(tmp_path / "m.onnx", {"output0": output}, size=SIZE), engine)
    assert model.family.name == "yolov10"
    assert_found(look(model), unletterbox, [*TRUTH, (*TRUTH[0][:5], 0.5)])


def test_rt_detr_and_d_fine_are_asked_for_input_pixels(tmp_path, engine):
    fractions = np.array([[x1 / 128, y1 / 96, x2 / 128, y2 / 96] for x1, y1, x2, y2, *_ in TRUTH])
    labels, scores = np.array([row[4] for row in TRUTH]), np.array([row[5] for row in TRUTH])
    model = loaded(detr_model(tmp_path / "m.onnx", labels, fractions, scores, SIZE), engine)
    assert model.family.name == "rt-detr"
    assert_found(look(model), unstretch)


@pytest.mark.parametrize(
    ("boxes", "logits", "family"), [("dets", "labels", "rf-detr"), ("pred_boxes", "logits", "detr")]
)
def test_queries_give_a_detection_for_every_likely_class(tmp_path, engine, boxes, logits, family):
    queries = np.zeros((50, 4), np.float32)
    scores = np.full((50, CLASSES), -9.0, np.float32)
    for row, (*box, number, score) in zip((4, 17, 49), TRUTH, strict=True):
        queries[row] = np.array(centred(*box)) / (128, 96, 128, 96)
        scores[row, number] = math.log(score / (1 - score))
    scores[4, 1] = math.log(0.3 / 0.7)  # the first box may also be of class 1
    model = loaded(constant_model(tmp_path / "m.onnx", {boxes: queries, logits: scores}, size=SIZE), engine)
    assert model.family.name == family
    assert model.preprocessing.fit == "stretch"
    assert_found(look(model), unstretch, [*TRUTH, (*TRUTH[0][:4], 1, 0.3)])


def test_only_rf_detr_is_normalised_by_imagenet(tmp_path):
    outputs = {"labels": np.zeros((5, 3), np.float32), "dets": np.zeros((5, 4), np.float32)}
    model = loaded(constant_model(tmp_path / "m.onnx", outputs, size=SIZE), "onnxruntime")
    np.testing.assert_allclose(np.array(model.preprocessing.mean) / 255, (0.485, 0.456, 0.406))
    np.testing.assert_allclose(np.array(model.preprocessing.std) / 255, (0.229, 0.224, 0.225))


@pytest.mark.parametrize("form", ["classes", "score and class"])
def test_both_forms_of_ultralytics_rt_detr_are_read(tmp_path, engine, form):
    output = np.zeros((300, 4 + CLASSES if form == "classes" else 6), np.float32)
    for row, (*box, number, score) in enumerate(TRUTH):
        output[row, :4] = np.array(centred(*box)) / (128, 96, 128, 96)
        if form == "classes":
            output[row, 4 + number] = score
        else:
            output[row, 4:] = score, number
    metadata = {"description": "Ultralytics rtdetr-l model", "names": str(dict(enumerate(NAMES)))}
    model = loaded(constant_model(tmp_path / "m.onnx", {"output0": output}, size=SIZE, metadata=metadata), engine)
    assert model.family.name == "rt-detr-ultralytics"
    assert_found(look(model), unstretch)


def test_mask_coefficients_of_a_segmentation_model_are_not_classes(tmp_path):
    output = np.zeros((4 + CLASSES + 32, 252), np.float32)
    output[4 + CLASSES :, :] = 5.0
    for column, (*box, number, score) in zip((5, 100, 251), TRUTH, strict=True):
        output[:4, column] = centred(*box)
        output[4 + number, column] = score
    outputs = {"output0": output, "output1": np.zeros((32, 24, 32), np.float32)}
    metadata = {"task": "segment", "names": str(dict(enumerate(NAMES)))}
    model = loaded(constant_model(tmp_path / "m.onnx", outputs, size=SIZE, metadata=metadata), "onnxruntime")
    assert_found(look(model), unletterbox)


def test_overlapping_boxes_of_a_class_leave_the_best_and_other_classes_alone(tmp_path):
    output = np.zeros((4 + CLASSES, 252), np.float32)
    for column, (shift, number, score) in enumerate([(0, 0, 0.9), (1, 0, 0.8), (1, 1, 0.7), (40, 0, 0.6)]):
        output[:4, column] = 40 + shift, 40, 20, 20
        output[4 + number, column] = score
    model = loaded(constant_model(tmp_path / "m.onnx", {"output0": output}, size=SIZE), "onnxruntime")
    np.testing.assert_allclose(look(model).scores, [0.9, 0.7, 0.6])


def test_a_bound_on_detections_keeps_the_best(tmp_path):
    output = np.zeros((300, 6), np.float32)
    output[:, :4] = 10, 10, 20, 20
    output[:, 4] = np.linspace(0.3, 0.9, 300)
    path = constant_model(tmp_path / "m.onnx", {"output0": output}, size=SIZE)
    result = look(loaded(path, "onnxruntime", max_detections=10))
    np.testing.assert_allclose(result.scores, np.linspace(0.3, 0.9, 300)[:-11:-1], atol=1e-6)


def test_a_class_without_a_name_is_an_error_that_says_so(tmp_path):
    output = np.zeros((300, 6), np.float32)
    output[0] = 10, 10, 20, 20, 0.9, 7
    model = loaded(constant_model(tmp_path / "m.onnx", {"output0": output}, size=SIZE), "onnxruntime")
    with pytest.raises(Exception, match=r"class 7.*3 names"):
        look(model)
