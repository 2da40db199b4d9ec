"""The pinhole camera of a drawn scene: world metres to picture pixels, and back to the ground.

World axes: x to the right of the camera, y ahead of it along the ground, z up; the camera stands above (0, 0).
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[np.float64]

NEAR = 0.5
"""Metres in front of the lens at which geometry is cut off."""


@dataclass(frozen=True)
class Camera:
    """A fixed camera looking along +y, tilted down.

    Attributes:
        width: Picture width in pixels.
        height: Picture height in pixels.
        mount: Height of the lens above the ground, in metres.
        tilt: Angle below the horizon, in degrees.
        focal: Focal length as a multiple of the picture width (1.0 is a field of view of 53 degrees).
    """

    width: int = 1280
    height: int = 720
    mount: float = 6.0
    tilt: float = 18.0
    focal: float = 0.9

    @property
    def focal_px(self) -> float:
        """Focal length in pixels."""
        return self.focal * self.width

    @cached_property
    def _rotation(self) -> Array:
        """Rows: the camera's right, up and forward axes in the world."""
        angle = np.radians(self.tilt)
        sin, cos = np.sin(angle), np.cos(angle)
        return np.array([[1.0, 0.0, 0.0], [0.0, sin, cos], [0.0, cos, -sin]])

    def to_view(self, points: Array) -> Array:
        """World points [N, 3] to camera space [N, 3]: right, up, depth, in metres."""
        return np.asarray((points - np.array([0.0, 0.0, self.mount])) @ self._rotation.T)

    def to_pixels(self, view: Array) -> Array:
        """Camera-space points [N, 3] with positive depth to pixels [N, 2]."""
        scale = self.focal_px / view[:, 2]
        return np.stack([self.width / 2 + view[:, 0] * scale, self.height / 2 - view[:, 1] * scale], axis=1)

    def ground(self) -> tuple[Array, Array, Array]:
        """The point of the ground seen by each pixel.

        Returns:
            x and y in metres and the depth along the optical axis, each [height, width]; infinite above the horizon.
        """
        right = (np.arange(self.width) + 0.5 - self.width / 2) / self.focal_px
        up = (self.height / 2 - np.arange(self.height) - 0.5) / self.focal_px
        angle = np.radians(self.tilt)
        falling = np.sin(angle) - up * np.cos(angle)
        depth = np.where(falling > 1e-4, self.mount / np.maximum(falling, 1e-4), np.inf)
        ahead = depth * (np.cos(angle) + up * np.sin(angle))
        shape = (self.height, self.width)
        x = np.where(np.isfinite(depth)[:, None], np.nan_to_num(depth, posinf=0.0)[:, None] * right[None, :], np.inf)
        return x, np.broadcast_to(ahead[:, None], shape), np.broadcast_to(depth[:, None], shape)


def clip_near(view: Array) -> Array:
    """The part of a polygon (camera space [N, 3]) beyond the near plane; may be empty."""
    depth = view[:, 2]
    if depth.min() >= NEAR:
        return view
    kept: list[Array] = []
    for index in range(len(view)):
        here, following = view[index], view[(index + 1) % len(view)]
        if here[2] >= NEAR:
            kept.append(here)
        if (here[2] >= NEAR) != (following[2] >= NEAR):
            share = (NEAR - here[2]) / (following[2] - here[2])
            kept.append(here + share * (following - here))
    return np.array(kept).reshape(-1, 3)
