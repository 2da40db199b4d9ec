"""What is in a drawn frame: boxes of what was drawn, how much of it is left to be seen, and plates that can be read."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np
import numpy.typing as npt

from inferfleet.demo.camera import Array, Camera
from inferfleet.demo.figure import ClassName, Look

Box = tuple[float, float, float, float]
"""Left, top, right, bottom in pixels; the first pixel spans 0 to 1."""

COARSE = 4
"""Visibility is counted on a picture this many times smaller."""


@dataclass(frozen=True)
class TruthObject:
    """One object of a frame, as it was drawn.

    Attributes:
        track: The same number for the same object in every frame.
        label: Its class.
        box: Its outline's box, cut to the frame.
        visible: Share of its outline that is in the frame and not hidden by others, 0 to 1.
        plate: Text of its plate if the plate is turned to the camera and wholly in the frame.
        plate_box: The plate's box, with `plate`.
        exposed: Share of the part in the frame that is not hidden by others, 0 to 1.
    """

    track: int
    label: ClassName
    box: Box
    visible: float
    plate: str | None = None
    plate_box: Box | None = None
    exposed: float = 1.0


@dataclass(frozen=True)
class Drawn:
    """What drawing one object left to know.

    Attributes:
        track: Its number.
        look: What it looks like.
        outline: All picture points that it touched [N, 2]; may be empty.
        plate: Corners of its plate in the picture [4, 2]; None if the plate is turned away.
    """

    track: int
    look: Look
    outline: Array
    plate: Array | None


def truth_of(camera: Camera, drawn: Sequence[Drawn]) -> list[TruthObject]:
    """The objects of a frame.

    All outlines are painted as numbers, far to near, so that what is left of each number is what can be seen of it.

    Args:
        camera: Tells the size of the frame.
        drawn: What was drawn, in that order.

    Returns:
        Those that are in the frame, in the same order.
    """
    boxes = [_box(camera, item.outline) for item in drawn]
    shown = [(item, box) for item, box in zip(drawn, boxes, strict=True) if box is not None]
    mask = np.zeros((camera.height // COARSE, camera.width // COARSE), np.uint16)
    whole, inside = [], []
    for number, (item, _) in enumerate(shown, start=1):
        hull = cv2.convexHull(np.clip(item.outline, -1e4, 1e4).astype(np.float32)).reshape(-1, 2)
        whole.append(float(cv2.contourArea(hull)) / COARSE**2)
        cv2.fillConvexPoly(mask, _coarse(hull), number)
        inside.append(int(np.count_nonzero(mask == number)))
    left = np.bincount(mask.ravel(), minlength=len(shown) + 1)
    objects = []
    for number, (item, box) in enumerate(shown, start=1):
        readable = item.plate is not None and _is_whole(camera, mask, item.plate, number)
        objects.append(
            TruthObject(
                track=item.track,
                label=item.look.kind,
                box=box,
                visible=min(1.0, float(left[number]) / max(whole[number - 1], 1.0)),
                plate=item.look.plate if readable else None,
                plate_box=_box(camera, item.plate) if item.plate is not None and readable else None,
                exposed=float(left[number]) / max(inside[number - 1], 1),
            )
        )
    return objects


def _box(camera: Camera, points: Array) -> Box | None:
    """The box around points [N, 2], cut to the frame; None if less than a pixel of it is inside."""
    if len(points) < 3:
        return None
    frame = np.array([camera.width, camera.height], np.float64)
    low, high = np.clip(points.min(axis=0), 0.0, frame), np.clip(points.max(axis=0), 0.0, frame)
    if (high - low).min() < 1.0:
        return None
    return float(low[0]), float(low[1]), float(high[0]), float(high[1])


def _is_whole(camera: Camera, mask: npt.NDArray[np.uint16], plate: Array, number: int) -> bool:
    """Whether a plate lies in the frame and shows its own vehicle's number all over."""
    if plate.min() < 0.0 or (plate > np.array([camera.width, camera.height])).any():
        return False
    place = np.zeros(mask.shape, np.uint8)
    cv2.fillConvexPoly(place, _coarse(plate), 1)
    return float((mask[place > 0] == number).mean()) > 0.9


def _coarse(points: Array | npt.NDArray[np.float32]) -> npt.NDArray[np.int32]:
    """Pixels [N, 2] on the smaller picture."""
    return np.asarray(np.round(points / COARSE - 0.5), np.int32)
