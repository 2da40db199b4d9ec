"""Non-maximum suppression: of boxes of one class that overlap too much, only the best stays."""

from __future__ import annotations

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
    boxes = candidates.boxes[order].astype(np.float64)
    if len(order) > 1:
        # Shifting each class to a place of its own keeps classes apart in one pass over all boxes.
        low = boxes.min(initial=0.0)
        boxes += (candidates.class_ids[order] * (boxes.max() - low + 1.0))[:, np.newaxis]
    areas = (boxes[:, 2] - boxes[:, 0]) * (boxes[:, 3] - boxes[:, 1])
    alive = np.arange(len(order))
    kept: list[int] = []
    while len(alive) and len(kept) < most:
        best, alive = alive[0], alive[1:]
        kept.append(best)
        near = np.minimum(boxes[alive, 2:], boxes[best, 2:]) - np.maximum(boxes[alive, :2], boxes[best, :2])
        near.clip(0.0, None, out=near)
        shared = near[:, 0] * near[:, 1]
        alive = alive[shared <= iou * (areas[alive] + areas[best] - shared)]
    return order[kept]
