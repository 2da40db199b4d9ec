"""The grids of points that anchor-free detectors predict on."""

from __future__ import annotations

import numpy as np

from inferfleet.vision.types import F32

STRIDES = ((8, 16, 32), (8, 16, 32, 64))
"""The usual strides, and those of the larger "P6" models."""


def cells(size: tuple[int, int], strides: tuple[int, ...]) -> int:
    """Counts the points of all grids over an input of `size` (width, height)."""
    return sum((size[0] // stride) * (size[1] // stride) for stride in strides)


def strides_of(size: tuple[int, int], rows: int | None, anchors: int = 1) -> tuple[int, ...] | None:
    """Finds the strides whose grids have `rows` predictions with `anchors` at each point; None where none fits."""
    return next((strides for strides in STRIDES if cells(size, strides) * anchors == rows), None)


def points(size: tuple[int, int], strides: tuple[int, ...]) -> tuple[F32, F32]:
    """Lists the points of all grids, finest first, row by row.

    Returns:
        x and y of each point in steps of its grid ([n, 2]), and the step in pixels ([n, 1]).
    """
    places, steps = [], []
    for stride in strides:
        wide, high = size[0] // stride, size[1] // stride
        x, y = np.meshgrid(np.arange(wide), np.arange(high))
        places.append(np.stack((x.ravel(), y.ravel()), axis=1))
        steps.append(np.full((wide * high, 1), stride))
    return np.concatenate(places).astype(np.float32), np.concatenate(steps).astype(np.float32)
