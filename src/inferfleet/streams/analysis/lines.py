"""Which objects cross which line, and which way.

A crossing counts when the anchor's path went through the line between its ends and the anchor is then clear of it on
the other side. An object that trembles on the line is never clear of it, so it crosses once or not at all.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from inferfleet.config.cameras import Line
from inferfleet.config.geometry import are_fractions, to_pixels
from inferfleet.streams.analysis.boxes import F64, centres, feet, slack
from inferfleet.streams.analysis.track import Direction, Track

LEFT, RIGHT, UNKNOWN = -1, 1, 0


@dataclass(frozen=True, slots=True)
class Crossing:
    """A line was crossed.

    Attributes:
        track: Place of the track in the list that was given.
        line: The line's name.
        direction: Which way.
    """

    track: int
    line: str
    direction: Direction


class Lines:
    """All lines of a camera in pixels of a picture size."""

    def __init__(self, lines: Mapping[str, Line], size: tuple[int, int]) -> None:
        self._lines = list(lines.values())
        self._names = list(lines)
        points = np.array([to_pixels(line.points, *size) for line in self._lines], np.float64).reshape(-1, 2, 2)
        self._start = points[:, 0]
        along = points[:, 1] - points[:, 0]
        self._length = np.hypot(along[:, 0], along[:, 1])
        self._along = along / self._length[:, np.newaxis]
        self._at_foot = np.array([line.anchor == "foot" for line in self._lines], np.bool_)

    def cross(self, tracks: Sequence[Track], before: F64, now: F64) -> list[Crossing]:
        """Follows the tracks over the lines, noting in them which side they are on.

        Args:
            tracks: The tracks that were seen.
            before: float64 [n, 4], where each was seen the time before, in pixels.
            now: float64 [n, 4], where each is.

        Returns:
            The crossings that count, by track and then by line.
        """
        if not self._lines or not tracks:
            return []
        for track in tracks:
            if not track.sides:
                track.sides, track.crossings = [UNKNOWN] * len(self._lines), [-1.0] * len(self._lines)
        beside, along = self._place(now)
        was_beside, was_along = self._place(before)
        clear = np.where(np.abs(beside) > slack(now)[:, np.newaxis], np.where(beside > 0, RIGHT, LEFT), UNKNOWN)
        through = (beside > 0) != (was_beside > 0)
        sides = np.array([track.sides for track in tracks])
        crossings: list[Crossing] = []
        for index, line in np.argwhere(through | ((clear != UNKNOWN) & (clear != sides))).tolist():
            track = tracks[index]
            if through[index, line]:
                share = was_beside[index, line] / (was_beside[index, line] - beside[index, line])
                reached = was_along[index, line] + share * (along[index, line] - was_along[index, line])
                track.crossings[line] = float(reached / self._length[line])
            side = int(clear[index, line])
            if side in (UNKNOWN, track.sides[line]):
                continue
            if track.sides[line] != UNKNOWN and 0 <= track.crossings[line] <= 1 and self._counts(line, track, side):
                crossings.append(Crossing(index, self._names[line], direction_of(side)))
            track.sides[line] = side
        return crossings

    def rescaled(self, tracks: Sequence[Track]) -> None:
        """Forgets the sides of lines drawn in pixels, which a change of the picture's size has moved."""
        for line, one in enumerate(self._lines):
            if not are_fractions(one.points):
                for track in tracks:
                    if track.sides:
                        track.sides[line] = UNKNOWN

    def _counts(self, line: int, track: Track, side: int) -> bool:
        wanted = self._lines[line]
        if wanted.classes is not None and track.label not in wanted.classes:
            return False
        return wanted.direction in ("both", direction_of(side))

    def _place(self, boxes: F64) -> tuple[F64, F64]:
        """How far the anchors are to the right of the lines, and how far along them, in pixels: both [n, lines]."""
        foot, centre = feet(boxes)[:, np.newaxis], centres(boxes)[:, np.newaxis]
        offset = np.where(self._at_foot[:, np.newaxis], foot, centre) - self._start
        # The picture's y axis points down, so a positive cross product is on the right hand.
        beside = self._along[:, 0] * offset[..., 1] - self._along[:, 1] * offset[..., 0]
        return beside, (offset * self._along).sum(axis=2)


def direction_of(side: int) -> Direction:
    """The direction that ends on a side."""
    return "to_right" if side == RIGHT else "to_left"
