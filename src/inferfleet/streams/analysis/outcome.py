"""What the analysis of a frame is told and what it answers."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from inferfleet.streams.event import Event
from inferfleet.vision.types import U8, Text

Reader = Callable[[U8], Sequence[Text]]
"""Reads the text on a BGR crop, uint8 [height, width, 3]."""


@dataclass(frozen=True, slots=True)
class ModelInfo:
    """A model as events name it.

    Attributes:
        name: Its name in the configuration.
        digest: SHA-256 of its file.
        names: Class names, by class number.
    """

    name: str
    digest: str
    names: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class TrackView:
    """A track that was seen in the frame, for annotated pictures.

    Attributes:
        id: The track's id, as events name it.
        label: Class of the object.
        confidence: Of the detection in this frame, 0 to 1.
        box: x1, y1, x2, y2 in pixels of the frame.
        confirmed: Whether it is believed; a tentative track makes no events.
        text: The text on the object: as agreed, or while the votes are not in, what leads; None before any reading.
        zones: The zones that it is in, in the order of the configuration.
    """

    id: str
    label: str
    confidence: float
    box: tuple[float, float, float, float]
    confirmed: bool
    text: str | None
    zones: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a frame meant.

    Attributes:
        events: What happened, in a fixed order.
        tracks: The tracks that were seen in the frame, oldest first.
    """

    events: tuple[Event, ...]
    tracks: tuple[TrackView, ...]
