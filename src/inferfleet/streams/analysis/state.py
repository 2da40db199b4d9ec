"""The analysis of a camera as bytes, for its checkpoint."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence

import msgspec

from inferfleet.config.cameras import Camera
from inferfleet.streams.analysis.outcome import ModelInfo
from inferfleet.streams.analysis.track import Track

VERSION = 1
"""Of the format and of what its numbers mean; a state of another version is not read."""

Rows = list[list[list[float]]]


class Tally(msgspec.Struct, array_like=True):
    """What was last said about the number of objects in a zone.

    Attributes:
        count: The number.
        at: When, on the analysis clock; None if nothing was said yet.
    """

    count: int = 0
    at: int | None = None


class State(msgspec.Struct, kw_only=True):
    """All that the analysis of a camera knows.

    Attributes:
        version: `VERSION` when it was written.
        fingerprint: See `fingerprint`.
        number: How many frames there were.
        clock: The capture time of the latest, in microseconds since 1970, never going back; None before the first.
        size: Width and height of the latest picture in pixels; None before the first.
        tracks: The tracks, oldest first.
        motion: `Motion.state` of the tracks.
        ended: Tracks that ended within the cooldown.
        tallies: What was said about the number of objects in each zone.
    """

    fingerprint: str
    number: int
    clock: int | None
    size: tuple[int, int] | None
    tracks: list[Track]
    motion: Rows
    ended: list[Track]
    tallies: dict[str, Tally]
    version: int = VERSION


class _Header(msgspec.Struct):
    version: int
    fingerprint: str


def fingerprint(camera: Camera, models: Sequence[ModelInfo]) -> str:
    """Returns a hash of everything that gives a state its meaning: the camera's analysis and its models."""
    kept = {"id", "steps", "zones", "lines", "tracking", "confirm", "cooldown", "detection_events", "fps_target"}
    parts = [camera.model_dump_json(include=kept)]
    parts += [part for model in models for part in (model.name, model.digest, *model.names)]
    return hashlib.sha256("\0".join(parts).encode()).hexdigest()


def encode(state: State) -> bytes:
    """Returns the state as bytes; equal states give equal bytes."""
    return msgspec.msgpack.encode(state)


def decode(data: bytes, expected: str) -> State | str:
    """Reads what `encode` wrote.

    Args:
        data: The bytes.
        expected: The fingerprint that the state must have.

    Returns:
        The state, or why it cannot be taken over.
    """
    try:
        header = msgspec.msgpack.decode(data, type=_Header)
        if header.version != VERSION:
            return f"it has version {header.version}, this worker reads version {VERSION}"
        if header.fingerprint != expected:
            return "the camera's configuration or its model has changed since"
        return msgspec.msgpack.decode(data, type=State)
    except msgspec.DecodeError as error:
        return f"it cannot be read: {error}"
