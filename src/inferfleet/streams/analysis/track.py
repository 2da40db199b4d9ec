"""A track: all that is known about one object of one camera, in a form that can be saved and read back exactly."""

from __future__ import annotations

import hashlib
from datetime import UTC, datetime, timedelta
from typing import Literal

import msgspec

from inferfleet.streams.analysis.ballot import Ballot
from inferfleet.streams.frame import Frame

SECOND = 1_000_000
"""Microseconds in a second: times are whole microseconds here, so that sums and saved states are exact."""

Direction = Literal["to_left", "to_right"]
"""Which way a line was crossed, seen from its first point to its second."""

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_ID_DIGITS = 12


class Moment(msgspec.Struct, frozen=True, array_like=True):
    """When and where in its source a frame was taken.

    Attributes:
        token: `Position.token`.
        frame: `Position.frame`.
        pts: `Position.pts`.
        fragment: `Position.fragment`.
        time: Capture time in microseconds since 1970.
        clock: The same, but never going back; all durations are differences of it.
        size: Width and height of the picture in pixels.
    """

    token: str
    frame: int
    pts: float | None
    fragment: str | None
    time: int
    clock: int
    size: tuple[int, int]

    @classmethod
    def of(cls, frame: Frame, clock: int) -> Moment:
        """The moment of a frame, which the analysis places at `clock`."""
        at = frame.position
        size = frame.picture.width, frame.picture.height
        return cls(at.token, at.frame, at.pts, at.fragment, microseconds(frame.time), clock, size)

    def datetime(self) -> datetime:
        """The capture time."""
        return _EPOCH + timedelta(microseconds=self.time)


class Stay(msgspec.Struct, array_like=True):
    """An object's stay in a zone.

    Attributes:
        since: When it began, on the analysis clock.
        entered: Whether the zone knows of it: false while the track is tentative.
        dwelt: Whether its dwell event was made.
    """

    since: int
    entered: bool = False
    dwelt: bool = False


class Track(msgspec.Struct, kw_only=True):
    """One object of one camera.

    Attributes:
        id: Unique in the camera, and made of nothing but where the track began.
        labels: How much evidence (sum of confidences) there is for each class.
        label: The class with the most evidence.
        step: The detect step that saw it last, from 0.
        box: x1, y1, x2, y2 in pixels where it was last seen.
        confidence: Of that sighting, 0 to 1.
        seen: When it was last seen.
        latest: The number of the frame that showed it last, counting the frames of the analysis.
        sightings: How often it was seen.
        recent: Numbers of the latest frames that showed it with full confidence, at most `Confirm.frames` of them.
        confirmed: Whether it is believed.
        detected: Whether its detection event is over and done.
        stays: The zones it is in.
        sides: The side of each line that it was last clear of: -1 left, 1 right, 0 not yet known.
        crossings: Where its path last crossed each line: 0 at the line's first point, 1 at its second.
        pending: Crossings, by line, from before it was confirmed.
        ballots: Its readings, for each read_text step.
        fired: When each kind of event was last made, for the cooldown.
        ended: When it ended, on the analysis clock; 0 before.
        returned: The ended track that this tentative one takes up again.
    """

    id: str
    labels: dict[str, float]
    label: str
    step: int
    box: tuple[float, float, float, float]
    confidence: float
    seen: Moment
    latest: int
    sightings: int = 1
    recent: list[int] = msgspec.field(default_factory=list)
    confirmed: bool = False
    detected: bool = False
    stays: dict[str, Stay] = msgspec.field(default_factory=dict)
    sides: list[int] = msgspec.field(default_factory=list)
    crossings: list[float] = msgspec.field(default_factory=list)
    pending: dict[str, Direction] = msgspec.field(default_factory=dict)
    ballots: dict[int, Ballot] = msgspec.field(default_factory=dict)
    fired: dict[str, int] = msgspec.field(default_factory=dict)
    ended: int = 0
    returned: Track | None = None

    @property
    def text(self) -> str | None:
        """The text on the object, as far as it is known."""
        ballots = sorted(self.ballots.items(), key=lambda one: (not one[1].decided, one[0]))
        return next((leader.value for _, ballot in ballots if (leader := ballot.leader())), None)


def microseconds(time: datetime) -> int:
    """Returns whole microseconds since 1970."""
    return (time - _EPOCH) // timedelta(microseconds=1)


def track_id(camera: str, token: str, ordinal: int) -> str:
    """Returns the id of the `ordinal`-th track (from 0) that begins at a source position of a camera."""
    return hashlib.sha256(f"{camera}\0{token}\0{ordinal}".encode()).hexdigest()[:_ID_DIGITS]
