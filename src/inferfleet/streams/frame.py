"""A frame, where it came from, and the picture in it."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from inferfleet.vision.types import Picture


@dataclass(frozen=True, slots=True)
class Position:
    """Where in its source a frame stands. Reading the same source again gives equal positions.

    Attributes:
        token: What the source needs to go on right after this frame; opaque to everybody else, unique in the source.
        frame: Number of the frame since the source's beginning, counted from 0 (since the connection, for live ones).
        pts: The container's presentation time stamp, in seconds; None where there is none.
        fragment: The fragment number, for sources that have fragments.
    """

    token: str
    frame: int
    pts: float | None = None
    fragment: str | None = None


@dataclass(frozen=True, slots=True)
class Frame:
    """One decoded frame of a camera.

    Attributes:
        camera: The camera's id.
        time: Capture time, UTC: the producer's clock where the source has one, else the file's start plus pts.
        position: Where it stands in its source.
        picture: The decoded picture, converted only when asked.
        received: When it was decoded, in seconds of `time.monotonic()`; latency is measured from here.
    """

    camera: str
    time: datetime
    position: Position
    picture: Picture
    received: float
