"""The two ends of reading text: where its lines are in a probability map, and what a line's letters are.

The map is that of Differentiable Binarization (Liao et al., 2020) as PP-OCR exports it; the letters come by
Connectionist Temporal Classification with the blank first and the space last.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np

from inferfleet.vision.types import F32, U8

_TEXT_AT = 0.3
_LINE_AT = 0.5
_GROW = 1.6
"""PP-OCR's `thresh`, `box_thresh` and `unclip_ratio`: the map shows the core of a line, which is then grown back."""
_LEAST_SIDE = 3.0
_UPRIGHT = 1.5
"""A line this many times as high as wide is taken to be turned by 90 degrees, as PP-OCR does."""


@dataclass(frozen=True, slots=True)
class Line:
    """A line of text in a picture.

    Attributes:
        box: float32 [4, 2], its corners clockwise from the top left.
        score: How sure it is that this is text, 0 to 1.
    """

    box: F32
    score: float


def find_lines(probabilities: F32, most: int) -> list[Line]:
    """Finds the lines of text in a probability map.

    Args:
        probabilities: float32 [height, width], how likely each pixel is within a line.
        most: The most lines to return, the surest ones.

    Returns:
        The lines in reading order; boxes in pixels of the map.
    """
    mask = cv2.dilate((probabilities > _TEXT_AT).astype(np.uint8), np.ones((2, 2), np.uint8))
    contours, _ = cv2.findContours(mask, cv2.RETR_LIST, cv2.CHAIN_APPROX_SIMPLE)
    lines: list[Line] = []
    for contour in contours:
        (x, y), (wide, high), angle = cv2.minAreaRect(contour)
        if min(wide, high) < _LEAST_SIDE:
            continue
        score = _mean_within(probabilities, cv2.boxPoints(((x, y), (wide, high), angle)))
        if score < _LINE_AT:
            continue
        growth = 2 * _GROW * wide * high / (2 * (wide + high))
        corners = cv2.boxPoints(((x, y), (wide + growth, high + growth), angle))
        lines.append(Line(_clockwise(np.asarray(corners, np.float32)), score))
    lines.sort(key=lambda line: -line.score)
    return in_reading_order(lines[:most])


def _mean_within(probabilities: F32, corners: F32) -> float:
    height, width = probabilities.shape
    low = np.clip(np.floor(corners.min(axis=0)).astype(int), 0, (width - 1, height - 1))
    high = np.clip(np.ceil(corners.max(axis=0)).astype(int), 0, (width - 1, height - 1))
    mask = np.zeros((high[1] - low[1] + 1, high[0] - low[0] + 1), np.uint8)
    cv2.fillPoly(mask, [np.round(corners - low).astype(np.int32)], 1)
    return float(cv2.mean(probabilities[low[1] : high[1] + 1, low[0] : high[0] + 1], mask)[0])


def _clockwise(corners: F32) -> F32:
    """Orders four corners clockwise from the top left: of the two left ones the upper comes first."""
    by_x = corners[np.argsort(corners[:, 0], kind="stable")]
    top_left, bottom_left = by_x[:2][np.argsort(by_x[:2, 1], kind="stable")]
    top_right, bottom_right = by_x[2:][np.argsort(by_x[2:, 1], kind="stable")]
    return np.stack((top_left, top_right, bottom_right, bottom_left))


def in_reading_order(lines: Sequence[Line]) -> list[Line]:
    """Sorts lines from top to bottom, and those at about the same height from left to right."""
    rows: list[list[Line]] = []
    for line in sorted(lines, key=lambda line: float(line.box[:, 1].mean())):
        middle, height = line.box[:, 1].mean(), np.ptp(line.box[:, 1])
        if rows and middle - rows[-1][0].box[:, 1].mean() < height / 2:
            rows[-1].append(line)
        else:
            rows.append([line])
    return [line for row in rows for line in sorted(row, key=lambda line: float(line.box[:, 0].min()))]


def straighten(bgr: U8, box: F32) -> U8:
    """Cuts a line out of a picture and turns it level; the result is at least one pixel in each direction."""
    sides = np.linalg.norm(box - np.roll(box, -1, axis=0), axis=1)
    wide, high = max(1, round(max(sides[0], sides[2]))), max(1, round(max(sides[1], sides[3])))
    target = np.array(((0, 0), (wide, 0), (wide, high), (0, high)), np.float32)
    matrix = cv2.getPerspectiveTransform(box.astype(np.float32), target)
    level = cv2.warpPerspective(bgr, matrix, (wide, high), flags=cv2.INTER_CUBIC, borderMode=cv2.BORDER_REPLICATE)
    return np.asarray(np.rot90(level) if high >= _UPRIGHT * wide else level, np.uint8)


def spell(probabilities: F32, alphabet: Sequence[str]) -> tuple[str, float]:
    """Reads a line by greedy CTC: the likeliest letter of each step, repeats and blanks taken out.

    Args:
        probabilities: float32 [steps, letters].
        alphabet: The letter of each column; the first is the blank.

    Returns:
        The text and the mean probability of its letters, ("", 0.0) for none.
    """
    letters = probabilities.argmax(axis=1)
    new = letters != 0
    new[1:] &= letters[1:] != letters[:-1]
    if not new.any():
        return "", 0.0
    scores = probabilities[np.flatnonzero(new), letters[new]]
    return "".join(alphabet[letter] for letter in letters[new]), float(scores.mean())
