"""YOLOX: [batch, grid points, 5 + classes], blue first, values 0 to 255, padded on the right and below.

Its exports leave the boxes undecoded unless made with `--decode_in_inference`: then the centre is an offset from the
grid point and the size a logarithm, both in steps of the grid (YOLOX's `decode_outputs`).
"""

from __future__ import annotations

import numpy as np

from inferfleet.vision.families.base import Candidates, DetectorFamily, Outputs, Preprocessing
from inferfleet.vision.families.grids import points, strides_of
from inferfleet.vision.families.yolov5 import decode_objectness
from inferfleet.vision.signature import Signature

_PREPROCESSING = Preprocessing(fit="top-left", padding=114, bgr=True, std=(1.0, 1.0, 1.0))


def recognise(signature: Signature) -> DetectorFamily | None:
    """Recognises one output with a row for each point of the usual grids."""
    port = signature.outputs[0]
    if len(port.shape) != 3 or port.shape[2] is None or port.shape[2] < 6:  # noqa: PLR2004
        return None
    strides = strides_of(signature.size, port.shape[1])
    if strides is None:
        return None
    classes = port.shape[2] - 5
    grid, steps = points(signature.size, strides)

    def decode_raw(outputs: Outputs, index: int, least: float) -> Candidates:
        rows = outputs[0][index]
        likely = np.flatnonzero(rows[:, 4] > least)
        found = rows[likely].astype(np.float32)
        found[:, :2] = (found[:, :2] + grid[likely]) * steps[likely]
        found[:, 2:4] = np.exp(found[:, 2:4]) * steps[likely]
        return decode_objectness(found, classes, least)

    def decode(outputs: Outputs, index: int, least: float) -> Candidates:
        return decode_objectness(outputs[0][index], classes, least)

    kind = "decoded" if signature.decodes_boxes else "raw"
    return DetectorFamily(
        name="yolox",
        layout=f"{port.shape[1]} grid points x (centre, size, objectness, {classes} classes), {kind}",
        preprocessing=_PREPROCESSING,
        outputs=(port.name,),
        classes=classes,
        decode=decode if signature.decodes_boxes else decode_raw,
        iou=0.45,
    )
