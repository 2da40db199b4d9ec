"""ONNX Runtime: the portable way on a CPU, and the way to NVIDIA GPUs by CUDA or TensorRT."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from inferfleet.errors import InputError
from inferfleet.vision.engines.base import Plan
from inferfleet.vision.engines.wrapped import PICTURE, half_precision, with_preprocessing
from inferfleet.vision.types import U8

_GPU_WORKERS = 2
"""One thread prepares and reads while the other's batch is on the device."""

_PROVIDERS = {"cpu": "CPUExecutionProvider", "cuda": "CUDAExecutionProvider", "tensorrt": "TensorrtExecutionProvider"}


class OnnxRuntimeEngine:
    """A model in an ONNX Runtime session."""

    def __init__(self, plan: Plan, cache: Path) -> None:
        import onnxruntime

        kind, index = split_device(plan.device)
        self.name = f"onnxruntime {onnxruntime.__version__}"
        self.device = "cpu" if kind == "cpu" else f"{kind}:{index}"
        self.precision = _precision(kind, plan.precision)
        self._outputs = list(plan.outputs)
        self._constants = {
            size: {name: np.repeat(row[np.newaxis], size, axis=0) for name, row in plan.constants.items()}
            for size in plan.batch_sizes
        }
        model = with_preprocessing(plan, None if len(plan.batch_sizes) > 1 else plan.batch_sizes[0])
        if kind == "cuda" and self.precision == "f16":
            model = half_precision(model)
        options = onnxruntime.SessionOptions()
        options.log_severity_level = 3
        self.workers = _GPU_WORKERS
        if kind == "cpu":
            # One thread a call and a call a core: no waiting for each other, and a result that no batch changes.
            options.intra_op_num_threads = 1
            options.inter_op_num_threads = 1
            self.workers = len(os.sched_getaffinity(0))
        providers = provider_list(plan, self.precision, cache, onnxruntime.get_available_providers())
        self._session = onnxruntime.InferenceSession(model.SerializeToString(), options, providers=providers)
        if self._session.get_providers()[0] != _PROVIDERS[kind]:
            raise InputError(
                f"device {plan.device}: {_PROVIDERS[kind]} does not start here (is there a GPU, and do the driver and "
                f"CUDA libraries fit onnxruntime-gpu {onnxruntime.__version__}?); use device: cpu to go on without"
            )

    def run(self, batch: U8) -> list[NDArray[Any]]:
        """Runs one batch; see `Engine.run`."""
        feeds = {PICTURE: batch, **self._constants[len(batch)]}
        outputs: list[NDArray[Any]] = self._session.run(self._outputs, feeds)
        return outputs


def provider_list(
    plan: Plan, precision: str, cache: Path, available: Sequence[str]
) -> list[tuple[str, dict[str, Any]]]:
    """Lists the execution providers for a device, each with its options, the wanted one first.

    Args:
        plan: The model to be run, and the device.
        precision: What to compute in: `model` or `f16`.
        cache: Where TensorRT keeps built engines, so that the next start need not build them.
        available: What this ONNX Runtime was built with.

    Raises:
        InputError: This ONNX Runtime has no provider for the device.
    """
    kind, index = split_device(plan.device)
    wanted = _PROVIDERS[kind]
    if wanted not in available:
        raise InputError(
            f"device {plan.device}: this ONNX Runtime has no {wanted} (it has {', '.join(available)}); "
            "install onnxruntime-gpu in place of onnxruntime, or use device: cpu"
        )
    cpu: tuple[str, dict[str, Any]] = (_PROVIDERS["cpu"], {})
    cuda = (_PROVIDERS["cuda"], {"device_id": index, "arena_extend_strategy": "kSameAsRequested"})
    if kind == "cpu":
        return [cpu]
    if kind == "cuda":
        return [cuda, cpu]
    folder = cache / "tensorrt"
    folder.mkdir(parents=True, exist_ok=True)
    options = {
        "device_id": index,
        "trt_fp16_enable": precision == "f16",
        "trt_engine_cache_enable": True,
        "trt_engine_cache_path": str(folder),
        "trt_timing_cache_enable": True,
        "trt_timing_cache_path": str(folder),
    }
    if len(plan.batch_sizes) > 1:
        options |= _profile(plan)
    return [(wanted, options), cuda, cpu] if _PROVIDERS["cuda"] in available else [(wanted, options), cpu]


def split_device(device: str) -> tuple[str, int]:
    """Splits `cuda:1` into its kind and number; no number means 0."""
    kind, _, number = device.partition(":")
    return kind, int(number or 0)


def _profile(plan: Plan) -> dict[str, str]:
    """The range of shapes that TensorRT builds one engine for: the least, the usual and the largest batch."""

    def shapes(size: int) -> str:
        rows = {PICTURE: (plan.size[1], plan.size[0], 3), **{name: row.shape for name, row in plan.constants.items()}}
        return ",".join(f"{name}:{'x'.join(map(str, (size, *sides)))}" for name, sides in rows.items())

    least, most = plan.batch_sizes[0], plan.batch_sizes[-1]
    return {
        "trt_profile_min_shapes": shapes(least),
        "trt_profile_opt_shapes": shapes(most),
        "trt_profile_max_shapes": shapes(most),
    }


def _precision(kind: str, asked: str) -> str:
    if asked in ("auto", "f32"):
        return "model" if asked == "auto" else "f32"
    if asked == "f16" and kind != "cpu":
        return "f16"
    raise InputError(
        f"precision {asked}: ONNX Runtime on {kind} cannot; "
        + ("use engine: openvino, or precision: auto" if kind == "cpu" else "use f16, f32 or auto")
    )
