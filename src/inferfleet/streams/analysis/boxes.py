"""Arithmetic of many boxes at once. A box is x1, y1, x2, y2 in pixels."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

F64 = NDArray[np.float64]


def overlaps(first: F64, second: F64) -> F64:
    """Returns the intersection over union of each box of `first` [n, 4] with each of `second` [m, 4], as [n, m]."""
    shared = np.minimum(first[:, np.newaxis, 2:], second[:, 2:])
    shared -= np.maximum(first[:, np.newaxis, :2], second[:, :2])
    np.maximum(shared, 0.0, out=shared)
    common: F64 = shared[..., 0] * shared[..., 1]
    return common / (areas(first)[:, np.newaxis] + areas(second) - common)


def areas(boxes: F64) -> F64:
    """Returns the area of each box [n, 4] as [n]."""
    area: F64 = (boxes[:, 2] - boxes[:, 0]) * (boxes[:, 3] - boxes[:, 1])
    return area


def grown(boxes: F64, by: float | F64) -> F64:
    """Returns the boxes [n, 4] with each side moved outwards by `by` pixels (one for all, or [n]); below 0 inwards.

    A box that would turn inside out becomes its centre.
    """
    centre = (boxes[:, :2] + boxes[:, 2:]) / 2
    half = np.maximum((boxes[:, 2:] - boxes[:, :2]) / 2 + np.reshape(by, (-1, 1)), 0.0)
    return np.concatenate([centre - half, centre + half], axis=1)


def feet(boxes: F64) -> F64:
    """Returns the middle of each lower edge, as [n, 2]."""
    return np.stack([(boxes[:, 0] + boxes[:, 2]) / 2, boxes[:, 3]], axis=1)


def centres(boxes: F64) -> F64:
    """Returns the centre of each box, as [n, 2]."""
    centre: F64 = (boxes[:, :2] + boxes[:, 2:]) / 2
    return centre


def slack(boxes: F64) -> F64:
    """Returns how many pixels [n] a box may tremble at a border before that means something; see `HYSTERESIS`."""
    return HYSTERESIS * np.sqrt(areas(boxes))


HYSTERESIS = 0.1
"""A tenth of an object's size (the square root of its box's area).

Detectors place the edge of a standing object's box anew in every frame, by a few hundredths of its size. Twice that
on either side of a border keeps it still; an object that really moves goes through it in a step or two.
"""
