"""YOLOv10, v26, and any Ultralytics export with `nms=True`: [batch, rows, 6], nothing left to suppress.

A row is x1, y1, x2, y2 in input pixels, score, class; rows that are not needed are zero.
"""

from __future__ import annotations

import numpy as np

from inferfleet.vision.families.base import Candidates, DetectorFamily, Outputs, Preprocessing
from inferfleet.vision.signature import Signature


def recognise(signature: Signature) -> DetectorFamily | None:
    """Recognises one output of six columns, or more where masks or key points follow."""
    port = signature.outputs[0]
    if len(port.shape) != 3 or port.shape[2] is None or port.shape[2] < 6:  # noqa: PLR2004
        return None

    return DetectorFamily(
        name="yolov10",
        layout=f"{port.shape[1]} rows x (corners, score, class), duplicates removed by the model",
        preprocessing=Preprocessing(),
        outputs=(port.name,),
        classes=None,
        decode=_decode,
    )


def _decode(outputs: Outputs, index: int, least: float) -> Candidates:
    rows = outputs[0][index]
    found = rows[rows[:, 4] > least].astype(np.float32, copy=False)
    return Candidates(found[:, :4], found[:, 4], found[:, 5].astype(np.int32))
