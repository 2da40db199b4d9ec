"""GetMedia: where a body begins, what is sent and when, and the faults that bend it."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from typing import Any

from starlette.requests import Request

from inferfleet.localcloud.kvs.control import stream_of
from inferfleet.localcloud.kvs.errors import invalid, too_many_connections
from inferfleet.localcloud.kvs.faults import Kind, Progress
from inferfleet.localcloud.kvs.state import Emulator
from inferfleet.localcloud.kvs.store import Stored, Stream, behind_ms, chunk
from inferfleet.streams.kvs import fragments, writer

_PIECE = 64 * 1024
_TICK_S = 0.05
"""How often a waiting body looks whether a fault is due."""


class CutError(Exception):
    """Ends a body without its end, so that the client sees a broken connection."""


async def open_body(emulator: Emulator, request: Request) -> Body:
    """Checks a GetMedia call and gives its body, which is to be closed.

    Raises:
        ServiceError: The call is refused.
    """
    parameters = await emulator.parameters(request)
    stream = stream_of(emulator, parameters)
    emulator.admit("GetMedia", stream, request)
    if stream.readers >= emulator.limits.readers:
        raise too_many_connections(emulator.limits.readers)
    last = _start(stream, parameters.get("StartSelector") or {})
    return Body(emulator, stream, last)


def _start(stream: Stream, selector: dict[str, Any]) -> str:
    """The fragment number after which the body begins."""
    newest = stream.fragments[-1].number if stream.fragments else "0"
    match selector.get("StartSelectorType"):
        case "NOW":
            return newest
        case "EARLIEST":
            return "0"
        case "FRAGMENT_NUMBER":
            return _number(selector, "AfterFragmentNumber")
        case "CONTINUATION_TOKEN":
            return _number(selector, "ContinuationToken")
        case "SERVER_TIMESTAMP":
            return _at(stream, selector, lambda stored: stored.server_time)
        case "PRODUCER_TIMESTAMP":
            return _at(stream, selector, lambda stored: stored.producer_time)
    raise invalid(f"StartSelectorType {selector.get('StartSelectorType')!r} does not exist.")


def _number(selector: dict[str, Any], key: str) -> str:
    value = str(selector.get(key) or "")
    if not value.isdigit():
        raise invalid(f"{key} is needed, and is a fragment number.")
    return value


def _at(stream: Stream, selector: dict[str, Any], clock: Any) -> str:
    """The number before the first fragment at or after a time; the newest when there is none."""
    begin = selector.get("StartTimestamp")
    if not isinstance(begin, int | float):
        raise invalid("StartTimestamp is needed, in seconds since 1970.")
    for stored in stream.fragments:
        if clock(stored) + stored.duration_ms / 1000 > begin:
            return str(int(stored.number) - 1)
    return stream.fragments[-1].number if stream.fragments else "0"


class Body:
    """One GetMedia body on its way."""

    def __init__(self, emulator: Emulator, stream: Stream, last: str) -> None:
        self._emulator = emulator
        self._stream = stream
        self._last = last
        self._begun = time.monotonic()
        self._sent = 0
        self._fragments = 0
        self._rate = emulator.limits.body_bytes_a_second
        self._is_truncating = False
        stream.readers += 1

    def close(self) -> None:
        """Gives the stream's connection back."""
        self._stream.readers -= 1

    async def pieces(self) -> AsyncIterator[bytes]:
        """The body in pieces.

        Raises:
            CutError: A fault breaks the connection.
        """
        try:
            while (stored := await self._next()) is not None:
                data = chunk(stored, behind_ms(self._stream, stored))
                async for piece in self._send(data):
                    yield piece
                self._last = stored.number
                self._fragments += 1
        except EndError as end:
            if end.tail:
                yield end.tail

    async def _next(self) -> Stored | None:
        """Waits for the next fragment; None when the service would end the body."""
        idle_since = time.monotonic()
        while self._stream.name in self._emulator.store.streams:
            self._is_truncating |= await self._act()
            index = self._stream.after(self._last)
            if index < len(self._stream.fragments):
                return self._stream.fragments[index]
            now = time.monotonic()
            if self._stream.writers:
                idle_since = now
            if now - idle_since > self._emulator.limits.idle_s:
                return None
            await _wait(self._stream.grown)
        return None

    async def _send(self, data: bytes) -> AsyncIterator[bytes]:
        begin = 0
        while begin < len(data):
            self._is_truncating |= await self._act()
            if self._is_truncating:
                self._is_truncating = False
                # Half of what is left of the fragment is missing; the next one follows as if nothing had happened.
                data = data[: begin + (len(data) - begin) // 2]
            size = min(_PIECE, self._until_due(), max(1, int(self._rate * 0.1)))
            piece = data[begin : begin + size]
            begin += len(piece)
            self._sent += len(piece)
            yield piece
            await self._pace()

    async def _act(self) -> bool:
        """Lets due faults happen; true when the fragment at hand is to be truncated."""
        if time.monotonic() - self._begun > self._emulator.limits.connection_s:
            raise EndError
        fault = self._emulator.faults.due("GetMedia", self._stream.name, self._progress())
        if fault is None:
            return False
        match fault.kind:
            case Kind.CUT:
                raise CutError
            case Kind.END:
                raise EndError
            case Kind.STALL:
                await asyncio.Event().wait()
            case Kind.SLOW:
                self._rate = fault.rate
            case Kind.ERROR:
                tags = {fragments.ERROR_ID: str(fault.id), fragments.ERROR_CODE: "INJECTED_BY_A_FAULT"}
                raise EndError(writer.header(()) + writer.tags(tags))
        return fault.kind is Kind.TRUNCATE

    def _until_due(self) -> int:
        """Bytes until the next fault that waits for a number of them."""
        waiting = self._emulator.faults.waiting.values()
        due = [f.bytes - self._sent for f in waiting if f.hits("GetMedia", self._stream.name) and f.bytes > self._sent]
        return min(due, default=_PIECE)

    async def _pace(self) -> None:
        ahead = self._sent / self._rate - (time.monotonic() - self._begun)
        if ahead > 0 and self._rate < self._emulator.limits.body_bytes_a_second:
            await asyncio.sleep(ahead)

    def _progress(self) -> Progress:
        return Progress(time.monotonic() - self._begun, self._sent, self._fragments)


class EndError(Exception):
    """Ends a body properly, after a last piece."""

    def __init__(self, tail: bytes = b"") -> None:
        super().__init__()
        self.tail = tail


async def _wait(event: asyncio.Event) -> None:
    """Waits for an event, but no longer than a tick."""
    try:
        await asyncio.wait_for(event.wait(), _TICK_S)
    except TimeoutError:
        return
