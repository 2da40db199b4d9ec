"""Polygons, lines and sizes as users draw them: in pixels, or in fractions of the picture."""

from __future__ import annotations

from typing import Annotated

from pydantic import AfterValidator, Field, model_validator

from inferfleet.config.base import Model

Point = tuple[float, float]


def _in_picture(points: tuple[Point, ...]) -> tuple[Point, ...]:
    for x, y in points:
        if x < 0 or y < 0:
            raise ValueError(f"the point [{x:g}, {y:g}] is outside the picture; coordinates begin at 0")
    return points


def _polygon(points: tuple[Point, ...]) -> tuple[Point, ...]:
    if len(points) < 3:  # noqa: PLR2004 - a triangle is the smallest polygon
        raise ValueError(f"a polygon needs at least 3 points, this one has {len(points)}")
    area = sum(x1 * y2 - x2 * y1 for (x1, y1), (x2, y2) in zip(points, points[1:] + points[:1], strict=True))
    if area == 0:
        raise ValueError("the points lie on one line, so the polygon has no area")
    return points


def _segment(points: tuple[Point, ...]) -> tuple[Point, ...]:
    if len(points) != 2:  # noqa: PLR2004 - a segment has two ends
        raise ValueError(f"a line has exactly 2 points, this one has {len(points)}")
    if points[0] == points[1]:
        raise ValueError("the two points are the same")
    return points


Polygon = Annotated[tuple[Point, ...], AfterValidator(_polygon), AfterValidator(_in_picture)]
Segment = Annotated[tuple[Point, ...], AfterValidator(_segment), AfterValidator(_in_picture)]


def are_fractions(points: tuple[Point, ...]) -> bool:
    """Whether the points are fractions of the picture: every coordinate is between 0 and 1."""
    return all(0 <= value <= 1 for point in points for value in point)


def to_pixels(points: tuple[Point, ...], width: int, height: int) -> list[Point]:
    """Returns the points in pixels of a `width` by `height` picture, scaled if they are fractions."""
    if are_fractions(points):
        return [(x * width, y * height) for x, y in points]
    return list(points)


class MinBox(Model):
    """The smallest box that counts; each side in pixels, or as a fraction of the picture when it is at most 1."""

    width: Annotated[float, Field(ge=0)] = 0
    """Least width."""
    height: Annotated[float, Field(ge=0)] = 0
    """Least height."""

    @model_validator(mode="before")
    @classmethod
    def _from_pair(cls, value: object) -> object:
        return {"width": value[0], "height": value[1]} if isinstance(value, list) and len(value) == 2 else value  # noqa: PLR2004

    def pixels(self, width: int, height: int) -> tuple[float, float]:
        """Returns the least width and height in pixels of a `width` by `height` picture."""
        return (
            self.width * width if self.width <= 1 else self.width,
            self.height * height if self.height <= 1 else self.height,
        )
