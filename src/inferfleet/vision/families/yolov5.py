"""YOLOv5, and v3 and v7 exports of the same layout: [batch, predictions, 5 + classes], boxes decoded.

A prediction is centre x, centre y, width, height in input pixels, objectness, and a probability a class; its score is
objectness times the best class (YOLOv5's `non_max_suppression`).
"""

from __future__ import annotations

import numpy as np

from inferfleet.vision.families.base import Candidates, DetectorFamily, Outputs, Preprocessing, corners
from inferfleet.vision.signature import Signature

ANCHORS = 3


def recognise(signature: Signature) -> DetectorFamily | None:
    """Recognises one output with more rows than columns; which rows these are is for the caller to tell."""
    port = signature.outputs[0]
    if len(port.shape) != 3 or port.shape[2] is None or port.shape[2] < 6:  # noqa: PLR2004
        return None
    classes = port.shape[2] - 5
    if signature.names is not None and len(signature.names) < classes:
        classes = len(signature.names)  # a segmentation model's further columns are mask coefficients

    def decode(outputs: Outputs, index: int, least: float) -> Candidates:
        return decode_objectness(outputs[0][index], classes, least)

    return DetectorFamily(
        name="yolov5",
        layout=f"{port.shape[1]} boxes x (centre, size, objectness, {classes} classes)",
        preprocessing=Preprocessing(),
        outputs=(port.name,),
        classes=classes,
        decode=decode,
        iou=0.45,
    )


def decode_objectness(rows: np.ndarray, classes: int, least: float) -> Candidates:
    """Reads rows of centre, size, objectness and classes whose boxes are in input pixels already.

    Args:
        rows: [n, 5 + classes or more].
        classes: How many columns after the fifth are classes.
        least: Rows that score this or less are left out.
    """
    likely = np.flatnonzero(rows[:, 4] > least)
    rows = rows[likely].astype(np.float32, copy=False)
    probabilities = rows[:, 5 : 5 + classes]
    ids = probabilities.argmax(axis=1)
    scores = probabilities[np.arange(len(ids)), ids] * rows[:, 4]
    keep = scores > least
    return Candidates(corners(rows[keep, :4]), scores[keep], ids[keep].astype(np.int32))
