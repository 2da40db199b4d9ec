"""PutMedia: takes a producer's Matroska and answers on the same connection what became of each fragment."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import AsyncIterator, Sequence

from starlette.requests import Request

from inferfleet.localcloud.kvs.errors import invalid, too_many_connections
from inferfleet.localcloud.kvs.faults import Kind, Progress
from inferfleet.localcloud.kvs.get_media import CutError
from inferfleet.localcloud.kvs.state import Emulator
from inferfleet.localcloud.kvs.store import Stream
from inferfleet.streams.kvs.errors import DamageError
from inferfleet.streams.kvs.fragments import Fragment
from inferfleet.streams.kvs.matroska import Framing, Item, MatroskaReader

_CODES = {
    4000: "STREAM_READ_ERROR",
    4001: "MAX_FRAGMENT_SIZE_REACHED",
    4002: "MAX_FRAGMENT_DURATION_REACHED",
    4003: "MAX_CONNECTION_DURATION_REACHED",
    4004: "FRAGMENT_TIMECODE_LESSER_THAN_PREVIOUS",
    4005: "MORE_THAN_ALLOWED_TRACKS_FOUND",
    4006: "INVALID_MKV_DATA",
    4009: "FRAGMENT_METADATA_LIMIT_REACHED",
    5000: "INTERNAL_ERROR",
    5001: "ARCHIVAL_ERROR",
}
"""Error acknowledgements (PutMedia's API reference)."""


async def open_session(emulator: Emulator, request: Request) -> Session:
    """Checks a PutMedia call.

    Raises:
        ServiceError: The call is refused.
    """
    emulator.check_signed(request)  # a streamed body is signed as if there were none
    headers = request.headers
    stream = emulator.store.find(headers.get("x-amzn-stream-name"), headers.get("x-amzn-stream-arn"))
    emulator.admit("PutMedia", stream, request)
    if stream.writers >= emulator.limits.writers:
        raise too_many_connections(emulator.limits.writers)
    kind = headers.get("x-amzn-fragment-timecode-type", "")
    if kind not in ("ABSOLUTE", "RELATIVE"):
        raise invalid("x-amzn-fragment-timecode-type must be ABSOLUTE or RELATIVE.")
    try:
        start = float(headers.get("x-amzn-producer-start-timestamp", "0"))
    except ValueError:
        raise invalid("x-amzn-producer-start-timestamp must be a number of seconds.") from None
    return Session(emulator, stream, 0.0 if kind == "ABSOLUTE" else start)


class Session:
    """One PutMedia connection."""

    def __init__(self, emulator: Emulator, stream: Stream, start: float) -> None:
        """Begins a session.

        Args:
            emulator: Where it happens.
            stream: The stream that takes the fragments.
            start: Seconds since 1970 that timecodes count from.
        """
        self._emulator = emulator
        self._stream = stream
        self._start = start
        self._reader = MatroskaReader(Framing.PUT_MEDIA, max_fragment_bytes=emulator.limits.fragment_bytes)
        self._begun = time.monotonic()
        self._received = 0
        self._fragments = 0
        self._previous = -1
        stream.writers += 1

    def close(self) -> None:
        """Gives the stream's connection back."""
        self._stream.writers -= 1

    async def acknowledgements(self, body: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
        """Takes the body and yields acknowledgements until it ends or is refused.

        Raises:
            CutError: A fault breaks the connection.
        """
        async for piece in body:
            self._received += len(piece)
            async for ack in self._take(self._reader.feed(piece)):
                yield ack.encode
                if ack.is_error:
                    return
        async for ack in self._take(self._reader.finish()):
            yield ack.encode

    async def _fault(self) -> int:
        """Lets a due fault happen; the id of the error that it is, or 0."""
        age = time.monotonic() - self._begun
        fault = self._emulator.faults.due("PutMedia", self._stream.name, Progress(age, self._received, self._fragments))
        if fault is None:
            return 4003 if age > self._emulator.limits.connection_s else 0
        match fault.kind:
            case Kind.ERROR:
                return fault.id
            case Kind.END:
                return 4003
            case Kind.STALL:
                await asyncio.Event().wait()
        raise CutError

    async def _take(self, items: Sequence[Item]) -> AsyncIterator[Ack]:
        for item in (None, *items):
            if injected := await self._fault():
                yield _error(injected)
                return
            if item is None:
                continue
            if not isinstance(item, Fragment):
                size = isinstance(item, DamageError) and "the most is" in str(item)
                yield _error(4001 if size else 4006)
                return
            timecode = item.timecode // 1_000_000
            error = self._check(item, timecode)
            if error:
                yield _error(error, timecode)
                return
            stored = self._emulator.store.add(self._stream, item, self._start + timecode / 1000)
            self._previous = timecode
            self._fragments += 1
            for event in ("BUFFERING", "RECEIVED", "PERSISTED"):
                yield Ack({"EventType": event, "FragmentTimecode": timecode, "FragmentNumber": stored.number})

    def _check(self, fragment: Fragment, timecode: int) -> int:
        """The id of what is wrong with a fragment; 0 when nothing is."""
        limits = self._emulator.limits
        if len(fragment.tracks) > limits.tracks:
            return 4005
        if len(fragment.tags) > limits.fragment_tags:
            return 4009
        if not fragment.frames or not fragment.tracks:
            return 4006
        if timecode <= self._previous:
            return 4004
        spans = [frame.timecode for frame in fragment.frames]
        return 4002 if max(spans) - min(spans) > limits.fragment_s * 1e9 else 0


class Ack:
    """An acknowledgement."""

    def __init__(self, values: dict[str, object]) -> None:
        self.is_error = "ErrorId" in values
        self.encode = json.dumps(values, separators=(",", ":")).encode() + b"\n"


def _error(id: int, timecode: int | None = None) -> Ack:
    values: dict[str, object] = {"EventType": "ERROR", "ErrorId": id, "ErrorCode": _CODES.get(id, "ERROR")}
    return Ack(values | ({} if timecode is None else {"FragmentTimecode": timecode}))
