"""The streams and their fragments, in memory: numbering, retention, selection, and waking those who wait for more."""

from __future__ import annotations

import asyncio
import bisect
import secrets
import time
from collections.abc import Sequence
from dataclasses import dataclass, field

from inferfleet.localcloud.kvs.errors import ServiceError, invalid, not_found
from inferfleet.streams.kvs import fragments, writer
from inferfleet.streams.kvs.fragments import Fragment, Track

_NUMBER_PREFIX = 91343852333181
"""Begins every fragment number, as in the bodies that AWS publishes; the whole has 47 digits and grows with time."""

WITHOUT_RETENTION_S = 300.0
"""How long fragments of a stream without retention can still be read by GetMedia."""


@dataclass(frozen=True, slots=True)
class Stored:
    """A fragment as it is kept.

    Attributes:
        number: Its fragment number.
        producer_time: Seconds since 1970.
        server_time: Seconds since 1970.
        duration_ms: From its first frame to the end of its last.
        tracks: Its tracks.
        opening: EBML header, Segment, Info and Tracks.
        cluster: The media.
        tags: The producer's tags, as bytes.
    """

    number: str
    producer_time: float
    server_time: float
    duration_ms: int
    tracks: tuple[Track, ...]
    opening: bytes
    cluster: bytes
    tags: bytes

    @property
    def size(self) -> int:
        """Bytes that count towards retention."""
        return len(self.opening) + len(self.cluster) + len(self.tags)


@dataclass
class Stream:
    """A stream and what is in it.

    Attributes:
        name: Its name.
        arn: Its ARN.
        created: When, in seconds since 1970.
        retention_hours: How long fragments are kept; 0 keeps them a few minutes for GetMedia alone.
        media_type: As the creator said.
        version: Changes with each change of the metadata.
        tags: AWS resource tags.
        fragments: By number.
        readers: Open GetMedia connections.
        writers: Open PutMedia connections.
    """

    name: str
    arn: str
    created: float
    retention_hours: int = 0
    media_type: str = ""
    version: str = field(default_factory=lambda: secrets.token_hex(10))
    tags: dict[str, str] = field(default_factory=dict)
    fragments: list[Stored] = field(default_factory=list)
    readers: int = 0
    writers: int = 0
    grown: asyncio.Event = field(default_factory=asyncio.Event)

    def after(self, number: str) -> int:
        """Index of the first fragment whose number is greater."""
        return bisect.bisect_right(self.fragments, int(number), key=lambda stored: int(stored.number))

    def description(self) -> dict[str, object]:
        """StreamInfo."""
        return {
            "StreamName": self.name,
            "StreamARN": self.arn,
            "MediaType": self.media_type,
            "KmsKeyId": "arn:aws:kms:us-east-1:000000000000:alias/aws/kinesisvideo",
            "Version": self.version,
            "Status": "ACTIVE",
            "CreationTime": self.created,
            "DataRetentionInHours": self.retention_hours,
        }


class Store:
    """All streams of the account. Everything happens on one event loop."""

    def __init__(self, region: str, max_bytes: int) -> None:
        """Begins empty.

        Args:
            region: Goes into the ARNs.
            max_bytes: Above it the oldest fragments go, whatever the retention.
        """
        self.streams: dict[str, Stream] = {}
        self._region = region
        self._max_bytes = max_bytes
        self._bytes = 0
        self._sequence = 0

    def create(self, name: str, retention_hours: int, media_type: str, tags: dict[str, str]) -> Stream:
        """Creates a stream.

        Raises:
            ServiceError: There is one of that name.
        """
        if name in self.streams:
            raise ServiceError("ResourceInUseException", f"The stream {name} already exists.")
        now = time.time()
        arn = f"arn:aws:kinesisvideo:{self._region}:000000000000:stream/{name}/{int(now * 1000)}"
        self.streams[name] = Stream(name, arn, now, retention_hours, media_type, tags=tags)
        return self.streams[name]

    def find(self, name: str | None, arn: str | None) -> Stream:
        """The stream that a request means.

        Raises:
            ServiceError: It names none, or one that does not exist.
        """
        if bool(name) == bool(arn):
            raise invalid("Specify exactly one of StreamName and StreamARN.")
        for stream in self.streams.values():
            if stream.name == name or stream.arn == arn:
                return stream
        raise not_found(name or arn or "")

    def delete(self, stream: Stream) -> None:
        """Deletes a stream and what is in it."""
        self._bytes -= sum(stored.size for stored in stream.fragments)
        del self.streams[stream.name]
        stream.fragments.clear()
        stream.grown.set()

    def add(self, stream: Stream, fragment: Fragment, producer_time: float) -> Stored:
        """Keeps a fragment, and lets go of those past their retention."""
        first, last = fragment.frames[0].timecode, fragment.frames[-1].timecode
        frame_ns = (last - first) // max(1, len(fragment.frames) - 1)
        stored = Stored(
            number=self._next_number(),
            producer_time=producer_time,
            server_time=time.time(),
            duration_ms=(last - first + frame_ns) // 1_000_000,
            tracks=fragment.tracks,
            opening=writer.header(fragment.tracks),
            cluster=writer.cluster(fragment.frames),
            tags=writer.tags(fragment.tags),
        )
        stream.fragments.append(stored)
        self._bytes += stored.size
        self.expire(stream)
        while self._bytes > self._max_bytes and len(stream.fragments) > 1:
            self._bytes -= stream.fragments.pop(0).size
        stream.grown.set()
        stream.grown = asyncio.Event()
        return stored

    def expire(self, stream: Stream) -> None:
        """Removes what is past its retention."""
        keep_s = stream.retention_hours * 3600 or WITHOUT_RETENTION_S
        horizon = time.time() - keep_s
        while stream.fragments and stream.fragments[0].server_time < horizon:
            self._bytes -= stream.fragments.pop(0).size

    def _next_number(self) -> str:
        self._sequence += 1
        return f"{_NUMBER_PREFIX}{int(time.time() * 1000):013d}{self._sequence:08d}{secrets.randbelow(10**12):012d}"


def chunk(stored: Stored, behind_ms: int) -> bytes:
    """A fragment as GetMedia sends it."""
    opening = {
        fragments.FRAGMENT_NUMBER: stored.number,
        fragments.SERVER_TIMESTAMP: f"{stored.server_time:.3f}",
        fragments.PRODUCER_TIMESTAMP: f"{stored.producer_time:.3f}",
    }
    closing = {fragments.MILLIS_BEHIND_NOW: str(behind_ms), fragments.CONTINUATION_TOKEN: stored.number}
    return b"".join((stored.opening, writer.tags(opening), stored.cluster, stored.tags, writer.tags(closing)))


def archived_chunk(stored: Stored) -> bytes:
    """A fragment as GetMediaForFragmentList sends it: no closing tags, and the server's time under another name."""
    opening = {
        fragments.FRAGMENT_NUMBER: stored.number,
        fragments.SERVER_SIDE_TIMESTAMP: f"{stored.server_time:.3f}",
        fragments.PRODUCER_TIMESTAMP: f"{stored.producer_time:.3f}",
    }
    return b"".join((stored.opening, writer.tags(opening), stored.cluster, stored.tags))


def behind_ms(stream: Stream, stored: Stored) -> int:
    """How far a fragment is behind the newest of its stream, in milliseconds of server time."""
    return max(0, round((stream.fragments[-1].server_time - stored.server_time) * 1000)) if stream.fragments else 0


def between(found: Sequence[Stored], begin: float, end: float, *, by_producer: bool) -> list[Stored]:
    """Fragments that began within a time range, by one of the two clocks."""
    return [stored for stored in found if begin <= (stored.producer_time if by_producer else stored.server_time) <= end]
