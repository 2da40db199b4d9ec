"""Which boxes are in which zone: all zones at once, with polygons prepared once for each picture size."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import shapely
from numpy.typing import NDArray

from inferfleet.config.cameras import Zone
from inferfleet.config.geometry import to_pixels
from inferfleet.streams.analysis.boxes import F64, areas, centres, feet, grown, slack
from inferfleet.streams.analysis.coverage import Coverage
from inferfleet.streams.analysis.objects import Bools, Ints

OVERLAP_SLACK = 0.8
"""An object that is in a zone by overlap stays in while its overlap is at least this part of the least one."""

Shapes = NDArray[Any]


class Regions:
    """The zones of a camera in pixels of a picture size. The border of a zone belongs to it."""

    def __init__(self, zones: Mapping[str, Zone], size: tuple[int, int]) -> None:
        """Prepares the zones.

        Args:
            zones: The zones by name.
            size: Width and height of the picture in pixels.
        """
        self._zones = zones
        self._shapes: Shapes = np.empty(len(zones), object)
        self._shapes[:] = [area_of(to_pixels(zone.polygon, *size)) for zone in zones.values()]
        shapely.prepare(self._shapes)
        kinds = sorted({zone.match for zone in zones.values()})
        self._groups = [_Group(kind, zones, self._shapes) for kind in kinds]

    def locate(self, boxes: F64, labels: Sequence[str], inside: Bools) -> Bools:
        """Tells which objects are in which zone.

        Args:
            boxes: float64 [n, 4], x1 y1 x2 y2 in pixels.
            labels: The class of each.
            inside: [zones, n], which were in it before; those leave only when they are clearly out.

        Returns:
            [zones, n], zones in the order of the configuration.
        """
        held = np.zeros_like(inside)
        for group in self._groups:
            held[group.places] = group.holds(boxes, inside[group.places])
        for place, zone in enumerate(self._zones.values()):
            if zone.classes is not None:
                held[place] &= [label in zone.classes for label in labels]
        return held

    def outside(self, size: tuple[int, int]) -> list[str]:
        """The zones of which no part is in a picture of `size` (width, height)."""
        touched = shapely.intersects(self._shapes, shapely.box(0, 0, *size))
        return [name for name, touches in zip(self._zones, touched, strict=True) if not touches]


class _Group:
    """The zones of one kind of match.

    Attributes:
        places: Their places among all zones.
    """

    def __init__(self, match: str, zones: Mapping[str, Zone], shapes: Shapes) -> None:
        self._match = match
        self.places: Ints = np.array([n for n, zone in enumerate(zones.values()) if zone.match == match], np.int64)
        self._shapes = shapes[self.places]
        self._least = np.array([[zone.min_overlap] for zone in zones.values() if zone.match == match])
        self._coverage = Coverage(self._shapes) if match == "overlap" else None

    def holds(self, boxes: F64, inside: Bools) -> Bools:
        """Tells which boxes [n, 4] are in which of the zones, [zones, n]; `inside`: which were."""
        if self._coverage is not None:
            share = self._coverage.areas(boxes) / areas(boxes)
            # A box that only touches the zone shares nothing with it, whatever the least overlap is.
            return (share > 0) & (share >= np.where(inside, OVERLAP_SLACK * self._least, self._least))
        held = self._plainly(self._shapes[:, np.newaxis], boxes)
        zones, doubtful = np.nonzero(inside & ~held)
        if zones.size:
            held[zones, doubtful] = self._barely(self._shapes[zones], boxes[doubtful])
        return held

    def _plainly(self, shapes: Shapes, boxes: F64) -> Bools:
        """Whether boxes are in shapes, however numpy pairs the two."""
        match self._match:
            case "any":
                return np.asarray(shapely.intersects(shapes, shapely.box(*boxes.T)), np.bool_)
            case "all":
                return np.asarray(shapely.covers(shapes, shapely.box(*boxes.T)), np.bool_)
        return np.asarray(shapely.intersects_xy(shapes, *self._anchors(boxes).T), np.bool_)

    def _barely(self, shapes: Shapes, boxes: F64) -> Bools:
        """Whether boxes [k, 4] are in shapes [k], each in its own, when borders are taken with some slack."""
        match self._match:
            case "any":
                return self._plainly(shapes, grown(boxes, slack(boxes)))
            case "all":
                return self._plainly(shapes, grown(boxes, -slack(boxes)))
        away = shapely.distance(shapes, shapely.points(self._anchors(boxes)))
        return np.asarray(away <= slack(boxes), np.bool_)

    def _anchors(self, boxes: F64) -> F64:
        return feet(boxes) if self._match == "foot" else centres(boxes)


def area_of(points: list[tuple[float, float]]) -> shapely.Geometry:
    """Returns a polygon's area; one that crosses itself becomes the areas that it encloses."""
    shape = shapely.Polygon(points)
    if shape.is_valid:
        return shape
    parts = shapely.get_parts(shapely.make_valid(shape))
    return shapely.union_all([part for part in parts if part.area > 0])
