"""Square crops of single objects, and of places without any, for training and measuring the classifier."""

from __future__ import annotations

import cv2
import numpy as np

NAMES = ("car", "truck", "bus", "bicycle", "person", "road")
SIDE = 128
CLEAR = 0.6
"""Objects seen less than this are not cropped."""
LEAST = 0.04
"""Nor those whose longer side is less than this share of the frame's width."""


def choose_crops(
    rows: np.ndarray, size: tuple[int, int], random: np.random.Generator
) -> list[tuple[int, float, float, float]]:
    """What to crop from a frame.

    Args:
        rows: Labels [n, 7]: class, box in pixels, visible share, exposed share.
        size: Height and width of the frame.
        random: Source of chance.

    Returns:
        Class number, middle x, middle y and side in pixels of each crop: every clear object, and one place without any.
    """
    height, width = size
    crops = []
    for label, left, top, right, bottom, visible, _ in rows:
        longer = max(right - left, bottom - top)
        if visible < CLEAR or longer < LEAST * width:
            continue
        side = longer * random.uniform(1.05, 1.4)
        shift = random.uniform(-0.08, 0.08, 2) * longer
        crops.append((int(label), (left + right) / 2 + shift[0], (top + bottom) / 2 + shift[1], side))
    for _ in range(20):
        side = random.uniform(0.08, 0.4) * width
        x, y = random.uniform(0, width), random.uniform(0, height)
        reach = np.array([x - side / 2, y - side / 2, x + side / 2, y + side / 2])
        apart = (rows[:, 1] > reach[2]) | (rows[:, 3] < reach[0]) | (rows[:, 2] > reach[3]) | (rows[:, 4] < reach[1])
        if bool(apart.all()):
            crops.append((NAMES.index("road"), x, y, side))
            break
    return crops


def cut(picture: np.ndarray, x: float, y: float, side: float) -> np.ndarray:
    """The square around a point as a picture [SIDE, SIDE, 3]; beyond the frame's edge it is grey."""
    scale = SIDE / side
    matrix = np.array([[scale, 0.0, SIDE / 2 - x * scale], [0.0, scale, SIDE / 2 - y * scale]])
    if scale < 0.5:
        picture = cv2.GaussianBlur(picture, (0, 0), 0.35 / scale)
    return cv2.warpAffine(picture, matrix, (SIDE, SIDE), flags=cv2.INTER_LINEAR, borderValue=(114, 114, 114))
