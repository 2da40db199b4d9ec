"""Joins the detections of one object over frames.

Our own, because the state must be saved with the camera's checkpoint and ids must come from the source alone: the
trackers on the shelf (norfair, trackers, ByteTrack's own) number tracks by process-wide counters and cannot be saved.
"""

from __future__ import annotations

from collections.abc import Sequence
from copy import deepcopy
from dataclasses import dataclass

import numpy as np
from msgspec.structs import replace

from inferfleet.config.cameras import Camera
from inferfleet.streams.analysis.association import Expected, associate
from inferfleet.streams.analysis.boxes import F64
from inferfleet.streams.analysis.confirm import MOST_REMEMBERED, is_hopeless, note_sighting, returning
from inferfleet.streams.analysis.motion import Motion
from inferfleet.streams.analysis.objects import Ints, Objects
from inferfleet.streams.analysis.track import SECOND, Moment, Track, track_id


@dataclass(frozen=True, slots=True)
class Sightings:
    """What a frame showed.

    Attributes:
        tracks: The tracks that were seen, oldest first.
        before: float64 [n, 4], where each was seen the time before; the same as `now` for a new one.
        now: float64 [n, 4], where each is.
        strong: Whether each was seen with full confidence.
        confirmed: Whether this sighting confirmed it.
    """

    tracks: list[Track]
    before: F64
    now: F64
    strong: list[bool]
    confirmed: list[bool]

    @classmethod
    def none(cls) -> Sightings:
        """What an empty frame shows where nothing is expected."""
        return cls([], np.empty((0, 4)), np.empty((0, 4)), [], [])


class Tracker:
    """The tracks of one camera.

    Attributes:
        tracks: The tracks, oldest first.
        motion: Where they are expected, in the same order.
        ended: Believed tracks that ended less than the cooldown ago.
    """

    def __init__(self, camera: Camera, labels: Sequence[str]) -> None:
        """Makes a tracker.

        Args:
            camera: The camera; its id goes into the tracks' ids.
            labels: The class names that `Objects.labels` stands for.
        """
        self._camera = camera.id
        self._labels = tuple(labels)
        self._number = {label: number for number, label in enumerate(labels)}
        self._least = camera.tracking.iou
        self._confirm = camera.confirm
        self._gap = round(longest_gap(camera) * SECOND)
        self._memory = round(camera.cooldown * SECOND)
        self.tracks: list[Track] = []
        self.motion = Motion()
        self.ended: list[Track] = []

    def expire(self, clock: int, number: int) -> list[Track]:
        """Ends the tracks that were not seen for too long before frame `number`; returns those that were believed."""
        self.ended = [track for track in self.ended if clock - track.ended <= self._memory][-MOST_REMEMBERED:]
        kept = [
            clock - track.seen.clock <= self._gap and not is_hopeless(track, number, self._confirm)
            for track in self.tracks
        ]
        return [] if all(kept) else self._end(kept, clock)

    def end_all(self, clock: int) -> list[Track]:
        """Ends all tracks; returns those that were believed."""
        return self._end([False] * len(self.tracks), clock)

    def scale(self, by: tuple[float, float], size: tuple[int, int]) -> None:
        """Follows a picture whose width and height were multiplied by `by` and are now `size`."""
        self.motion.scale(by)
        for track in (*self.tracks, *self.ended):
            left, top, right, bottom = track.box
            track.box = left * by[0], top * by[1], right * by[0], bottom * by[1]
            track.seen = replace(track.seen, size=size)

    def _end(self, kept: list[bool], clock: int) -> list[Track]:
        gone = [track for track, stays in zip(self.tracks, kept, strict=True) if not stays]
        self.tracks = [track for track, stays in zip(self.tracks, kept, strict=True) if stays]
        self.motion.keep(np.array(kept, np.bool_))
        believed = [track for track in gone if track.confirmed]
        for track in believed:
            track.ended = clock
        if self._memory:
            # A tentative track that came to nothing gives back the one it had taken up.
            self.ended += believed + [track.returned for track in gone if track.returned is not None]
        return believed

    def step(self, objects: Objects, moment: Moment, number: int, seconds: float) -> Sightings:
        """Takes in a frame.

        Args:
            objects: What is on it.
            moment: When and where it was taken.
            number: How many frames there were before it.
            seconds: Capture time since the frame before.
        """
        if not len(objects) and not self.tracks:
            return Sightings.none()
        rows, columns = self._associate(objects, number, seconds)
        self.motion.update(rows, objects.boxes[columns])
        taken = np.zeros(len(objects), np.bool_)
        taken[columns] = True
        born = np.flatnonzero(objects.strong & ~taken)
        now = objects.boxes[np.concatenate([columns, born])]
        before = now.copy()
        seen = [self.tracks[row] for row in rows.tolist()]
        for index, (track, column) in enumerate(zip(seen, columns.tolist(), strict=True)):
            before[index] = track.box
            self._see(track, objects, column, moment, number)
        seen += [self._begin(objects, column, moment, number, ordinal) for ordinal, column in enumerate(born.tolist())]
        self.tracks += seen[len(rows) :]
        self.motion.begin(objects.boxes[born])
        strong = objects.strong[columns].tolist() + [True] * len(born)
        confirmed = [
            sure and note_sighting(track, number, self._confirm) for track, sure in zip(seen, strong, strict=True)
        ]
        for track, sure in zip(seen, confirmed, strict=True):
            if sure:
                track.returned = None
        return Sightings(seen, before, now, strong, confirmed)

    def _associate(self, objects: Objects, number: int, seconds: float) -> tuple[Ints, Ints]:
        tracks = self.tracks
        last = np.array([track.box for track in tracks], np.float64).reshape(-1, 4)
        missed = [track.latest < number - 1 for track in tracks]
        self.motion.predict(seconds, np.array(missed, np.bool_))
        expected = Expected(
            self.motion.boxes(),
            last,
            np.array([self._number[track.label] for track in tracks], np.int64),
            np.array([track.step for track in tracks], np.int64),
            np.array([track.confirmed for track in tracks], np.bool_),
            np.array([track.sightings == 1 and not gap for track, gap in zip(tracks, missed, strict=True)], np.bool_),
        )
        return associate(expected, objects, self._least)

    def _see(self, track: Track, objects: Objects, column: int, moment: Moment, number: int) -> None:
        score = float(objects.scores[column])
        name = self._labels[objects.labels[column]]
        track.labels[name] = track.labels.get(name, 0.0) + score
        if name != track.label and track.labels[name] > track.labels[track.label]:
            track.label = name
        track.step = int(objects.steps[column])
        track.box = _tuple(objects.boxes[column])
        track.confidence = score
        track.seen = moment
        track.latest = number
        track.sightings += 1

    def _begin(self, objects: Objects, column: int, moment: Moment, number: int, ordinal: int) -> Track:
        label = self._labels[objects.labels[column]]
        box, score = _tuple(objects.boxes[column]), float(objects.scores[column])
        track = Track(
            id=track_id(self._camera, moment.token, ordinal),
            labels={label: score},
            label=label,
            step=int(objects.steps[column]),
            box=box,
            confidence=score,
            seen=moment,
            latest=number,
        )
        former = returning(label, box, self.ended, self._least)
        if former is not None:
            self.ended.remove(former)
            _take_up(track, former)
        return track


def longest_gap(camera: Camera) -> float:
    """Returns the seconds after which an unseen track ends: `max_gap`, but never less than two frames of the target."""
    return max(camera.tracking.max_gap, 2 / camera.fps_target if camera.fps_target else 0.0)


def _take_up(track: Track, former: Track) -> None:
    """Makes a new track the continuation of one that ended: the same object, of which everything was said."""
    track.id, track.detected, track.returned = former.id, former.detected, former
    track.fired, track.ballots = dict(former.fired), deepcopy(former.ballots)


def _tuple(box: F64) -> tuple[float, float, float, float]:
    left, top, right, bottom = box.tolist()
    return left, top, right, bottom
