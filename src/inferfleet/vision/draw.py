"""Annotated pictures: boxes with readable labels, zones and lines, in colours that stay the same for a class."""

from __future__ import annotations

import zlib
from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np

from inferfleet.vision.types import F32, U8

Colour = tuple[int, int, int]

# Twelve colours that stay apart on asphalt, grass and sky, also for colour-blind eyes (after Okabe and Ito); BGR.
_PALETTE: tuple[Colour, ...] = (
    (0, 159, 230),
    (233, 180, 86),
    (115, 158, 0),
    (66, 228, 240),
    (178, 114, 0),
    (0, 94, 213),
    (167, 121, 204),
    (84, 199, 140),
    (196, 96, 128),
    (110, 110, 232),
    (200, 190, 60),
    (60, 140, 190),
)
_COMMON = ("person", "car", "truck", "bus", "bicycle", "motorcycle", "plate", "dog", "cat", "bird", "backpack", "boat")
"""Classes that are often seen together; each has a colour of its own."""
_ZONE: Colour = (255, 255, 255)
_DARK: Colour = (24, 24, 24)
_BRIGHT = 140.0
"""The brightness above which a label is written in dark letters."""


@dataclass(frozen=True, slots=True)
class Mark:
    """An object to be shown.

    Attributes:
        box: x1 y1 x2 y2 in pixels.
        label: What to write on it, such as `car 0.93 #12`; nothing when empty.
        kind: What decides its colour, usually the class name.
        trail: Where it has been: float [n, 2], x y in pixels, oldest first.
    """

    box: Sequence[float] | F32
    label: str
    kind: str
    trail: Sequence[Sequence[float]] = ()


@dataclass(frozen=True, slots=True)
class Outline:
    """A zone or a line to be shown.

    Attributes:
        points: float [n, 2], x y in pixels.
        label: Its name; nothing is written when empty.
        closed: Whether it is a polygon.
        active: Whether something is going on there; it is then shown stronger.
    """

    points: Sequence[Sequence[float]]
    label: str
    closed: bool = True
    active: bool = False


def colour_of(kind: str) -> Colour:
    """Returns the colour of a class, BGR; the same for the same name everywhere."""
    if kind in _COMMON:
        return _PALETTE[_COMMON.index(kind)]
    return _PALETTE[zlib.crc32(kind.encode()) % len(_PALETTE)]


def annotate(bgr: U8, marks: Sequence[Mark], outlines: Sequence[Outline] = ()) -> U8:
    """Draws zones, then trails and boxes, then labels, on a copy of a picture.

    Line widths and letters grow with the picture, so that it reads the same at any size.

    Args:
        bgr: The picture, BGR, uint8 [height, width, 3]; it is not written to.
        marks: The objects.
        outlines: Zones and lines.

    Returns:
        A new picture of the same size.
    """
    canvas = np.ascontiguousarray(bgr).copy()
    unit = max(1.0, min(canvas.shape[:2]) / 480)
    for outline in outlines:
        _draw_outline(canvas, outline, unit)
    for mark in marks:
        _draw_box(canvas, mark, unit)
    for outline in outlines:
        if outline.label and len(outline.points):
            _write(canvas, outline.label, _top_left(outline), _DARK, unit, above=False)
    for mark in marks:
        if mark.label:
            _write(canvas, mark.label, (mark.box[0], mark.box[1]), colour_of(mark.kind), unit, above=True)
    return canvas


def _draw_outline(canvas: U8, outline: Outline, unit: float) -> None:
    points = np.round(np.asarray(outline.points, np.float32)).astype(np.int32).reshape(-1, 1, 2)
    if outline.closed and len(points) > 2:  # noqa: PLR2004
        x, y, wide, high = cv2.boundingRect(points)
        x1, y1, x2, y2 = max(x, 0), max(y, 0), min(x + wide, canvas.shape[1]), min(y + high, canvas.shape[0])
        if x2 > x1 and y2 > y1:
            window = canvas[y1:y2, x1:x2]
            tinted = window.copy()
            cv2.fillPoly(tinted, [points], _ZONE, cv2.LINE_AA, 0, (-x1, -y1))
            share = 0.25 if outline.active else 0.12
            cv2.addWeighted(tinted, share, window, 1 - share, 0, dst=window)
    width = round((3 if outline.active else 2) * unit)
    cv2.polylines(canvas, [points], outline.closed, _DARK, width + max(1, round(unit)), cv2.LINE_AA)
    cv2.polylines(canvas, [points], outline.closed, _ZONE, width, cv2.LINE_AA)


def _draw_box(canvas: U8, mark: Mark, unit: float) -> None:
    colour = colour_of(mark.kind)
    if len(mark.trail) > 1:
        trail = np.round(np.asarray(mark.trail, np.float32)).astype(np.int32).reshape(-1, 1, 2)
        cv2.polylines(canvas, [trail], False, colour, max(1, round(1.5 * unit)), cv2.LINE_AA)
    x1, y1, x2, y2 = (round(float(value)) for value in mark.box)
    cv2.rectangle(canvas, (x1, y1), (x2, y2), colour, max(2, round(2 * unit)), cv2.LINE_AA)


def _write(canvas: U8, text: str, at: Sequence[float], ground: Colour, unit: float, *, above: bool) -> None:
    """Writes a label on a bar of its own, moved as far as it must to stay within the picture."""
    height, width = canvas.shape[:2]
    font = cv2.FontFace("sans")
    size, margin = round(14 * unit), round(4 * unit)
    _, _, wide, _ = cv2.getTextSize((0, 0), text, (0, 0), font, size, 500)
    bar = (min(wide + 2 * margin, width), min(size + 2 * margin, height))
    left = min(max(round(at[0]), 0), width - bar[0])
    top = min(max(round(at[1]) - (bar[1] if above else 0), 0), height - bar[1])
    canvas[top : top + bar[1], left : left + bar[0]] = ground
    blue, green, red = ground
    letters = _DARK if 0.114 * blue + 0.587 * green + 0.299 * red > _BRIGHT else (255, 255, 255)
    baseline = top + margin + round(size * 0.82)
    cv2.putText(canvas, text, (left + margin, baseline), letters, font, size, 500)


def _top_left(outline: Outline) -> tuple[float, float]:
    points = np.asarray(outline.points, np.float32)
    nearest = points[np.argmin(points.sum(axis=1))]
    return float(nearest[0]), float(nearest[1])
