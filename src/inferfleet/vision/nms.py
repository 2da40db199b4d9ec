"""Non-maximum suppression: of boxes of one class that overlap too much, only the best stays."""

from __future__ import annotations

from typing import Any, cast

import cv2
import numpy as np
from numpy.typing import NDArray

from inferfleet.vision.families.base import Candidates

_MOST_CANDIDATES = 30_000
"""Only so many of the best candidates are compared; Ultralytics' `max_nms`."""


def suppress(candidates: Candidates, iou: float, most: int) -> NDArray[np.intp]:
    """Chooses which candidates stay, best score first; of equal scores the earlier candidate comes first.

    Boxes of different classes never suppress each other.

    Args:
        candidates: What the model found.
        iou: A box goes when its intersection over union with a better one of its class is above this.
        most: The most boxes to keep.

    Returns:
        Indices into the candidates.
    """
    order = np.argsort(-candidates.scores, kind="stable")[:_MOST_CANDIDATES]
    corners = candidates.boxes[order].astype(np.float64)
    if not len(corners):
        return order
    low, high = corners.min(), corners.max()
    # Shifting each class to a place of its own keeps classes apart in one pass over all boxes.
    places = corners[:, :2] + (candidates.class_ids[order] * (high - low + 1.0))[:, np.newaxis]
    boxes = np.concatenate([places, corners[:, 2:] - corners[:, :2]], axis=1)
    ranks: Any = np.arange(len(order), 0, -1, dtype=np.float32)  # as scores: the order is known
    kept = cv2.dnn.NMSBoxes(cast(Any, boxes), ranks, 0.0, iou)
    return order[np.asarray(kept, np.intp)[:most]]
