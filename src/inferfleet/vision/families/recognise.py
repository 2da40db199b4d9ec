"""Which family a model belongs to, told from its inputs, outputs and metadata, or from what the user says."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from inferfleet.config.model import FamilyName
from inferfleet.errors import InputError
from inferfleet.vision.families import classifier, detr, yolov5, yolov8, yolov10, yolox
from inferfleet.vision.families.base import Family
from inferfleet.vision.families.grids import strides_of
from inferfleet.vision.signature import Port, Signature

READERS: Mapping[FamilyName, Callable[[Signature], Family | None]] = {
    "yolov5": yolov5.recognise,
    "yolov8": yolov8.recognise,
    "yolov10": yolov10.recognise,
    "yolox": yolox.recognise,
    "rt-detr": detr.recognise_finished,
    "rt-detr-ultralytics": detr.recognise_ultralytics,
    "rf-detr": detr.recognise_rf_detr,
    "detr": detr.recognise_queries,
    "classifier": classifier.recognise,
}

_SUPPORTED = """\
supported layouts (set `family` if yours is one of them):
  yolov5               [b, boxes, 5 + classes]            YOLOv3, v5, v7
  yolov8               [b, 4 + classes, boxes]            YOLOv8, v9, v11, v12, v26 exported with end2end=False
  yolov10              [b, rows, 6]                       YOLOv10, v26, Ultralytics exports with nms=True
  yolox                [b, grid points, 5 + classes]      YOLOX, raw or decoded
  rt-detr              labels, boxes, scores              RT-DETR, D-FINE, DEIM
  rt-detr-ultralytics  [b, queries, 4 + classes or 6]     RT-DETR exported by Ultralytics
  rf-detr              dets, labels                       RF-DETR
  detr                 pred_boxes, logits                 RT-DETR and D-FINE exported by Transformers
  classifier           [b, classes]                       torchvision, timm, Ultralytics"""

_FEW_ROWS = 1000
"""Models that finish their own selection give at most this many rows; grids have more."""
_BOX_SCORE_CLASS = 6
_UNREADABLE_TASKS = {"obb": "rotated boxes"}


def recognise(path: str, signature: Signature, asked: FamilyName | None) -> Family:
    """Finds how to feed and read a model.

    Args:
        path: The model, for messages.
        signature: What it takes and gives.
        asked: The family that the user gave; recognised when None.

    Raises:
        InputError: The outputs are of no known family, or not of the one asked for.
    """
    task = signature.metadata.get("task", "")
    if task in _UNREADABLE_TASKS and asked is None:
        raise InputError(f"model {path}: is made for {_UNREADABLE_TASKS[task]}, which cannot be read\n{_SUPPORTED}")
    name = asked or guess(signature)
    family = READERS[name](signature) if name else None
    if family is None:
        kind = f"its outputs are not those of {name}" if name else "its outputs are of no known family"
        raise InputError(f"model {path}: {kind}\nfound:\n{_found(signature)}\n{_SUPPORTED}")
    return family


def guess(signature: Signature) -> FamilyName | None:
    """Tells the family from the names and shapes of the outputs and from the metadata; None where nothing fits."""
    named = {port.name for port in signature.outputs}
    if named >= {"labels", "boxes", "scores"}:
        return "rt-detr"
    if named >= {"dets", "labels"}:
        return "rf-detr"
    if named >= {"pred_boxes", "logits"}:
        return "detr"
    first = signature.outputs[0]
    if len(first.shape) == 3 and all(side is not None for side in first.shape[1:]):  # noqa: PLR2004
        return _guess_rows(signature, first)
    return "classifier" if classifier.recognise(signature) else None


def _guess_rows(signature: Signature, port: Port) -> FamilyName | None:
    rows, columns = (side or 0 for side in port.shape[1:])
    metadata = signature.metadata
    described = (metadata.get("description", "") + metadata.get("head", "")).lower().replace("-", "")
    finished = metadata.get("end2end", "").lower() == "true" or "'nms': True" in metadata.get("args", "")
    few = rows <= _FEW_ROWS
    rules: tuple[tuple[bool, FamilyName], ...] = (
        ("rtdetr" in described, "rt-detr-ultralytics"),
        (columns > rows, "yolov8"),
        (not finished and strides_of(signature.size, rows) is not None, "yolox"),
        (not finished and strides_of(signature.size, rows, yolov5.ANCHORS) is not None, "yolov5"),
        (few and (columns == _BOX_SCORE_CLASS or finished), "yolov10"),
        (few and signature.names is not None and columns == 4 + len(signature.names), "rt-detr-ultralytics"),
        (not few, "yolov5"),
    )
    return next((name for fits, name in rules if fits), None)


def _found(signature: Signature) -> str:
    lines = [f"  input  {port}" for port in signature.inputs] + [f"  output {port}" for port in signature.outputs]
    told = {key: value for key, value in signature.metadata.items() if key in ("description", "task", "author")}
    return "\n".join(lines + [f"  {key}: {value[:80]}" for key, value in told.items()])
