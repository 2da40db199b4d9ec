"""What every drawn thing shares: where it stands, how its own axes map to the world, and what it looks like."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np

from inferfleet.demo.brush import Brush
from inferfleet.demo.camera import Array
from inferfleet.demo.light import Colour

ClassName = Literal["car", "truck", "bus", "bicycle", "person"]

CLASSES: tuple[ClassName, ...] = ("car", "truck", "bus", "bicycle", "person")
"""The classes that scenes hold, in the order in which the shipped model numbers them."""

Point = tuple[float, float, float]


@dataclass(frozen=True)
class Look:
    """All that tells one object from another of its class.

    Attributes:
        kind: Its class.
        variant: Which body, load or clothing, from 0; each class takes it modulo what it has.
        paint: Main colour.
        accent: Second colour.
        size: Factor on its usual size.
        plate: Text of its licence plate; None for those without.
    """

    kind: ClassName
    variant: int
    paint: Colour
    accent: Colour
    size: float = 1.0
    plate: str | None = None


@dataclass(frozen=True)
class Pose:
    """Where an object stands and how far it has come.

    Attributes:
        x: World metres to the right of the camera.
        y: World metres ahead of the camera.
        heading: Direction of travel in radians, anticlockwise from +x.
        travelled: Metres moved so far; turns wheels and swings legs.
    """

    x: float
    y: float
    heading: float
    travelled: float = 0.0


class Body:
    """Draws in an object's own axes: x forward, y to its left, z up, metres, origin on the ground below its middle."""

    def __init__(self, brush: Brush, pose: Pose, size: float = 1.0) -> None:
        sin, cos = np.sin(pose.heading), np.cos(pose.heading)
        self.brush = brush
        self._turn = np.array([[cos, -sin, 0.0], [sin, cos, 0.0], [0.0, 0.0, 1.0]])
        self._origin = np.array([pose.x, pose.y, 0.0])
        self._size = size
        eye = (np.array([0.0, 0.0, brush.camera.mount]) - self._origin) @ self._turn / size
        self._eye: Point = (float(eye[0]), float(eye[1]), float(eye[2]))

    def world(self, points: Sequence[Point] | Array) -> Array:
        """Own points [N, 3] as world points [N, 3]."""
        own: Array = np.asarray(points, np.float64) * self._size
        return np.asarray(own @ self._turn.T + self._origin)

    def face(self, points: Sequence[Point], outward: Point, colour: Colour, *, shines: bool = False) -> Array | None:
        """Fills a flat polygon whose front looks along `outward`; see `Brush.face`."""
        # Plain numbers: most faces are turned away, and finding that out with arrays would take half of a frame's time.
        (x0, y0, z0), (x1, y1, z1), (x2, y2, z2) = points[:3]
        ax, ay, az, bx, by, bz = x1 - x0, y1 - y0, z1 - z0, x2 - x1, y2 - y1, z2 - z1
        nx, ny, nz = ay * bz - az * by, az * bx - ax * bz, ax * by - ay * bx
        anticlockwise = nx * outward[0] + ny * outward[1] + nz * outward[2] >= 0.0
        ex, ey, ez = self._eye
        turned = nx * (ex - x0) + ny * (ey - y0) + nz * (ez - z0)
        if (turned if anticlockwise else -turned) <= 0.0:
            return None
        corners = self.world(points)
        return self.brush.face(corners if anticlockwise else corners[::-1], colour, shines=shines)

    def box(self, x: tuple[float, float], y: tuple[float, float], z: tuple[float, float], colour: Colour) -> None:
        """Fills the visible faces of an upright box."""
        profile = [(x[0], z[0]), (x[1], z[0]), (x[1], z[1]), (x[0], z[1])]
        middle, half = (y[0] + y[1]) / 2, (y[1] - y[0]) / 2
        self.prism(profile, half, half, colour, middle=middle)

    def prism(
        self, profile: Sequence[tuple[float, float]], low: float, high: float, colour: Colour, *, middle: float = 0.0
    ) -> None:
        """Fills the visible faces of a convex side profile pulled across the width.

        Args:
            profile: Points (x, z) around the side view.
            low: Half the width at the profile's lowest point.
            high: Half the width at its highest.
            colour: Colour of all its faces.
            middle: Where its middle lies, to the left of the object's.
        """
        zs = [z for _, z in profile]
        bottom, top = min(zs), max(zs)
        centre = (sum(x for x, _ in profile) / len(profile), sum(zs) / len(zs))

        def half(z: float) -> float:
            return low + (high - low) * (z - bottom) / max(top - bottom, 1e-6)

        count = len(profile)
        for index in range(count):
            (x0, z0), (x1, z1) = profile[index], profile[(index + 1) % count]
            out = ((x0 + x1) / 2 - centre[0], 0.0, (z0 + z1) / 2 - centre[1])
            strip = [
                (x0, middle + half(z0), z0),
                (x1, middle + half(z1), z1),
                (x1, middle - half(z1), z1),
                (x0, middle - half(z0), z0),
            ]
            self.face(strip, out, colour)
        for side in (1.0, -1.0):
            self.face([(x, middle + side * half(z), z) for x, z in profile], (0.0, side, 0.0), colour)

    def limb(self, start: Point, end: Point, start_radius: float, end_radius: float, colour: Colour) -> None:
        """Fills a round limb between two own points, radii in metres; see `Brush.limb`."""
        ends = self.world([start, end])
        self.brush.limb(ends[0], ends[1], (start_radius * self._size, end_radius * self._size), colour)

    def blob(self, centres: Sequence[Point], radii: Sequence[float], colour: Colour, facing: float = 0.5) -> None:
        """Fills the hull of balls at own points; see `Brush.blob`."""
        self.brush.blob(self.world(centres), np.asarray(radii) * self._size, colour, facing)

    def path(self, points: Sequence[Point] | Array, width: float, colour: Colour, *, closed: bool = False) -> None:
        """Strokes a line through own points; see `Brush.path`."""
        self.brush.path(self.world(points), width * self._size, colour, closed=closed)


def mix(one: Colour, other: Colour, share: float) -> Colour:
    """A colour between two: `share` of the other."""
    return (
        one[0] + (other[0] - one[0]) * share,
        one[1] + (other[1] - one[1]) * share,
        one[2] + (other[2] - one[2]) * share,
    )
