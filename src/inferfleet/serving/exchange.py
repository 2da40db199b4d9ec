"""A request as handlers see it: headers, query, body within limits, its id, its trace and its deadline."""

from __future__ import annotations

import asyncio
import random
import re
import time
import zlib
from typing import Any
from urllib.parse import parse_qsl

from inferfleet.config.serve import LimitsConfig
from inferfleet.serving.problems import ClientGone, Problem
from inferfleet.serving.protocol import IS_WHOLE
from inferfleet.serving.ticket import Receive

_REQUEST_ID = re.compile(rb"[!-~]{1,128}")
_TRACEPARENT = re.compile(r"([0-9a-f]{2})-([0-9a-f]{32})-([0-9a-f]{16})-([0-9a-f]{2})(-.*)?")
_WINDOW = {b"gzip": 31, b"x-gzip": 31, b"deflate": 47}
"""zlib's window sizes: 31 expects a gzip header, 47 finds out whether it is gzip or zlib."""


_ids = random.Random()
"""Request ids are no secret; the system's own source would release the interpreter's lock for each."""


class Exchange:
    """One request.

    Attributes:
        scope: The ASGI scope.
        receive: The ASGI receive channel.
        headers: By lower-case name; of repeated ones the last.
        arrived: When it came, by `time.monotonic`.
        request_id: The client's X-Request-ID, or a new one.
        model: The model that it is for, once that is known; for metrics and the log.
        pictures: How many pictures it holds, once that is known; for the log.
        queued: Seconds it waited for the device; for the log.
        worked: Seconds its batch took; for the log.
    """

    __slots__ = (
        "arrived",
        "headers",
        "model",
        "parameters",
        "pictures",
        "queued",
        "receive",
        "request_id",
        "scope",
        "timeout",
        "worked",
    )

    def __init__(self, scope: Any, receive: Receive) -> None:
        self.scope = scope
        self.receive = receive
        self.arrived = time.monotonic()
        self.headers: dict[bytes, bytes] = dict(scope["headers"])
        given = self.headers.get(b"x-request-id", b"")
        self.request_id = given.decode() if _REQUEST_ID.fullmatch(given) else f"{_ids.getrandbits(64):016x}"
        self.model = ""
        self.pictures = 0
        self.queued = self.worked = 0.0
        self.timeout = 0.0
        self.parameters: dict[str, str] = {}

    @property
    def left(self) -> float:
        """Seconds until the request's deadline."""
        return self.arrived + self.timeout - time.monotonic()

    def choose_timeout(self, most: float) -> None:
        """Sets the deadline: what `X-Request-Timeout` asks for, in seconds, but not more than `most`.

        Raises:
            Problem: The header is not a number above 0.
        """
        self.timeout = most
        text = self.headers.get(b"x-request-timeout")
        if text is None:
            return
        try:
            asked = float(text)
        except ValueError:
            asked = 0.0
        if not 0 < asked < float("inf"):
            raise Problem("bad-request", "X-Request-Timeout: give seconds above 0, for instance 0.5")
        self.timeout = min(asked, most)

    def query(self) -> dict[str, str]:
        """Returns the query's parameters; of repeated ones the last.

        Raises:
            Problem: The query is not readable.
        """
        text = self.scope["query_string"]
        if not text:
            return {}
        try:
            return dict(parse_qsl(text.decode("ascii"), keep_blank_values=True, max_num_fields=50, errors="strict"))
        except ValueError as error:
            raise Problem("bad-request", "the query cannot be read; use name=value&name=value") from error

    def header(self, name: bytes) -> str:
        """Returns a header's text, empty where it is missing."""
        return self.headers.get(name, b"").decode("latin-1")

    def trace(self) -> tuple[str, str] | None:
        """Returns the W3C trace id and the parent's span id, if the client sent good ones."""
        text = self.headers.get(b"traceparent")
        match = _TRACEPARENT.fullmatch(text.decode("latin-1").strip()) if text else None
        if match is None or match[1] == "ff" or (match[1] == "00" and match[5]):
            return None
        if not int(match[2], 16) or not int(match[3], 16):
            return None
        return match[2], match[3]

    def check_length(self, limits: LimitsConfig) -> None:
        """Refuses a body that says it is too long, before any of it is read.

        Raises:
            Problem: It says so.
        """
        length = self.headers.get(b"content-length")
        if length is not None and int(length) > limits.body_bytes:
            raise _too_large(limits.body_bytes)

    async def body(self, limits: LimitsConfig) -> bytes:
        """Reads the body and undoes its `Content-Encoding`.

        Raises:
            Problem: It is too large, comes too slowly, or its encoding is unknown or broken.
            ClientGone: The client went away.
        """
        self.check_length(limits)
        is_whole = self.scope.get("extensions", {}).get(IS_WHOLE)
        if is_whole is not None and is_whole():
            data = await self._collect(limits.body_bytes)
        else:
            data = await self._collect_within(limits)
        encoding = self.headers.get(b"content-encoding", b"identity").strip().lower()
        return data if encoding == b"identity" else _decompress(data, encoding, limits.body_bytes)

    async def _collect_within(self, limits: LimitsConfig) -> bytes:
        try:
            async with asyncio.timeout(limits.read_seconds):
                return await self._collect(limits.body_bytes)
        except TimeoutError as error:
            raise Problem(
                "read-timeout", f"the body did not arrive within {limits.read_seconds:g} s", (b"connection", b"close")
            ) from error

    async def _collect(self, most: int) -> bytes:
        chunks: list[bytes] = []
        size = 0
        while True:
            message = await self.receive()
            if message["type"] == "http.disconnect":
                raise ClientGone
            chunk: bytes = message.get("body", b"")
            size += len(chunk)
            if size > most:
                raise _too_large(most)
            chunks.append(chunk)
            if not message.get("more_body", False):
                return chunks[0] if len(chunks) == 1 else b"".join(chunks)


def _too_large(most: int) -> Problem:
    return Problem("too-large", f"the body is larger than the {most} bytes that are accepted")


def _decompress(data: bytes, encoding: bytes, most: int) -> bytes:
    """Undoes gzip or deflate, without ever holding more than `most` bytes."""
    window = _WINDOW.get(encoding)
    if window is None:
        raise Problem(
            "unsupported-media-type",
            f"Content-Encoding {encoding.decode('latin-1')!r}: send gzip, deflate or nothing",
            (b"accept-encoding", b"gzip, deflate"),
        )
    decoder = zlib.decompressobj(window)
    try:
        result = decoder.decompress(data, most + 1)
    except zlib.error as error:
        raise Problem("bad-request", f"the body is not {encoding.decode('latin-1')}") from error
    if len(result) > most:
        raise _too_large(most)
    if not decoder.eof:
        raise Problem("bad-request", f"the {encoding.decode('latin-1')} body is cut off")
    return result
