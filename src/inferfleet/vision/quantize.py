"""An int8 copy of a model, calibrated on the user's pictures, and a report of what that costs in accuracy.

Quantisation is static, in the QDQ form that OpenVINO, ONNX Runtime and TensorRT all run. Half of the pictures
calibrate, the other half tells how far the copy's answers are from the original's; a copy that loses too much is not
written.
"""

from __future__ import annotations

import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import structlog

from inferfleet.config.model import ModelConfig
from inferfleet.errors import InputError
from inferfleet.vision import loader, onnxfile, store
from inferfleet.vision.detector import Classifier, Detector
from inferfleet.vision.families.base import ClassifierFamily, Family, Preprocessing
from inferfleet.vision.families.recognise import recognise
from inferfleet.vision.geometry import place
from inferfleet.vision.picture import PictureError, Still
from inferfleet.vision.types import F32, Detections

_log = structlog.get_logger(__name__)

_SUFFIXES = {".jpg", ".jpeg", ".png", ".webp", ".bmp"}
_LEAST_PICTURES = 16
_MOST_CALIBRATION = 300
"""More calibration pictures take longer and change nothing (ONNX Runtime keeps their activations' extremes)."""
_SAME_PLACE = 0.5
"""Boxes of one class that overlap at least this much are the same object."""
_CLASSIFIER_OPERATORS = ["Conv", "Gemm", "MatMul", "Add"]
_DETECTOR_OPERATORS = ["Conv", "Gemm", "MatMul"]
"""A detector's sums turn offsets into pixels, which eight bits cannot hold."""


@dataclass(frozen=True, slots=True)
class Report:
    """What quantisation did.

    Attributes:
        pictures: How many pictures were compared.
        measure: What was compared, in words.
        original: The original's value of it, 1 where it is its own measure.
        quantized: The copy's value.
        original_bytes: Size of the original file.
        quantized_bytes: Size of the copy.
    """

    pictures: int
    measure: str
    original: float
    quantized: float
    original_bytes: int
    quantized_bytes: int

    @property
    def loss(self) -> float:
        """How much is lost, 0 to 1."""
        return max(0.0, self.original - self.quantized)


def quantize(config: ModelConfig, pictures: Path, target: Path, max_loss: float) -> Report:
    """Writes an int8 copy of a model.

    Args:
        config: The model.
        pictures: A folder of pictures like those that the model will see; subfolders named after its classes tell
            what they show, and then accuracy is compared, not agreement.
        target: The file to write.
        max_loss: The most that may be lost, 0 to 1.

    Raises:
        InputError: The model or the pictures cannot be used, or the copy loses more.
    """
    files = sorted(file for file in pictures.rglob("*") if file.suffix.lower() in _SUFFIXES)
    if len(files) < _LEAST_PICTURES:
        raise InputError(
            f"{pictures}: {len(files)} pictures; at least {_LEAST_PICTURES} are needed, better some hundred"
        )
    original = store.fetch(config.path, config.sha256, store.cache_folder({}))
    onnx = onnxfile.read(original.path, config.input_size)
    family = recognise(config.path, onnx.signature, config.family)
    look = family.preprocessing.overridden(config.preprocess)
    feeds = _feeds(onnx.signature.picture.name, onnx.signature.size, look, family, files[::2][:_MOST_CALIBRATION])
    with tempfile.TemporaryDirectory() as folder:
        copy = Path(folder) / "int8.onnx"
        operators = _CLASSIFIER_OPERATORS if isinstance(family, ClassifierFamily) else _DETECTOR_OPERATORS
        _write(onnx.content, copy, feeds, operators)
        report = _compare(config, copy, files[1::2], pictures)
        if report.loss > max_loss:
            raise InputError(
                f"model {config.path}: int8 loses {report.loss:.2%} ({report.measure}: {report.quantized:.2%} after "
                f"{report.original:.2%}, {report.pictures} pictures); at most {max_loss:.2%} is accepted, so nothing "
                "was written. Calibrate with more pictures of the kind it will see, or keep precision: bf16"
            )
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(copy.read_bytes())
    return report


def _feeds(
    name: str, size: tuple[int, int], look: Preprocessing, family: Family, files: Sequence[Path]
) -> Iterator[dict[str, Any]]:
    """Makes the model's own inputs of pictures, one picture at a time."""
    mean, std = np.array(look.mean, np.float32), np.array(look.std, np.float32)
    for file in files:
        still = _open(file)
        if still is None:
            continue
        pixels = (place(still, size, look.fit, look.padding).pixels.astype(np.float32) - mean) / std
        ordered = pixels[..., ::-1] if look.bgr else pixels
        rows = {key: row[np.newaxis] for key, row in family.constants.items()}
        yield {name: np.ascontiguousarray(ordered.transpose(2, 0, 1)[np.newaxis]), **rows}


def _write(content: bytes, target: Path, feeds: Iterator[dict[str, Any]], operators: list[str]) -> None:
    import onnx
    from onnxruntime.quantization import CalibrationDataReader, QuantFormat, QuantType, quantize_static
    from onnxruntime.quantization.shape_inference import quant_pre_process

    class Reader(CalibrationDataReader):  # type: ignore[misc]
        """Gives the feeds one by one."""

        def get_next(self) -> dict[str, Any] | None:
            """Returns the next feed, None at the end."""
            return next(feeds, None)

    model = onnx.load_model_from_string(content)
    ready = target.with_name("ready.onnx")
    # Shapes are only needed by operators that are left as they are.
    quant_pre_process(model, str(ready), skip_symbolic_shape=True)
    quantize_static(
        str(ready),
        str(target),
        Reader(),
        quant_format=QuantFormat.QDQ,
        per_channel=True,
        activation_type=QuantType.QUInt8,
        weight_type=QuantType.QInt8,
        op_types_to_quantize=operators,
    )
    quantized = onnx.load(str(target))
    onnx.helper.set_model_props(quantized, {entry.key: entry.value for entry in model.metadata_props})
    onnx.save(quantized, str(target))


def _compare(config: ModelConfig, copy: Path, files: Sequence[Path], root: Path) -> Report:
    original = loader.load(config)
    names = config.names if config.names is not None else original.names
    quantized = loader.load(config.model_copy(update={"path": str(copy), "sha256": None, "names": names}))
    sizes = store.fetch(config.path, None, store.cache_folder({})).path.stat().st_size, copy.stat().st_size
    stills = [(file, still) for file in files if (still := _open(file)) is not None]
    if isinstance(original, Classifier) and isinstance(quantized, Classifier):
        best = [
            [int(model.classify([model.prepare(still)], 1)[0].class_ids[0]) for _, still in stills]
            for model in (original, quantized)
        ]
        truth = [_label(file, root, original.names) for file, _ in stills]
        if None not in truth:
            shares = [float(np.mean([one == real for one, real in zip(found, truth, strict=True)])) for found in best]
            return Report(len(stills), "accuracy by folder names", shares[0], shares[1], *sizes)
        same = float(np.mean([one == other for one, other in zip(*best, strict=True)]))
        return Report(len(stills), "pictures of the same class", 1.0, same, *sizes)
    assert isinstance(original, Detector)
    assert isinstance(quantized, Detector)
    agreement = [
        _agreement(original.detect([original.prepare(still)])[0], quantized.detect([quantized.prepare(still)])[0])
        for _, still in stills
    ]
    hits, total = (sum(column) for column in zip(*agreement, strict=True))
    return Report(len(stills), "F1 against the original's objects", 1.0, hits / total if total else 1.0, *sizes)


def _label(file: Path, root: Path, names: Sequence[str]) -> int | None:
    folder = file.parent.name
    return names.index(folder) if file.parent != root and folder in names else None


def _agreement(one: Detections, other: Detections) -> tuple[float, float]:
    """Counts twice the objects that both have, and all objects of both: their quotient is F1."""
    free = set(range(len(other)))
    pairs = 0
    for box, number in zip(one.boxes, one.class_ids, strict=True):
        match = next(
            (i for i in free if other.class_ids[i] == number and _overlap(box, other.boxes[i]) >= _SAME_PLACE), None
        )
        if match is not None:
            free.remove(match)
            pairs += 1
    return 2.0 * pairs, float(len(one) + len(other))


def _overlap(one: F32, other: F32) -> float:
    """Intersection over union of two boxes."""
    width = max(0.0, float(min(one[2], other[2]) - max(one[0], other[0])))
    height = max(0.0, float(min(one[3], other[3]) - max(one[1], other[1])))
    both = width * height
    areas = [float((box[2] - box[0]) * (box[3] - box[1])) for box in (one, other)]
    return both / (sum(areas) - both) if both else 0.0


def _open(file: Path) -> Still | None:
    try:
        still = Still.open(file)
        still.bgr()
    except PictureError as error:
        _log.warning("left out", picture=str(file), why=str(error))
        return None
    return still
