"""A fragment and what it is made of, and the pure decisions about it: which clock to trust, which tags are whose.

A fragment is what Kinesis Video Streams numbers, stores and delivers: 1 to 20 seconds of media that can be decoded
on their own, with the tracks' codec private data at hand.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from enum import StrEnum

import msgspec

SERVICE_PREFIX = "AWS_KINESISVIDEO_"
"""Begins every tag that the service adds; all others are the producer's."""

FRAGMENT_NUMBER = SERVICE_PREFIX + "FRAGMENT_NUMBER"
SERVER_TIMESTAMP = SERVICE_PREFIX + "SERVER_TIMESTAMP"
SERVER_SIDE_TIMESTAMP = SERVICE_PREFIX + "SERVER_SIDE_TIMESTAMP"
"""The name that GetMediaForFragmentList gives to the server's time."""
PRODUCER_TIMESTAMP = SERVICE_PREFIX + "PRODUCER_TIMESTAMP"
MILLIS_BEHIND_NOW = SERVICE_PREFIX + "MILLIS_BEHIND_NOW"
CONTINUATION_TOKEN = SERVICE_PREFIX + "CONTINUATION_TOKEN"
ERROR_CODE = SERVICE_PREFIX + "ERROR_CODE"
ERROR_ID = SERVICE_PREFIX + "ERROR_ID"

MAX_SKEW_S = 86_400.0
"""Producer and server clocks further apart than this are taken for a producer without a clock."""


class Clock(StrEnum):
    """Whose time a fragment begins at."""

    PRODUCER = "producer"
    SERVER = "server"
    NONE = "none"


class Track(msgspec.Struct, frozen=True):
    """A track of a fragment.

    Attributes:
        number: What its frames call it.
        kind: 1 for video, 2 for audio (Matroska's TrackType).
        codec: Matroska's codec id, such as V_MPEG4/ISO/AVC or V_MPEGH/ISO/HEVC.
        private: The codec private data (avcC, hvcC, AudioSpecificConfig); empty when there are none.
        name: As the producer named it.
        width: Picture width in pixels; 0 for audio.
        height: Picture height in pixels; 0 for audio.
        sample_rate: Samples per second; 0 for video.
        channels: Audio channels; 0 for video.
    """

    number: int
    kind: int
    codec: str
    private: bytes = b""
    name: str = ""
    width: int = 0
    height: int = 0
    sample_rate: float = 0.0
    channels: int = 0


class Frame(msgspec.Struct, frozen=True, gc=False):
    """A coded frame.

    Attributes:
        track: Number of its track.
        timecode: Presentation time on the producer's media clock, in nanoseconds; it may repeat or run backwards
            from one fragment to the next.
        time: When it was captured, in seconds since 1970 on the fragment's clock; None when that is `Clock.NONE`.
        keyframe: It can be decoded on its own.
        data: Its bytes, a read-only view into the fragment's; holding it keeps the whole fragment in memory.
    """

    track: int
    timecode: int
    time: float | None
    keyframe: bool
    data: memoryview


class Fragment(msgspec.Struct, frozen=True):
    """A complete fragment.

    Attributes:
        number: The service's number for it, a decimal of 47 digits; empty where the body gives none.
        producer_time: When the producer says that it began, in seconds since 1970.
        server_time: When the service received its beginning, in seconds since 1970.
        start: The one of the two that is trusted.
        clock: Which one that is.
        continuation_token: Where to go on after it; equal to the number in every body seen so far.
        millis_behind: How far it is behind the newest of the stream, in milliseconds; None where the body says nothing.
        tags: The producer's own tags.
        tracks: Its tracks, in the order of the body.
        frames: Its frames, in the order of the body (which is the order of decoding).
        timecode: The Cluster's timecode in nanoseconds, which is where `start` stands on the media clock.
        size: Bytes it took in the body.
    """

    number: str
    producer_time: float | None
    server_time: float | None
    start: float | None
    clock: Clock
    continuation_token: str
    millis_behind: int | None
    tags: Mapping[str, str]
    tracks: tuple[Track, ...]
    frames: tuple[Frame, ...]
    timecode: int
    size: int

    def track(self, number: int) -> Track | None:
        """The track of that number, if there is one."""
        return next((track for track in self.tracks if track.number == number), None)


def seconds(value: str | None) -> float | None:
    """Reads a time tag such as `1511852109.126`; None when it is absent or says nothing (`0.000`, not a number)."""
    try:
        number = float(value) if value else 0.0
    except ValueError:
        return None
    return number if math.isfinite(number) and number > 0 else None


def trusted_start(
    producer: float | None, server: float | None, max_skew: float = MAX_SKEW_S
) -> tuple[float | None, Clock]:
    """Decides which clock a fragment's frames are stamped with.

    The producer's, as it is the time of capture; the server's where the producer gave none or one that is absurd:
    further than `max_skew` seconds from the server's.
    """
    if producer is not None and (server is None or abs(producer - server) <= max_skew):
        return producer, Clock.PRODUCER
    if server is not None:
        return server, Clock.SERVER
    return None, Clock.NONE


def whole_number(value: str | None) -> int | None:
    """Reads a tag that holds a number; None when it is absent or holds something else."""
    try:
        return int(value) if value else None
    except ValueError:
        return None
