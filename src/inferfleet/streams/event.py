"""Events as CloudEvents 1.0, with ids that depend on nothing but what was seen.

The id is a hash of camera, source position, rule and track, so the same frame read twice gives the same id
and every sink can be idempotent.
"""

from __future__ import annotations

import hashlib
from datetime import UTC, datetime
from typing import Any, Literal

import msgspec

Kind = Literal["detection", "zone.enter", "zone.leave", "zone.dwell", "zone.count", "line.cross", "text"]
_ID_BYTES = 16


class EventPosition(msgspec.Struct, frozen=True, omit_defaults=True):
    """Where in its source the event's frame stands."""

    frame: int
    pts: float | None = None
    fragment: str | None = None


class EventModel(msgspec.Struct, frozen=True):
    """Which model saw it: its name in the configuration and the SHA-256 of its file."""

    name: str
    digest: str


class EventText(msgspec.Struct, frozen=True):
    """Text on the object: what most readings agreed on, their mean confidence (0 to 1), and how many agreed."""

    value: str
    confidence: float
    votes: int


class EventData(msgspec.Struct, frozen=True, omit_defaults=True, kw_only=True):
    """What was seen. Attributes that do not apply are left out.

    Attributes:
        label: Class of the object.
        confidence: Of the detection in this frame, 0 to 1.
        box: x1, y1, x2, y2 in pixels of the frame.
        box_fraction: The same as fractions of the frame's width and height.
        track: The object's track, unique in the camera.
        zone: The zone, for zone events.
        line: The line, for crossings.
        direction: Which way the line was crossed, seen from its first point to its second.
        dwell_seconds: How long the object has been in the zone.
        count: How many objects are in the zone.
        text: The text that was read on it.
        position: Where in the source the frame stands.
        frame_size: Width and height of the frame in pixels.
        model: The model that saw it.
        worker: Name and version of the worker.
        snapshot: Where the annotated picture is.
        crop: Where the picture of the object alone is.
    """

    position: EventPosition
    frame_size: tuple[int, int]
    model: EventModel
    worker: str
    label: str | None = None
    confidence: float | None = None
    box: tuple[float, float, float, float] | None = None
    box_fraction: tuple[float, float, float, float] | None = None
    track: str | None = None
    zone: str | None = None
    line: str | None = None
    direction: Literal["to_left", "to_right"] | None = None
    dwell_seconds: float | None = None
    count: int | None = None
    text: EventText | None = None
    snapshot: str | None = None
    crop: str | None = None


class Event(msgspec.Struct, frozen=True, kw_only=True):
    """A CloudEvent 1.0 in its JSON form.

    Attributes:
        id: 32 hexadecimal digits; see `event_id`.
        source: `/cameras/<camera>`.
        type: `inferfleet.` and the kind, for example `inferfleet.zone.enter`.
        time: Capture time of the frame, UTC with microseconds, RFC 3339.
        subject: The camera's id.
        data: What was seen.
    """

    id: str
    source: str
    type: str
    time: str
    subject: str
    data: EventData
    specversion: Literal["1.0"] = "1.0"
    datacontenttype: Literal["application/json"] = "application/json"


def event_id(camera: str, position_token: str, rule: str, track: str) -> str:
    """Returns the id of what `rule` (`detection`, `zone.enter:door` …) found about `track` at a source position."""
    key = "\0".join((camera, position_token, rule, track))
    return hashlib.sha256(key.encode()).hexdigest()[: 2 * _ID_BYTES]


def format_time(time: datetime) -> str:
    """Returns RFC 3339 in UTC with microseconds: `2026-01-31T08:30:00.000000Z`."""
    return time.astimezone(UTC).replace(tzinfo=None).isoformat(timespec="microseconds") + "Z"


def encode(event: Event) -> bytes:
    """Returns the event as one line of JSON, without a line end."""
    return msgspec.json.encode(event)


def decode(line: bytes | str) -> Event:
    """Parses what `encode` wrote."""
    return msgspec.json.decode(line, type=Event)


def json_schema() -> dict[str, Any]:
    """Returns the JSON Schema (2020-12) of an event."""
    schema = msgspec.json.schema(Event)
    return {"$schema": "https://json-schema.org/draft/2020-12/schema", "title": "inferfleet event", **schema}
