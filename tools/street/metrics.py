"""Average precision of detections against truth, with objects that are to be neither found nor counted against."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class Found:
    """Detections of one picture: boxes [n, 4] as corners, scores [n], class numbers [n]."""

    boxes: np.ndarray
    scores: np.ndarray
    classes: np.ndarray


@dataclass(frozen=True)
class Truth:
    """Objects of one picture: boxes [n, 4] as corners, class numbers [n], and which do not count [n]."""

    boxes: np.ndarray
    classes: np.ndarray
    ignored: np.ndarray


def overlap(one: np.ndarray, other: np.ndarray) -> np.ndarray:
    """Intersection over union of each of `one` [n, 4] with each of `other` [m, 4]: [n, m]."""
    low = np.maximum(one[:, None, :2], other[None, :, :2])
    high = np.minimum(one[:, None, 2:], other[None, :, 2:])
    shared = np.prod(np.clip(high - low, 0.0, None), axis=2)
    areas = [np.prod(boxes[:, 2:] - boxes[:, :2], axis=1) for boxes in (one, other)]
    return shared / np.maximum(areas[0][:, None] + areas[1][None] - shared, 1e-9)


def suppress(found: Found, threshold: float) -> Found:
    """Drops detections that overlap a better one of their class by more than `threshold`, best first."""
    kept: list[int] = []
    for label in np.unique(found.classes):
        waiting = np.flatnonzero(found.classes == label)
        waiting = waiting[np.argsort(-found.scores[waiting], kind="stable")]
        while len(waiting):
            best, waiting = waiting[0], waiting[1:]
            kept.append(int(best))
            waiting = waiting[overlap(found.boxes[[best]], found.boxes[waiting])[0] <= threshold]
    order = np.array(kept, int)
    order = order[np.argsort(-found.scores[order], kind="stable")]
    return Found(found.boxes[order], found.scores[order], found.classes[order])


def average_precision(
    found: Sequence[Found], truth: Sequence[Truth], label: int, *, least: float = 0.5
) -> tuple[float, int]:
    """Average precision of one class over all pictures, by the area under the whole precision envelope.

    Each detection, best first, takes the free object that it overlaps most, by `least` or more. One that only overlaps
    an ignored object is left out of the count.

    Args:
        found: Detections, a picture each.
        truth: Objects, a picture each.
        label: The class.
        least: Intersection over union from which a detection counts as right.

    Returns:
        The average precision, NaN without objects, and the number of objects.
    """
    pairs: list[tuple[float, bool]] = []
    total = 0
    for detections, objects in zip(found, truth, strict=True):
        mine, real = detections.classes == label, objects.classes == label
        total += int((real & ~objects.ignored).sum())
        pairs += _judge(
            detections.boxes[mine], detections.scores[mine], objects.boxes[real], objects.ignored[real], least
        )
    if total == 0:
        return float("nan"), 0
    if not pairs:
        return 0.0, total
    pairs.sort(key=lambda pair: -pair[0])
    right = np.cumsum([hit for _, hit in pairs])
    recall, precision = right / total, right / np.arange(1, len(pairs) + 1)
    envelope = np.maximum.accumulate(precision[::-1])[::-1]
    return float(np.sum(np.diff(np.concatenate([[0.0], recall])) * envelope)), total


def _judge(
    boxes: np.ndarray, scores: np.ndarray, real: np.ndarray, ignored: np.ndarray, least: float
) -> list[tuple[float, bool]]:
    """Score and rightness of the detections of one class in one picture that count."""
    matrix = overlap(boxes, real)
    free = ~ignored
    judged = []
    for index in np.argsort(-scores, kind="stable"):
        reach = np.where(free, matrix[index], 0.0)
        if len(reach) and reach.max() >= least:
            free[int(reach.argmax())] = False
            judged.append((float(scores[index]), True))
        elif not (ignored & (matrix[index] >= least)).any():
            judged.append((float(scores[index]), False))
    return judged
