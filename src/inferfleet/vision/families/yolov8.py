"""YOLOv8, v9, v11, v12, and v26 without its end-to-end head: [batch, 4 + classes, predictions].

A column is centre x, centre y, width, height in input pixels and a probability a class (Ultralytics'
`non_max_suppression`).
"""

from __future__ import annotations

import numpy as np

from inferfleet.vision.families.base import Candidates, DetectorFamily, Outputs, Preprocessing, corners
from inferfleet.vision.signature import Signature


def recognise(signature: Signature) -> DetectorFamily | None:
    """Recognises one output with a row for each of the box's numbers and the classes."""
    port = signature.outputs[0]
    if len(port.shape) != 3 or port.shape[1] is None or port.shape[1] < 5:  # noqa: PLR2004
        return None
    classes = port.shape[1] - 4
    if signature.names is not None and len(signature.names) < classes:
        classes = len(signature.names)  # further rows are mask coefficients or key points

    def decode(outputs: Outputs, index: int, least: float) -> Candidates:
        return _decode(outputs[0][index], classes, least)

    return DetectorFamily(
        name="yolov8",
        layout=f"(centre, size, {classes} classes) x {port.shape[2]} boxes",
        preprocessing=Preprocessing(),
        outputs=(port.name,),
        classes=classes,
        decode=decode,
        iou=0.7,
    )


def _decode(columns: np.ndarray, classes: int, least: float) -> Candidates:
    probabilities = columns[4 : 4 + classes]
    likely = np.flatnonzero(probabilities.max(axis=0) > least)
    found = columns[: 4 + classes, likely].astype(np.float32, copy=False)
    ids = found[4:].argmax(axis=0)
    scores = found[4:][ids, np.arange(len(ids))]
    return Candidates(corners(np.ascontiguousarray(found[:4].T)), scores, ids.astype(np.int32))
