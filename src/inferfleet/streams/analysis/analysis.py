"""The analysis of one camera: frames and detections in, events out, and nothing known that is not in its state."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

import numpy as np
import structlog

from inferfleet.config.cameras import Camera
from inferfleet.streams.analysis.announce import Announcer
from inferfleet.streams.analysis.confirm import may_fire
from inferfleet.streams.analysis.lines import Crossing, Lines
from inferfleet.streams.analysis.motion import Motion
from inferfleet.streams.analysis.objects import Filter, check_classes
from inferfleet.streams.analysis.outcome import ModelInfo, Outcome, Reader, TrackView
from inferfleet.streams.analysis.presence import Presence
from inferfleet.streams.analysis.state import State, Tally, decode, encode, fingerprint
from inferfleet.streams.analysis.texts import TextStep
from inferfleet.streams.analysis.track import SECOND, Moment, Track, microseconds
from inferfleet.streams.analysis.tracker import Sightings, Tracker
from inferfleet.streams.analysis.zones import Regions
from inferfleet.streams.event import Event
from inferfleet.streams.frame import Frame
from inferfleet.vision.types import Detections

_SAME_SHAPE = 0.02
"""A picture of a new size shows the same view if its aspect ratio is the old one within two hundredths: encoders round
sides to multiples of 16."""

_log = structlog.get_logger(__name__)


class CameraAnalysis:
    """Turns what was found in a camera's frames into events.

    The events depend on the frames, the detections and the configuration alone. Going on from a saved state gives the
    same events, to the byte, as never having stopped.
    """

    def __init__(
        self, camera: Camera, models: Mapping[str, ModelInfo], worker: str, reader: Reader | None = None
    ) -> None:
        """Makes the analysis of a camera that has not begun.

        Args:
            camera: Its configuration.
            models: The models by name, in the order of the configuration: a step without a name uses the first.
            worker: Name and version of the worker, for the events.
            reader: Reads text on crops; needed if the camera has read_text steps.

        Raises:
            InputError: A class that no model has, or a pattern that is no regular expression.
        """
        first = next(iter(models))
        used = tuple(models[step.model or first] for step in camera.detect_steps)
        self._camera = camera
        self._cooldown = round(camera.cooldown * SECOND)
        self._filter = Filter(camera, used)
        _check_classes(camera, used)
        self._announce = Announcer(camera.id, used, worker)
        self._presence = Presence(camera.zones, self._cooldown, self._announce)
        self._texts = _text_steps(camera, reader)
        self._fingerprint = fingerprint(camera, used)
        self._begin()

    def _begin(self) -> None:
        """Forgets everything."""
        camera = self._camera
        self._number = 0
        self._clock: int | None = None
        self._size: tuple[int, int] | None = None
        self._tracker = Tracker(camera, self._filter.labels)
        self._tallies = {name: Tally() for name, zone in camera.zones.items() if "count" in zone.events}

    def step(self, frame: Frame, found: Sequence[Detections]) -> Outcome:
        """Takes in a frame.

        Args:
            frame: The frame; frames come in the order of the source.
            found: What each detect step found in it, in order.

        Raises:
            ValueError: There is not one `Detections` for each detect step.
        """
        events: list[Event] = []
        objects = self._filter(found, (frame.picture.width, frame.picture.height))
        clock, seconds = self._advance(microseconds(frame.time), events)
        moment = Moment.of(frame, clock)
        self._fit(moment.size, events)
        self._farewell(self._tracker.expire(clock, self._number), events)
        seen = self._tracker.step(objects, moment, self._number, seconds)
        self._number += 1
        held = self._locate(seen)
        self._note_crossings(seen)
        for index, track in enumerate(seen.tracks):
            if track.confirmed and not track.detected:
                track.detected = True
                if self._camera.detection_events:
                    events.append(self._announce.detection(track))
            events += self._presence.move(track, held[index])
            if track.confirmed:
                events += self._crossed(track)
                events += self._read(track, frame) if seen.strong[index] else ()
        events += self._presence.count(self._tracker.tracks, self._tallies, moment)
        return Outcome(tuple(events), tuple(self._view(track) for track in seen.tracks))

    def finish(self) -> Outcome:
        """Ends all tracks, for a source that has ended for good: who is in a zone leaves it where last seen."""
        events: list[Event] = []
        if self._clock is not None:
            self._farewell(self._tracker.end_all(self._clock), events)
        return Outcome(tuple(events), ())

    def state(self) -> bytes:
        """Returns all that is known, for `restore`; equal knowledge gives equal bytes."""
        return encode(
            State(
                fingerprint=self._fingerprint,
                number=self._number,
                clock=self._clock,
                size=self._size,
                tracks=self._tracker.tracks,
                motion=self._tracker.motion.state.tolist(),
                ended=self._tracker.ended,
                tallies=self._tallies,
            )
        )

    def restore(self, state: bytes) -> bool:
        """Goes on from what `state` returned, here or in another process.

        A state that another version wrote, or that belongs to another configuration or model, means nothing here; the
        analysis then begins afresh and logs a warning.

        Returns:
            Whether the state was taken over.
        """
        self._begin()
        saved = decode(state, self._fingerprint)
        if isinstance(saved, str):
            _log.warning(
                "camera analysis begins afresh: its saved state is of no use", camera=self._camera.id, why=saved
            )
            return False
        self._number, self._clock, self._tallies = saved.number, saved.clock, saved.tallies
        self._tracker.tracks, self._tracker.ended = saved.tracks, saved.ended
        self._tracker.motion = Motion(np.array(saved.motion, np.float64).reshape(5, len(saved.tracks), 4))
        if saved.size is not None:
            self._measure(saved.size)
        return True

    def _advance(self, time: int, events: list[Event]) -> tuple[int, float]:
        """Sets the clock to a frame's capture time; returns it and the seconds that passed.

        A frame that comes a little late finds the clock where it is. After a longer way back the camera's clock was
        set, so nothing known before can be compared with anything after.
        """
        before = time if self._clock is None else self._clock
        if before - time > self._camera.tracking.max_gap * SECOND:
            self._forget(before, events)
            before = time
        self._clock = max(before, time)
        return self._clock, (self._clock - before) / SECOND

    def _fit(self, size: tuple[int, int], events: list[Event]) -> None:
        """Follows a change of the picture's size."""
        former = self._size
        if size == former:
            return
        self._measure(size)
        if former is None or self._clock is None:
            return
        by = size[0] / former[0], size[1] / former[1]
        if abs(by[0] / by[1] - 1) > _SAME_SHAPE:
            self._forget(self._clock, events)
            return
        self._tracker.scale(by, size)
        self._lines.rescaled(self._tracker.tracks)

    def _measure(self, size: tuple[int, int]) -> None:
        self._size = size
        self._regions = Regions(self._camera.zones, size)
        self._lines = Lines(self._camera.lines, size)
        for name in self._regions.outside(size):
            _log.warning(
                "zone lies outside the picture: give its polygon in fractions, or in pixels of this size",
                camera=self._camera.id,
                zone=name,
                width=size[0],
                height=size[1],
            )

    def _forget(self, clock: int, events: list[Event]) -> None:
        self._farewell(self._tracker.end_all(clock), events)
        self._tracker.ended.clear()
        for tally in self._tallies.values():
            tally.at = None

    def _farewell(self, ended: Sequence[Track], events: list[Event]) -> None:
        for track in ended:
            events += self._presence.end(track)

    def _locate(self, seen: Sightings) -> list[list[bool]]:
        """For each track that was seen, whether it is in each zone."""
        tracks, zones = seen.tracks, self._camera.zones
        if not tracks or not zones:
            return [[]] * len(tracks)
        inside = np.array([[name in track.stays for track in tracks] for name in zones], np.bool_)
        located: list[list[bool]] = self._regions.locate(seen.now, [track.label for track in tracks], inside).T.tolist()
        return located

    def _note_crossings(self, seen: Sightings) -> None:
        for crossing in self._lines.cross(seen.tracks, seen.before, seen.now):
            _note(crossing, seen.tracks[crossing.track])

    def _crossed(self, track: Track) -> Iterator[Event]:
        for line, direction in track.pending.items():
            if may_fire(track, f"line.cross:{line}", track.seen.clock, self._cooldown):
                yield self._announce.cross(track, line, direction)
        track.pending.clear()

    def _read(self, track: Track, frame: Frame) -> Iterator[Event]:
        zones = track.stays
        for number, step in enumerate(self._texts):
            try:
                agreed = step.look(track, zones, frame.picture)
            except Exception:
                # The other events of this frame must not be lost with it.
                _log.exception("text could not be read; a later frame may show it again", camera=self._camera.id)
                continue
            if agreed is not None:
                yield self._announce.text(track, number, agreed)

    def _view(self, track: Track) -> TrackView:
        zones = self._presence.zones_of(track)
        return TrackView(track.id, track.label, track.confidence, track.box, track.confirmed, track.text, zones)


def _note(crossing: Crossing, track: Track) -> None:
    """Notes a crossing until the track is believed; there and back again before that is nothing."""
    former = track.pending.pop(crossing.line, crossing.direction)
    if former == crossing.direction:
        track.pending[crossing.line] = crossing.direction


def _check_classes(camera: Camera, models: Sequence[ModelInfo]) -> None:
    """Makes sure that the classes of zones, lines and read_text steps can be found at all."""
    known = {model.name: model.names for model in models}
    places = [(f'zone "{name}"', zone.classes) for name, zone in camera.zones.items()]
    places += [(f'line "{name}"', line.classes) for name, line in camera.lines.items()]
    places += [("read_text", step.classes) for step in camera.read_text_steps]
    for place, classes in places:
        check_classes(f'camera "{camera.id}": {place}', classes or (), known)


def _text_steps(camera: Camera, reader: Reader | None) -> tuple[TextStep, ...]:
    steps = camera.read_text_steps
    if not steps:
        return ()
    if reader is None:
        raise ValueError(f"camera {camera.id!r} has read_text steps, so its analysis needs a reader")
    return tuple(TextStep(f'camera "{camera.id}"', number, step, reader) for number, step in enumerate(steps))
