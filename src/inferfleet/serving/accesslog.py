"""The access log: one JSON line a request, written in bundles so that it costs a request next to nothing."""

from __future__ import annotations

import asyncio
from datetime import datetime
from typing import BinaryIO

import msgspec

_FLUSH_SECONDS = 0.2
_MOST_WAITING = 1000

_encode = msgspec.json.Encoder().encode


class Line(msgspec.Struct, omit_defaults=True):
    """One request, as it is logged.

    Attributes:
        method: The HTTP method.
        path: Without the query, which may hold anything.
        status: The HTTP status; 499 where the client went away.
        seconds: From arrival to answer.
        request_id: As the answer's X-Request-ID.
        client: The address that connected.
        forwarded_for: The X-Forwarded-For header, as a balancer writes it.
        trace_id: The W3C trace.
        model: The model asked.
        pictures: Pictures in the request.
        queued: Seconds it waited for the device.
        worked: Seconds its batch took.
        problem: What was wrong.
        timestamp: When it was answered.
        level: As in other logs.
        event: Always `request`.
    """

    method: str
    path: str
    status: int
    seconds: float
    request_id: str
    timestamp: datetime
    client: str = ""
    forwarded_for: str = ""
    trace_id: str = ""
    model: str = ""
    pictures: int = 0
    queued: float = 0.0
    worked: float = 0.0
    problem: str = ""
    level: str = msgspec.field(default_factory=lambda: "info")
    event: str = msgspec.field(default_factory=lambda: "request")


class AccessLog:
    """Collects lines and writes them a few times a second."""

    def __init__(self, target: BinaryIO) -> None:
        self._target = target
        self._lines: list[bytes] = []
        self._timer: asyncio.TimerHandle | None = None

    def write(self, line: Line) -> None:
        """Adds a line; call it on the event loop."""
        self._lines.append(_encode(line))
        if len(self._lines) >= _MOST_WAITING:
            self.flush()
        elif self._timer is None:
            self._timer = asyncio.get_running_loop().call_later(_FLUSH_SECONDS, self.flush)

    def flush(self) -> None:
        """Writes what is there."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        if self._lines:
            text = b"\n".join(self._lines) + b"\n"
            self._lines.clear()
            try:
                self._target.write(text)
                self._target.flush()
            except OSError:
                pass  # nobody reads the log any more; requests matter more
