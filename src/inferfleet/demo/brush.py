"""Draws polygons, round limbs and glows given in world metres into a picture, and remembers the outline they covered.

The outline is what makes the ground truth exact: an object's box is the box of what was drawn, nothing else.
"""

from __future__ import annotations

from typing import Any

import cv2
import numpy as np
import numpy.typing as npt

from inferfleet.demo.camera import NEAR, Array, Camera, clip_near
from inferfleet.demo.light import Atmosphere, Colour

Picture = npt.NDArray[np.uint8]

SHIFT = 4
"""Fractional bits of the coordinates given to OpenCV: a sixteenth of a pixel."""

LIMIT = 20_000.0
"""Coordinates beyond this many pixels are cut, as OpenCV works in 32-bit integers after the shift."""


class Brush:
    """Draws one object; `outline` holds every picture point it touched."""

    def __init__(self, picture: Picture, camera: Camera, air: Atmosphere) -> None:
        self.camera = camera
        self._picture = picture
        self._air = air
        self._points: list[Array] = []

    @property
    def outline(self) -> Array:
        """Picture points [N, 2] of all that was drawn so far."""
        return np.concatenate(self._points) if self._points else np.empty((0, 2))

    def face(self, corners: Array, colour: Colour, *, shines: bool = False, two_sided: bool = False) -> Array | None:
        """Fills a flat polygon if its front is turned to the camera.

        Args:
            corners: World points [N, 3], anticlockwise seen from the front.
            colour: The face's own colour.
            shines: Whether it gives its own light.
            two_sided: Whether its back is drawn too.

        Returns:
            The corners in pixels [M, 2], or None if nothing was drawn.
        """
        normal = normal_of(corners)
        eye = np.array([0.0, 0.0, self.camera.mount])
        if not two_sided and float(normal @ (eye - corners[0])) <= 0.0:
            return None
        view = clip_near(self.camera.to_view(corners))
        if len(view) < 3:
            return None
        facing = float(normal @ np.array(self._air.light.sun)) / (float(np.linalg.norm(normal)) + 1e-9)
        pixels = self.camera.to_pixels(view)
        facing = abs(facing) if two_sided else facing
        self._fill(pixels, self._air.shade(colour, facing, float(view[:, 2].mean()), shines=shines))
        return pixels

    def limb(self, start: Array, end: Array, radius: tuple[float, float], colour: Colour) -> None:
        """Fills a round, tapering limb between two world points [3] with a radius in metres for each."""
        view = self.camera.to_view(np.stack([start, end]))
        if view[:, 2].min() < NEAR:
            return
        ends = self.camera.to_pixels(view)
        radii = np.array(radius) * self.camera.focal_px / view[:, 2]
        circle = _CIRCLE_SMALL if radii.max() < 4 else _CIRCLE
        rim = np.concatenate([ends[0] + circle * radii[0], ends[1] + circle * radii[1]])
        hull = cv2.convexHull(rim.astype(np.float32)).reshape(-1, 2).astype(np.float64)
        self._fill(hull, self._air.shade(colour, 0.5, float(view[:, 2].mean())))

    def blob(self, centres: Array, radii: Array, colour: Colour, facing: float = 0.5) -> None:
        """Fills the convex hull of balls: world centres [N, 3], radii [N] in metres."""
        view = self.camera.to_view(centres)
        if view[:, 2].min() < NEAR:
            return
        pixel_radii = radii * self.camera.focal_px / view[:, 2]
        rim = (self.camera.to_pixels(view)[:, None, :] + _CIRCLE[None] * pixel_radii[:, None, None]).reshape(-1, 2)
        hull = cv2.convexHull(rim.astype(np.float32)).reshape(-1, 2).astype(np.float64)
        self._fill(hull, self._air.shade(colour, facing, float(view[:, 2].mean())))

    def path(self, points: Array, width: float, colour: Colour, *, closed: bool = False) -> None:
        """Strokes a line through world points [N, 3], `width` metres thick."""
        view = self.camera.to_view(points)
        if view[:, 2].min() < NEAR:
            return
        pixels = self.camera.to_pixels(view)
        depth = float(view[:, 2].mean())
        thickness = max(1, round(width * self.camera.focal_px / depth))
        tone = self._air.shade(colour, 0.4, depth)
        cv2.polylines(self._picture, [_fixed(pixels)], closed, tone, thickness, cv2.LINE_AA, SHIFT)
        self._points += [pixels - thickness / 2, pixels + thickness / 2]

    def texture(self, corners: Array, image: Picture, *, shines: bool = False) -> Array | None:
        """Stretches a picture over a flat quadrilateral.

        Args:
            corners: World points [4, 3]: top left, top right, bottom right, bottom left as read from the front.
            image: The picture [h, w, 3].
            shines: Whether it gives its own light.

        Returns:
            The corners in pixels [4, 2], or None if its back is turned or it is out of the picture.
        """
        normal = normal_of(corners[[0, 3, 2]])
        if float(normal @ (np.array([0.0, 0.0, self.camera.mount]) - corners[0])) <= 0.0:
            return None
        view = self.camera.to_view(corners)
        if view[:, 2].min() < NEAR:
            return None
        pixels = self.camera.to_pixels(view)
        rows, columns = self._picture.shape[:2]
        low = np.maximum(np.floor(pixels.min(axis=0)).astype(int) - 1, 0)
        high = np.minimum(np.ceil(pixels.max(axis=0)).astype(int) + 2, [columns, rows])
        if (high - low).min() <= 0:
            return None
        depth = float(view[:, 2].mean())
        dark = np.array(self._air.shade((0.0, 0.0, 0.0), 0.7, depth, shines=shines))
        lit = np.array(self._air.shade((255.0, 255.0, 255.0), 0.7, depth, shines=shines))
        toned = (image * ((lit - dark) / 255.0) + dark).astype(np.uint8)
        target = self._picture[low[1] : high[1], low[0] : high[0]]
        _stretch(toned, (pixels - low).astype(np.float32), target)
        self._points.append(pixels)
        return pixels

    def glow(self, centre: Array, radius: float, colour: Colour) -> None:
        """Adds a soft light around a world point [3]; it does not count as part of the object's outline."""
        view = self.camera.to_view(centre[None])
        if view[0, 2] < NEAR:
            return
        x, y = self.camera.to_pixels(view)[0]
        reach = int(radius * self.camera.focal_px / view[0, 2])
        if reach < 2 or reach > self._picture.shape[1] // 2:
            return
        add_glow(self._picture, (x, y), reach, colour)

    def _fill(self, pixels: Array, colour: Colour) -> None:
        cv2.fillPoly(self._picture, [_fixed(pixels)], colour, cv2.LINE_AA, SHIFT)
        self._points.append(pixels)


def add_glow(picture: Picture, centre: tuple[float, float], reach: int, colour: Colour) -> None:
    """Adds a round, soft light of `reach` pixels around a picture point, in place."""
    rows, columns = picture.shape[:2]
    left, top = int(centre[0]) - reach, int(centre[1]) - reach
    x0, y0 = max(left, 0), max(top, 0)
    x1, y1 = min(left + 2 * reach, columns), min(top + 2 * reach, rows)
    if x0 >= x1 or y0 >= y1:
        return
    fall = cv2.resize(_GLOW, (2 * reach, 2 * reach), interpolation=cv2.INTER_LINEAR)[
        y0 - top : y1 - top, x0 - left : x1 - left
    ]
    light = (fall[..., None] * np.array(colour, np.float32)).astype(np.uint8)
    region = picture[y0:y1, x0:x1]
    cv2.add(region, light, dst=region)


def darken(picture: Picture, pixels: Array, darkness: float, softness: int = 0) -> None:
    """Darkens a polygon (pixels [N, 2]) in place: a cast shadow."""
    rows, columns = picture.shape[:2]
    low = np.maximum(np.floor(pixels.min(axis=0)).astype(int) - 1 - softness, 0)
    high = np.minimum(np.ceil(pixels.max(axis=0)).astype(int) + 2 + softness, [columns, rows])
    if (high - low).min() <= 0:
        return
    region = picture[low[1] : high[1], low[0] : high[0]]
    covered: Picture = region.copy()
    cv2.fillPoly(covered, [_fixed(pixels - low)], (0, 0, 0), cv2.LINE_AA, SHIFT)
    cv2.addWeighted(region, 1.0 - darkness, covered, darkness, 0.0, dst=region)


def normal_of(corners: Array) -> Array:
    """A vector that stands on a polygon's front.

    Worked out by hand, as `np.cross` would take most of a frame's time for input this small.
    """
    (ax, ay, az), (bx, by, bz) = (corners[1] - corners[0]).tolist(), (corners[2] - corners[1]).tolist()
    return np.array([ay * bz - az * by, az * bx - ax * bz, ax * by - ay * bx])


def _fixed(pixels: Array) -> npt.NDArray[np.int32]:
    """Pixels [N, 2] (centre of the first pixel at 0.5) as OpenCV's fixed-point coordinates."""
    return np.asarray(np.round((np.clip(pixels, -LIMIT, LIMIT) - 0.5) * (1 << SHIFT)), np.int32)


def _stretch(image: Picture, corners: npt.NDArray[np.float32], target: Picture) -> None:
    """Warps a picture onto four corners of the target, blending its rim, in place."""
    tall = max(float(np.linalg.norm(corners[3] - corners[0])), 1.0)
    shrink = image.shape[0] / tall
    if shrink > 2.0:
        size = (max(2, int(image.shape[1] * 2 / shrink)), max(2, int(image.shape[0] * 2 / shrink)))
        image = np.asarray(cv2.resize(image, size, interpolation=cv2.INTER_AREA), np.uint8)
    rows, columns = image.shape[:2]
    source = np.array([[0, 0], [columns, 0], [columns, rows], [0, rows]], np.float32) - 0.5
    matrix: Any = cv2.getPerspectiveTransform(source, corners - 0.5)
    size = (target.shape[1], target.shape[0])
    warped = cv2.warpPerspective(image, matrix, size, flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
    mask = np.zeros(target.shape[:2], np.uint8)
    cv2.fillPoly(mask, [_fixed(corners.astype(np.float64))], 255, cv2.LINE_AA, SHIFT)
    share = mask[..., None].astype(np.float32) / 255.0
    target[:] = (target * (1.0 - share) + warped * share).astype(np.uint8)


def _ring(count: int) -> Array:
    turns = np.linspace(0.0, 2.0 * np.pi, count, endpoint=False)
    return np.stack([np.cos(turns), np.sin(turns)], axis=1)


def _halo(size: int = 64) -> npt.NDArray[np.float32]:
    axis = np.linspace(-1.0, 1.0, size)
    distance = np.hypot(axis[:, None], axis[None, :])
    return (np.clip(1.0 - distance, 0.0, 1.0) ** 2).astype(np.float32)


_CIRCLE = _ring(16)
_CIRCLE_SMALL = _ring(8)
_GLOW = _halo()
