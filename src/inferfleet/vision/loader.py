"""From what the user says about a model to a model that runs."""

from __future__ import annotations

import os
import time
from pathlib import Path
from typing import Any

import numpy as np
import structlog

from inferfleet.config.model import ModelConfig
from inferfleet.errors import InputError
from inferfleet.vision import names, onnxfile, store
from inferfleet.vision.detector import Classifier, Detector, Identity
from inferfleet.vision.engines.base import Engine, Plan
from inferfleet.vision.families.base import ClassifierFamily, Family
from inferfleet.vision.families.recognise import recognise
from inferfleet.vision.signature import Signature

_GPU_BATCH = 16


def load(config: ModelConfig, *, cache: Path | None = None) -> Detector | Classifier:
    """Fetches, recognises, builds and warms up a model.

    Args:
        config: What the user says about it.
        cache: Where downloads are kept; `MODEL_CACHE` or the usual cache folder when left out.

    Raises:
        InputError: The model cannot be used; the message says what was found and what is supported.
        OutsideError: The file could not be fetched.
    """
    started = time.monotonic()
    folder = cache or store.cache_folder(os.environ)
    file = store.fetch(config.path, config.sha256, folder)
    onnx = onnxfile.read(file.path, config.input_size)
    family = recognise(config.path, onnx.signature, config.family)
    _check_task(config, family)
    preprocessing = family.preprocessing.overridden(config.preprocess)
    device = _device(config)
    plan = Plan(
        model=onnx.content,
        picture_input=onnx.signature.picture.name,
        size=onnx.signature.size,
        outputs=family.outputs,
        preprocessing=preprocessing,
        constants=family.constants,
        batch_sizes=batch_sizes(config.max_batch or (1 if device == "cpu" else _GPU_BATCH), onnx.signature.batch),
        precision=config.precision,
        device=device,
    )
    engine = _choose(config, plan, folder)
    _warm_up(engine, plan.batch_sizes, onnx.signature.size)
    identity = Identity(
        name=file.path.stem,
        digest=file.digest,
        names=names.resolve(config, family.classes, onnx.signature.names),
        input_size=onnx.signature.size,
        batch_sizes=plan.batch_sizes,
    )
    structlog.get_logger().info(
        "model loaded",
        model=identity.name,
        family=family.name,
        size="{}x{}".format(*identity.input_size),
        engine=engine.name,
        device=engine.device,
        precision=engine.precision,
        batch_sizes=identity.batch_sizes,
        classes=len(identity.names),
        seconds=round(time.monotonic() - started, 2),
    )
    if isinstance(family, ClassifierFamily):
        return Classifier(identity, engine, family, preprocessing)
    return Detector(
        identity,
        engine,
        family,
        preprocessing,
        confidence=config.confidence,
        iou=None if family.iou is None else config.iou or family.iou,
        max_detections=config.max_detections,
    )


def load_detector(config: ModelConfig, *, cache: Path | None = None) -> Detector:
    """Loads a model that must be a detector; see `load`."""
    model = load(config, cache=cache)
    if not isinstance(model, Detector):
        raise InputError(f"model {config.path}: is a classifier ({model.family.layout}); a detector is needed here")
    return model


def load_classifier(config: ModelConfig, *, cache: Path | None = None) -> Classifier:
    """Loads a model that must be a classifier; see `load`."""
    model = load(config, cache=cache)
    if not isinstance(model, Classifier):
        raise InputError(f"model {config.path}: is a detector ({model.family.layout}); a classifier is needed here")
    return model


def inspect(config: ModelConfig, *, cache: Path | None = None) -> tuple[Signature, Family]:
    """Reads a model's signature and family without building it; the errors are those of `load`."""
    file = store.fetch(config.path, config.sha256, cache or store.cache_folder(os.environ))
    signature = onnxfile.read(file.path, config.input_size).signature
    return signature, recognise(config.path, signature, config.family)


def batch_sizes(most: int, fixed: int | None) -> tuple[int, ...]:
    """Lists the batch sizes to build for: powers of two up to `most`, and `most` itself; or the one the file fixes."""
    if fixed is not None:
        return (fixed,)
    sizes = {1 << power for power in range(most.bit_length()) if 1 << power <= most}
    return tuple(sorted(sizes | {most}))


def _check_task(config: ModelConfig, family: Family) -> None:
    found = "classify" if isinstance(family, ClassifierFamily) else "detect"
    if config.task not in (None, found):
        raise InputError(f"model {config.path}: `task` is {config.task}, but the model is made to {found}")


def _device(config: ModelConfig) -> str:
    if config.device != "auto":
        return config.device
    if config.engine == "openvino":
        return "cpu"
    try:
        import onnxruntime
    except ImportError:
        return "cpu"
    offered = "CUDAExecutionProvider" in onnxruntime.get_available_providers()
    return "cuda:0" if offered and Path("/dev/nvidiactl").exists() else "cpu"


def _warm_up(engine: Engine, batches: tuple[int, ...], size: tuple[int, int]) -> None:
    """Runs each batch size once, so that the first picture does not wait."""
    for batch in batches:
        engine.run(np.zeros((batch, size[1], size[0], 3), np.uint8))


def _choose(config: ModelConfig, plan: Plan, cache: Path) -> Engine:
    if config.engine == "onnxruntime" or plan.device != "cpu":
        return _onnxruntime(config, plan, cache)
    try:
        from inferfleet.vision.engines.openvino import OpenVinoEngine

        return OpenVinoEngine(plan)
    except ImportError as error:
        problem: Any = error
    except RuntimeError as error:
        problem = str(error).strip().splitlines()[0]
    if config.engine == "openvino":
        raise InputError(f"model {config.path}: OpenVINO cannot run it ({problem}); try engine: onnxruntime")
    structlog.get_logger().warning("OpenVINO cannot run this model; using ONNX Runtime", model=config.path, why=problem)
    return _onnxruntime(config, plan, cache)


def _onnxruntime(config: ModelConfig, plan: Plan, cache: Path) -> Engine:
    from inferfleet.vision.engines.onnxruntime import OnnxRuntimeEngine

    try:
        return OnnxRuntimeEngine(plan, cache)
    except InputError:
        raise
    except Exception as error:  # ONNX Runtime's exceptions share no base but this
        raise InputError(f"model {config.path}: ONNX Runtime cannot run it on {plan.device}: {error}") from error
