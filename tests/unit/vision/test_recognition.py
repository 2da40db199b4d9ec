"""Models are recognised, told apart, overridden and refused with an explanation."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper

from inferfleet.config.model import ModelConfig
from inferfleet.errors import InputError
from inferfleet.vision.loader import batch_sizes, inspect, load, load_classifier, load_detector
from inferfleet.vision.names import COCO, coco_91
from inferfleet.vision.picture import Still
from tests.unit.vision.onnxmodels import constant_model, mean_model, write


def config(path: Path, **settings) -> ModelConfig:
    return ModelConfig(path=str(path), engine="onnxruntime", **settings)


def model(folder: Path, *shape: int, **settings) -> Path:
    return constant_model(folder / "m.onnx", {"output0": np.zeros(shape, np.float32)}, **settings)


@pytest.mark.parametrize(
    ("shape", "size", "metadata", "family"),
    [
        ((84, 8400), (640, 640), {}, "yolov8"),
        ((5, 8400), (640, 640), {}, "yolov8"),
        ((25200, 85), (640, 640), {}, "yolov5"),
        ((25200, 6), (640, 640), {}, "yolov5"),
        ((8400, 85), (640, 640), {}, "yolox"),
        ((3549, 85), (416, 416), {}, "yolox"),
        ((300, 6), (640, 640), {}, "yolov10"),
        ((300, 38), (640, 640), {"end2end": "True"}, "yolov10"),
        ((300, 6), (640, 640), {"args": "{'nms': True}"}, "yolov10"),
        ((300, 84), (640, 640), {"names": str(dict(enumerate(COCO)))}, "rt-detr-ultralytics"),
        ((300, 369), (640, 640), {"description": "Ultralytics RT-DETR-l"}, "rt-detr-ultralytics"),
        ((1000,), (224, 224), {}, "classifier"),
        ((1000, 1, 1), (224, 224), {}, "classifier"),
    ],
)
def test_a_family_is_recognised_by_its_outputs(tmp_path, shape, size, metadata, family):
    _, found = inspect(config(model(tmp_path, *shape, size=size, metadata=metadata)))
    assert found.name == family


def test_the_user_overrides_what_is_recognised(tmp_path):
    path = model(tmp_path, 300, 6)
    assert inspect(config(path))[1].name == "yolov10"
    assert inspect(config(path, family="rt-detr-ultralytics"))[1].name == "rt-detr-ultralytics"


def test_aliases_of_families_are_understood():
    assert ModelConfig(path="m.onnx", family="YOLO11").family == "yolov8"
    assert ModelConfig(path="m.onnx", family="d-fine").family == "rt-detr"


def test_an_unusable_model_is_told_with_what_was_found_and_what_is_supported(tmp_path):
    path = model(tmp_path, 7, 13, 2)
    with pytest.raises(InputError) as error:
        inspect(config(path))
    message = str(error.value)
    assert "output0 float32 [?, 7, 13, 2]" in message
    assert "images float32 [?, 3, 64, 64]" in message
    for name in ("yolov5", "yolov8", "yolox", "rt-detr", "rf-detr", "classifier"):
        assert name in message


def test_a_family_that_does_not_fit_the_outputs_is_refused(tmp_path):
    with pytest.raises(InputError, match="its outputs are not those of rf-detr"):
        inspect(config(model(tmp_path, 84, 8400), family="rf-detr"))


def test_rotated_boxes_are_refused(tmp_path):
    with pytest.raises(InputError, match="rotated boxes"):
        inspect(config(model(tmp_path, 20, 8400, metadata={"task": "obb"})))


def test_what_is_not_onnx_is_refused(tmp_path):
    path = tmp_path / "weights.pt"
    path.write_bytes(b"PK\x03\x04 not a model" * 50)
    with pytest.raises(InputError, match=r"weights\.pt.*ONNX"):
        inspect(config(path))


def test_an_empty_file_is_refused(tmp_path):
    path = tmp_path / "empty.onnx"
    path.touch()
    with pytest.raises(InputError, match=r"empty\.onnx"):
        inspect(config(path))


def test_a_model_without_a_picture_input_is_refused(tmp_path):
    node = helper.make_node("Identity", ["tokens"], ["output"])
    value = [helper.make_tensor_value_info(name, TensorProto.FLOAT, [1, 16]) for name in ("tokens", "output")]
    path = write(tmp_path / "text.onnx", [node], value[:1], value[1:], None)
    with pytest.raises(InputError, match=r"no input takes pictures; found tokens float32 \[1, 16\]"):
        inspect(config(path))


def test_a_model_that_wants_one_channel_is_refused(tmp_path):
    node = helper.make_node("ReduceMean", ["x"], ["y"], axes=[2, 3], keepdims=0)
    values = [
        helper.make_tensor_value_info("x", TensorProto.FLOAT, [1, 1, 28, 28]),
        helper.make_tensor_value_info("y", TensorProto.FLOAT, [1, 1]),
    ]
    path = write(tmp_path / "digits.onnx", [node], values[:1], values[1:], None)
    with pytest.raises(InputError, match="three colour channels"):
        inspect(config(path))


def test_a_fixed_input_size_cannot_be_changed(tmp_path):
    with pytest.raises(InputError, match="fixed at 64x64, not 32x32"):
        inspect(config(model(tmp_path, 300, 6), input_size=32))


def test_an_open_input_size_comes_from_the_user_or_the_metadata(tmp_path):
    path = model(tmp_path, 300, 6, dynamic_size=True, metadata={"imgsz": "[384, 640]"})
    assert inspect(config(path))[0].size == (640, 384)
    assert load_detector(config(path, input_size=(96, 64), names="coco")).input_size == (96, 64)


def test_outputs_whose_size_is_open_are_measured(tmp_path):
    path = model(tmp_path, 252, 8, size=(128, 96), dynamic_size=True)
    graph = onnx.load(str(path))
    for side in graph.graph.output[0].type.tensor_type.shape.dim:
        side.Clear()
        side.dim_param = "?"
    onnx.save(graph, str(path))
    signature, family = inspect(config(path, input_size=(128, 96)))
    assert signature.outputs[0].shape[1:] == (252, 8)
    assert family.name == "yolox"


def test_names_come_from_the_user_before_the_metadata(tmp_path):
    path = model(tmp_path, 6, 252, metadata={"names": "{0: 'a', 1: 'b'}"})
    assert load(config(path)).names == ("a", "b")
    assert load(config(path, names=["x", "y"])).names == ("x", "y")
    listed = tmp_path / "names.txt"
    listed.write_text("first class\nsecond\n\n")
    assert load(config(path, names=str(listed))).names == ("first class", "second")


def test_the_wrong_number_of_names_is_refused(tmp_path):
    with pytest.raises(InputError, match="tells 2 classes apart, but `names` has 3"):
        load(config(model(tmp_path, 6, 252), names=["a", "b", "c"]))


def test_eighty_classes_without_names_are_coco(tmp_path):
    assert load(config(model(tmp_path, 84, 252))).names == COCO
    assert (len(COCO), COCO[0], COCO[79]) == (80, "person", "toothbrush")


def test_coco_keeps_its_own_numbers_when_asked():
    names = coco_91()
    assert (len(names), names[1], names[18], names[90]) == (91, "person", "dog", "toothbrush")


def test_names_must_be_given_where_nothing_tells_the_classes(tmp_path):
    with pytest.raises(InputError, match="give `names`"):
        load(config(model(tmp_path, 300, 6)))


def test_a_detector_is_no_classifier(tmp_path):
    with pytest.raises(InputError, match="is a detector"):
        load_classifier(config(model(tmp_path, 6, 252)))
    with pytest.raises(InputError, match="is a classifier"):
        load_detector(config(mean_model(tmp_path / "c.onnx")))
    with pytest.raises(InputError, match="`task` is classify, but the model is made to detect"):
        load(config(model(tmp_path, 6, 252), task="classify"))


@pytest.mark.parametrize(
    ("most", "fixed", "sizes"),
    [(1, None, (1,)), (16, None, (1, 2, 4, 8, 16)), (6, None, (1, 2, 4, 6)), (16, 1, (1,)), (1, 4, (4,))],
)
def test_batch_sizes_are_few_and_fixed(most, fixed, sizes):
    assert batch_sizes(most, fixed) == sizes


@pytest.mark.parametrize("engine", ["openvino", "onnxruntime"])
@pytest.mark.parametrize("finished", [False, True])
def test_a_classifier_gives_probabilities_of_the_best_classes(tmp_path, engine, finished):
    path = mean_model(tmp_path / "c.onnx", softmax=finished)
    precision = "f32" if engine == "openvino" else "auto"
    unit = {"mean": (0, 0, 0), "std": (64, 64, 64), "fit": "stretch"}
    classifier = load_classifier(ModelConfig(path=str(path), engine=engine, precision=precision, preprocess=unit))
    still = Still(np.full((8, 8, 3), (0, 64, 128), np.uint8))  # blue, green, red: logits 2, 1, 0
    result = classifier.classify([classifier.prepare(still)], top=2)[0]
    powers = np.exp([2.0, 1.0, 0.0])
    np.testing.assert_array_equal(result.class_ids, [0, 1])
    np.testing.assert_allclose(result.scores, (powers / powers.sum())[:2], atol=1e-5)
