"""Which boxes are in which zone. The polygons are prepared once for each picture size."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import shapely

from inferfleet.config.cameras import Zone
from inferfleet.config.geometry import to_pixels
from inferfleet.streams.analysis.boxes import F64, areas, centres, feet, grown, slack
from inferfleet.streams.analysis.objects import Bools

OVERLAP_SLACK = 0.8
"""An object that is in a zone by overlap stays in while its overlap is at least this part of the least one."""


class Region:
    """One zone in pixels of a picture size. Its border belongs to it."""

    def __init__(self, zone: Zone, size: tuple[int, int]) -> None:
        self._match = zone.match
        self._least = zone.min_overlap
        self._shape = _area(to_pixels(zone.polygon, *size))
        shapely.prepare(self._shape)

    def holds(self, boxes: F64, inside: Bools) -> Bools:
        """Tells which boxes [n, 4] are in the zone.

        Args:
            boxes: x1, y1, x2, y2 in pixels.
            inside: [n], which of them were in it before; those leave only when they are clearly out.
        """
        held = self._plainly(boxes, self._least)
        doubtful = np.flatnonzero(inside & ~held)
        if doubtful.size:
            held[doubtful] = self._barely(boxes[doubtful])
        return held

    def touches(self, shape: shapely.Geometry) -> bool:
        """Whether the zone and a shape have a point in common."""
        return bool(shapely.intersects(self._shape, shape))

    def _plainly(self, boxes: F64, least: float) -> Bools:
        match self._match:
            case "center":
                return _covers(self._shape, centres(boxes))
            case "foot":
                return _covers(self._shape, feet(boxes))
            case "any":
                return np.asarray(shapely.intersects(self._shape, shapely.box(*boxes.T)), np.bool_)
            case "all":
                return np.asarray(shapely.covers(self._shape, shapely.box(*boxes.T)), np.bool_)
            case "overlap":
                return self._share(boxes) >= least

    def _barely(self, boxes: F64) -> Bools:
        margin = slack(boxes)
        match self._match:
            case "center":
                return _distance(self._shape, centres(boxes)) <= margin
            case "foot":
                return _distance(self._shape, feet(boxes)) <= margin
            case "any":
                return self._plainly(grown(boxes, margin), self._least)
            case "all":
                return self._plainly(grown(boxes, -margin), self._least)
            case "overlap":
                return self._plainly(boxes, self._least * OVERLAP_SLACK)

    def _share(self, boxes: F64) -> F64:
        """The share of each box's area that is inside, [n]."""
        rectangles = shapely.box(*boxes.T)
        share = np.asarray(shapely.covers(self._shape, rectangles), np.float64)
        partly = np.flatnonzero((share == 0) & shapely.intersects(self._shape, rectangles))
        if partly.size:
            common = shapely.area(shapely.intersection(self._shape, rectangles[partly]))
            share[partly] = common / areas(boxes[partly])
        # A box that only touches the zone shares nothing with it, whatever the least overlap is.
        share[share == 0] = -1.0
        return share


class Regions:
    """All zones of a camera in pixels of a picture size."""

    def __init__(self, zones: Mapping[str, Zone], size: tuple[int, int]) -> None:
        self._zones = zones
        self._regions = {name: Region(zone, size) for name, zone in zones.items()}

    def locate(self, boxes: F64, labels: list[str], inside: Mapping[str, list[bool]]) -> dict[str, list[bool]]:
        """Tells for each zone which objects are in it.

        Args:
            boxes: float64 [n, 4], x1 y1 x2 y2 in pixels.
            labels: The class of each.
            inside: For each zone, which of them were in it before.
        """
        located: dict[str, list[bool]] = {}
        for name, region in self._regions.items():
            held: list[bool] = region.holds(boxes, np.array(inside[name], np.bool_)).tolist()
            classes = self._zones[name].classes
            if classes is not None:
                held = [is_in and label in classes for is_in, label in zip(held, labels, strict=True)]
            located[name] = held
        return located

    def outside(self, size: tuple[int, int]) -> list[str]:
        """The zones of which no part is in a picture of `size` (width, height)."""
        picture = shapely.box(0, 0, *size)
        return [name for name, region in self._regions.items() if not region.touches(picture)]


def _area(points: list[tuple[float, float]]) -> shapely.Geometry:
    """The polygon's area; one that crosses itself becomes the areas that it encloses."""
    shape = shapely.Polygon(points)
    if shape.is_valid:
        return shape
    parts = shapely.get_parts(shapely.make_valid(shape))
    return shapely.union_all([part for part in parts if part.area > 0])


def _covers(shape: shapely.Geometry, points: F64) -> Bools:
    return np.asarray(shapely.intersects_xy(shape, points[:, 0], points[:, 1]), np.bool_)


def _distance(shape: shapely.Geometry, points: F64) -> F64:
    return np.asarray(shapely.distance(shape, shapely.points(points)), np.float64)
