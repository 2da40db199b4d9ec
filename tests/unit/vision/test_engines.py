"""Engines normalise, batch and share themselves among threads without changing results."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest

from inferfleet.config.model import ModelConfig
from inferfleet.errors import InputError
from inferfleet.vision.engines.base import Plan
from inferfleet.vision.engines.onnxruntime import provider_list
from inferfleet.vision.engines.openvino import choose_precision
from inferfleet.vision.families.base import Preprocessing
from inferfleet.vision.loader import load, load_detector
from inferfleet.vision.picture import Still
from tests.unit.vision.onnxmodels import constant_model, mean_model

ENGINES = [("openvino", "f32"), ("onnxruntime", "auto")]
LOOKS = [
    {},
    {"colour": "bgr"},
    {"mean": (10, 20, 30), "std": (2, 4, 8)},
    {"mean": (10, 20, 30), "std": (2, 4, 8), "colour": "bgr"},
]


@pytest.mark.parametrize(("engine", "precision"), ENGINES)
@pytest.mark.parametrize("look", LOOKS)
@pytest.mark.parametrize("half", [False, True])
def test_the_graph_is_fed_what_the_preprocessing_says(tmp_path, engine, precision, look, half):
    path = mean_model(tmp_path / "mean.onnx", half=half)
    settings = {"std": (1, 1, 1), "mean": (0, 0, 0), **look}
    model = load(ModelConfig(path=str(path), engine=engine, precision=precision, preprocess=settings))
    pixels = np.random.default_rng(3).integers(0, 255, (1, 8, 8, 3), np.uint8)
    expected = ((pixels - np.array(settings["mean"], float)) / settings["std"]).mean(axis=(0, 1, 2))
    if look.get("colour") == "bgr":
        expected = expected[::-1]
    np.testing.assert_allclose(model.engine.run(pixels)[0][0], expected, rtol=2e-3 if half else 1e-5)


@pytest.mark.parametrize(("engine", "precision"), ENGINES)
def test_a_picture_gives_the_same_whatever_shares_its_batch(tmp_path, engine, precision):
    path = mean_model(tmp_path / "mean.onnx")
    model = load(ModelConfig(path=str(path), engine=engine, precision=precision, max_batch=4))
    assert model.batch_sizes == (1, 2, 4)
    random = np.random.default_rng(1)
    stills = [Still(random.integers(0, 255, (8, 8, 3), np.uint8)) for _ in range(7)]
    prepared = [model.prepare(still) for still in stills]
    alone = [model.classify([one])[0] for one in prepared]
    for count in (2, 3, 7):  # a full batch, a padded one, a full and a padded one
        for one, other in zip(alone, model.classify(prepared[:count]), strict=False):
            np.testing.assert_array_equal(one.class_ids, other.class_ids)
            np.testing.assert_allclose(one.scores, other.scores, atol=1e-6)


@pytest.mark.parametrize(("engine", "precision"), ENGINES)
def test_many_threads_do_not_get_each_others_results(tmp_path, engine, precision):
    path = mean_model(tmp_path / "mean.onnx", size=(64, 64))
    model = load(ModelConfig(path=str(path), engine=engine, precision=precision))
    start = threading.Barrier(8)

    def run(number: int) -> bool:
        batch = np.full((1, 64, 64, 3), number * 30, np.uint8)
        first = model.engine.run(batch)[0].copy()
        start.wait(30)
        return all(np.array_equal(model.engine.run(batch)[0], first) for _ in range(100)) and first[0, 0] != 0

    with ThreadPoolExecutor(8) as pool:
        assert all(pool.map(run, range(8)))


def test_a_model_of_a_fixed_batch_takes_any_number_of_pictures(tmp_path):
    output = np.zeros((300, 6), np.float32)
    output[0] = 1, 2, 3, 4, 0.9, 0
    path = constant_model(tmp_path / "m.onnx", {"output0": output}, batch=2)
    for engine, precision in ENGINES:
        model = load_detector(ModelConfig(path=str(path), engine=engine, precision=precision, names=["x"]))
        assert model.batch_sizes == (2,)
        prepared = [model.prepare(Still(np.zeros((64, 64, 3), np.uint8)))] * 3
        assert [len(found) for found in model.detect(prepared)] == [1, 1, 1]
        assert model.detect([]) == []


def test_bf16_is_chosen_where_the_cpu_has_it():
    assert choose_precision(["FP32", "BF16", "INT8"], "auto") == "bf16"
    assert choose_precision(["FP32", "INT8"], "auto") == "f32"
    assert choose_precision(["FP32", "BF16"], "f32") == "f32"
    with pytest.raises(InputError, match="precision bf16: this CPU has no such instructions; it computes in f32"):
        choose_precision(["FP32", "INT8"], "bf16")


def test_the_precision_in_use_can_be_inspected(tmp_path):
    path = mean_model(tmp_path / "mean.onnx")
    model = load(ModelConfig(path=str(path), engine="openvino", precision="f32"))
    assert (model.engine.precision, model.engine.device) == ("f32", "cpu")
    assert model.engine.name.startswith("openvino ")
    assert model.workers >= 1


def plan(device: str, batch_sizes: tuple[int, ...] = (1,)) -> Plan:
    constants = {"orig_target_sizes": np.array([64, 32])}
    return Plan(b"", "images", (64, 32), ("output",), Preprocessing(), constants, batch_sizes, "auto", device)


def test_cuda_comes_first_and_the_cpu_takes_what_is_left(tmp_path):
    available = ["TensorrtExecutionProvider", "CUDAExecutionProvider", "CPUExecutionProvider"]
    providers = provider_list(plan("cuda:1"), "model", tmp_path, available)
    assert [name for name, _ in providers] == ["CUDAExecutionProvider", "CPUExecutionProvider"]
    assert providers[0][1]["device_id"] == 1


def test_tensorrt_keeps_its_engines_and_builds_one_for_all_batch_sizes(tmp_path):
    available = ["TensorrtExecutionProvider", "CUDAExecutionProvider", "CPUExecutionProvider"]
    providers = provider_list(plan("tensorrt", (1, 2, 4)), "f16", tmp_path, available)
    name, options = providers[0]
    assert name == "TensorrtExecutionProvider"
    assert options["trt_fp16_enable"]
    assert Path(options["trt_engine_cache_path"]).is_dir()
    assert options["trt_profile_min_shapes"] == "inferfleet_picture:1x32x64x3,orig_target_sizes:1x2"
    assert options["trt_profile_max_shapes"] == "inferfleet_picture:4x32x64x3,orig_target_sizes:4x2"
    assert [name for name, _ in providers[1:]] == ["CUDAExecutionProvider", "CPUExecutionProvider"]


def test_a_gpu_that_is_not_offered_is_an_error_with_a_way_out(tmp_path):
    import onnxruntime

    if "CUDAExecutionProvider" in onnxruntime.get_available_providers():
        pytest.skip("this ONNX Runtime offers CUDA")
    path = mean_model(tmp_path / "mean.onnx")
    with pytest.raises(InputError, match=r"device cuda:0.*no CUDAExecutionProvider.*onnxruntime-gpu in place of"):
        load(ModelConfig(path=str(path), device="cuda:0"))


def test_precisions_that_onnx_runtime_lacks_on_a_cpu_are_refused(tmp_path):
    path = mean_model(tmp_path / "mean.onnx")
    with pytest.raises(InputError, match="precision bf16: ONNX Runtime on cpu cannot"):
        load(ModelConfig(path=str(path), engine="onnxruntime", precision="bf16"))


def test_openvino_with_a_gpu_is_refused_in_the_configuration():
    with pytest.raises(ValueError, match="OpenVINO has no device cuda:0"):
        ModelConfig(path="m.onnx", engine="openvino", device="cuda:0")


def test_engines_tell_nobody_anything(tmp_path: Path) -> None:
    program = (
        "import sys; from inferfleet.config.model import ModelConfig; from inferfleet.vision import loader;"
        "engines = [loader.load(ModelConfig(path='zoo:street-classifier-v1', engine=name)) for name in sys.argv[1:]];"
        "print([one.engine.name for one in engines]);"
        "assert not [name for name in sys.modules if name.startswith('openvino_telemetry.')]"
    )
    done = subprocess.run(
        [sys.executable, "-c", program, "openvino", "onnxruntime"],
        env={**os.environ, "HOME": str(tmp_path)},
        capture_output=True,
        text=True,
        check=True,
    )
    assert "openvino" in done.stdout and "onnxruntime" in done.stdout
    assert not list(tmp_path.iterdir())
