"""Which detection shows which track: the decision alone, in the stages of ByteTrack (Zhang et al. 2022).

Confident detections go to believed tracks first, then to tentative ones; what is left of the tracks may be carried on
by doubtful detections. Two more stages mend what that leaves: objects that are where they were last seen although
they were expected elsewhere (after OC-SORT, Cao et al. 2022), and objects that the model took for another class.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.optimize import linear_sum_assignment

from inferfleet.streams.analysis.boxes import F64, overlaps
from inferfleet.streams.analysis.objects import SAME_OBJECT, Bools, Ints, Objects

_REACH = 0.5
"""A track seen only once has no velocity yet; it is looked for in boxes grown by half their size on every side, the
wider of the two buffers of C-BIoU (Yang et al. 2022)."""


@dataclass(frozen=True, slots=True)
class Expected:
    """The tracks as the association sees them.

    Attributes:
        boxes: float64 [n, 4], where they are expected.
        last: float64 [n, 4], where they were last seen.
        labels: int [n], their classes.
        steps: int [n], the detect steps that saw them last.
        confirmed: bool [n], whether they are believed.
        fresh: bool [n], whether the latest frame alone has shown them.
    """

    boxes: F64
    last: F64
    labels: Ints
    steps: Ints
    confirmed: Bools
    fresh: Bools


def associate(tracks: Expected, objects: Objects, least: float) -> tuple[Ints, Ints]:
    """Joins tracks and objects.

    Args:
        tracks: The tracks.
        objects: The objects of the frame.
        least: The least intersection over union.

    Returns:
        Places of tracks and, in the same order, of the objects that show them; tracks ascending.
    """
    pairs = _Pairs(len(tracks.boxes), len(objects))
    if not pairs.lonely.size or not pairs.loose.size:
        return pairs.result()
    overlap = overlaps(tracks.boxes, objects.boxes)
    same = tracks.labels[:, np.newaxis] == objects.labels
    own = np.where(same, overlap, 0.0)
    pairs.join(own, least, tracks.confirmed, objects.strong)
    pairs.join(own, least, ~tracks.confirmed, objects.strong)
    pairs.join(own, least, None, ~objects.strong)
    if pairs.may_go_on(objects.strong):
        pairs.join(np.where(same, _from_last_place(tracks, objects), 0.0), least, None, objects.strong)
        other = ~same & (tracks.steps[:, np.newaxis] == objects.steps)
        pairs.join(np.where(other, overlap, 0.0), SAME_OBJECT, None, objects.strong)
    return pairs.result()


class _Pairs:
    """The tracks and objects that are joined so far, and those that are not."""

    def __init__(self, tracks: int, objects: int) -> None:
        self.lonely = np.ones(tracks, np.bool_)
        self.loose = np.ones(objects, np.bool_)
        self.object_of = np.full(tracks, -1, np.int64)

    def may_go_on(self, objects: Bools) -> bool:
        """Whether there are tracks without an object and such `objects` without a track."""
        return bool(self.lonely.any() and (self.loose & objects).any())

    def join(self, score: F64, least: float, tracks: Bools | None, objects: Bools) -> None:
        """Joins what is left of `tracks` (all when None) and `objects` so that the sum of the scores is greatest."""
        rows = np.flatnonzero(self.lonely if tracks is None else self.lonely & tracks)
        columns = np.flatnonzero(self.loose & objects)
        if not rows.size or not columns.size:
            return
        part = score[rows[:, np.newaxis], columns]
        part = np.where((part >= least) & (part > 0), part, 0.0)
        if not part.any():
            return
        chosen = linear_sum_assignment(part, maximize=True)
        real = part[chosen] > 0
        rows, columns = rows[chosen[0][real]], columns[chosen[1][real]]
        self.object_of[rows] = columns
        self.lonely[rows] = False
        self.loose[columns] = False

    def result(self) -> tuple[Ints, Ints]:
        """All pairs."""
        tracks = np.flatnonzero(~self.lonely)
        return tracks, self.object_of[tracks]


def _from_last_place(tracks: Expected, objects: Objects) -> F64:
    near = overlaps(tracks.last, objects.boxes)
    if tracks.fresh.any():
        wide = overlaps(_reach(tracks.last), _reach(objects.boxes))
        near = np.where(tracks.fresh[:, np.newaxis], np.maximum(near, wide), near)
    return near


def _reach(boxes: F64) -> F64:
    half = _REACH * (boxes[:, 2:] - boxes[:, :2])
    return np.concatenate([boxes[:, :2] - half, boxes[:, 2:] + half], axis=1)
