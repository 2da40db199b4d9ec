"""Where things are on the ground of a scene: roads, pavements, crossings and parking bays."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np

from inferfleet.demo.camera import Array

Place = Literal["street", "carpark", "plaza"]

LANE = 1.85
"""Metres from the middle of the road to the middle of a lane."""

CYCLE = 3.8
"""Metres from the middle of the road to where bicycles ride."""


@dataclass(frozen=True)
class Layout:
    """The ground plan around one straight road (or aisle, or open square).

    Attributes:
        place: What kind of place it is.
        angle: Direction of the road in degrees: 0 runs left to right, 90 away from the camera.
        offset: Metres from the camera's foot to the middle of the road, to the left of its direction.
        half: Half the road's width in metres.
        pavement: Width of the pavement on each side in metres.
        crossing: Where a zebra crossing lies, in metres along the road; None without one.
    """

    place: Place = "street"
    angle: float = 0.0
    offset: float = 16.0
    half: float = 4.3
    pavement: float = 3.2
    crossing: float | None = None

    @property
    def heading(self) -> float:
        """Direction of the road in radians."""
        return float(np.radians(self.angle))

    def local(self, x: Array, y: Array) -> tuple[Array, Array]:
        """World coordinates to metres along the road and metres to the left of its middle."""
        sin, cos = np.sin(self.heading), np.cos(self.heading)
        return x * cos + y * sin, -x * sin + y * cos - self.offset

    def world(self, along: float, across: float) -> tuple[float, float]:
        """The inverse of `local` for one point."""
        sin, cos = float(np.sin(self.heading)), float(np.cos(self.heading))
        left = across + self.offset
        return along * cos - left * sin, along * sin + left * cos
