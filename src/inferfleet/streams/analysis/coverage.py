"""How much of each box lies in each polygon, in one pass over all edges.

Clipping box by box, as a geometry library does, costs ten times as much for the few boxes of a frame.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import shapely
from numpy.typing import NDArray

from inferfleet.streams.analysis.boxes import F64

_LEVEL = 1e-6
"""Edges that rise less than this many pixels within a box count as level there."""


class Coverage:
    """The edges of polygons."""

    def __init__(self, shapes: NDArray[Any]) -> None:
        """Takes the polygons apart.

        Args:
            shapes: [z], valid shapely polygons or multipolygons, in pixels.
        """
        edges = [_edges(shape) for shape in shapes]
        self._first = np.cumsum([0] + [len(some) for some in edges[:-1]])
        start, end = np.concatenate(edges)[:, :, np.newaxis].transpose(1, 0, 2, 3)
        self._x1, self._y1, self._x2, self._y2 = start[..., 0], start[..., 1], end[..., 0], end[..., 1]
        run = self._x2 - self._x1
        self._slope = np.divide(self._y2 - self._y1, run, out=np.zeros_like(run), where=run != 0)

    def areas(self, boxes: F64) -> F64:
        """Returns the area that each box shares with each polygon, in square pixels.

        The shared area is the integral along the polygon's edges, from the box's left to its right, of their height
        held within the box's top and bottom: above an edge that runs one way counts what its opposite takes off.

        Args:
            boxes: float64 [n, 4], x1 y1 x2 y2 in pixels.

        Returns:
            float64 [z, n].
        """
        left, top, right, bottom = boxes.T
        from_x, to_x = np.clip(self._x1, left, right), np.clip(self._x2, left, right)
        from_y = self._y1 + (from_x - self._x1) * self._slope
        to_y = self._y1 + (to_x - self._x1) * self._slope
        held_from, held_to = np.clip(from_y, top, bottom), np.clip(to_y, top, bottom)
        # The antiderivative of a height h held at c is c * (h - c / 2): its rise over the edge's is the mean height.
        rise = to_y - from_y
        total = held_to * (to_y - held_to / 2) - held_from * (from_y - held_from / 2)
        height = np.divide(total, rise, out=held_from, where=np.abs(rise) > _LEVEL)
        shared: F64 = np.abs(np.add.reduceat(height * (to_x - from_x), self._first, axis=0))
        return shared


def _edges(shape: shapely.Geometry) -> F64:
    """The edges [e, 2, 2] of a shape, its holes running against its outlines."""
    rings = [shapely.get_coordinates(ring) for ring in shapely.get_rings(shapely.get_parts(shapely.normalize(shape)))]
    return np.concatenate([np.stack([ring[:-1], ring[1:]], axis=1) for ring in rings])
