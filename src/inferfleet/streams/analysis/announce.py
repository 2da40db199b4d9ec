"""Writes events: the same facts in the same words, wherever in the analysis they were noticed."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from inferfleet.streams.analysis.ballot import Candidate
from inferfleet.streams.analysis.outcome import ModelInfo
from inferfleet.streams.analysis.track import SECOND, Direction, Moment, Stay, Track
from inferfleet.streams.event import (
    Event,
    EventData,
    EventModel,
    EventPosition,
    EventText,
    Kind,
    event_id,
    format_time,
)

_PIXEL_DIGITS = 2
_FRACTION_DIGITS = 5
_CONFIDENCE_DIGITS = 4


class Announcer:
    """Writes the events of one camera."""

    def __init__(self, camera: str, models: Sequence[ModelInfo], worker: str) -> None:
        """Makes the writer.

        Args:
            camera: The camera's id.
            models: The model of each detect step.
            worker: Name and version of the worker.
        """
        self._camera = camera
        self._models = [EventModel(model.name, model.digest) for model in models]
        self._worker = worker

    def detection(self, track: Track) -> Event:
        """A new object is believed."""
        return self._about(track, "detection")

    def enter(self, track: Track, zone: str) -> Event:
        """An object came into a zone."""
        return self._about(track, "zone.enter", zone, zone=zone)

    def leave(self, track: Track, zone: str, stay: Stay) -> Event:
        """An object left a zone, or was last seen in it."""
        return self._about(track, "zone.leave", zone, zone=zone, dwell_seconds=_seconds(track, stay))

    def dwell(self, track: Track, zone: str, stay: Stay) -> Event:
        """An object has been in a zone for long."""
        return self._about(track, "zone.dwell", zone, zone=zone, dwell_seconds=_seconds(track, stay))

    def cross(self, track: Track, line: str, direction: Direction) -> Event:
        """An object crossed a line."""
        return self._about(track, "line.cross", line, line=line, direction=direction)

    def text(self, track: Track, step: int, text: Candidate) -> Event:
        """The readings of an object's text agreed."""
        agreed = EventText(text.value, round(text.confidence, _CONFIDENCE_DIGITS), text.votes)
        return self._about(track, "text", str(step) if step else "", text=agreed)

    def count(self, moment: Moment, zone: str, count: int) -> Event:
        """The number of objects in a zone is another."""
        return self._event(moment, "zone.count", zone, "", self._models[0], zone=zone, count=count)

    def _about(self, track: Track, kind: Kind, place: str = "", **facts: Any) -> Event:
        width, height = track.seen.size
        left, top, right, bottom = track.box
        fractions = left / width, top / height, right / width, bottom / height
        return self._event(
            track.seen,
            kind,
            place,
            track.id,
            self._models[track.step],
            label=track.label,
            confidence=round(track.confidence, _CONFIDENCE_DIGITS),
            box=tuple(round(value, _PIXEL_DIGITS) for value in track.box),
            box_fraction=tuple(round(value, _FRACTION_DIGITS) for value in fractions),
            track=track.id,
            **facts,
        )

    def _event(self, moment: Moment, kind: Kind, place: str, whose: str, model: EventModel, **facts: Any) -> Event:
        return Event(
            id=event_id(self._camera, moment.token, f"{kind}:{place}" if place else kind, whose),
            source=f"/cameras/{self._camera}",
            type=f"inferfleet.{kind}",
            time=format_time(moment.datetime()),
            subject=self._camera,
            data=EventData(
                position=EventPosition(moment.frame, moment.pts, moment.fragment),
                frame_size=moment.size,
                model=model,
                worker=self._worker,
                **facts,
            ),
        )


def _seconds(track: Track, stay: Stay) -> float:
    return max(0, track.seen.clock - stay.since) / SECOND
