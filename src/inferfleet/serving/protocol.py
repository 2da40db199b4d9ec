"""HTTP/1.1 over uvicorn's parser, with the limits that it lacks: slow headers, endless headers, bodies nobody reads."""

from __future__ import annotations

import asyncio
from typing import Any

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

_MOST_HEADER_BYTES = 64 * 1024
_GRACE_SECONDS = 5.0
"""The application answers a slow body itself (408); this much later the connection is closed regardless."""
IS_WHOLE = "inferfleet.is_whole"
"""The ASGI extension that tells whether all of a request has arrived: its body can then be read without a timer."""


class _Bundled:
    """A transport that sends what one turn of the loop writes in one go: an answer's head and body."""

    def __init__(self, transport: asyncio.Transport, loop: asyncio.AbstractEventLoop) -> None:
        self._transport = transport
        self._loop = loop
        self._written: list[bytes] = []

    def write(self, data: bytes) -> None:
        """Sends it at the end of this turn."""
        if not self._written:
            self._loop.call_soon(self._send)
        self._written.append(data)

    def close(self) -> None:
        """Sends what was written, then closes."""
        self._send()
        self._transport.close()

    def _send(self) -> None:
        if self._written:
            written, self._written = self._written, []
            self._transport.writelines(written)

    def __getattr__(self, name: str) -> Any:
        """Is the transport in everything else."""
        return getattr(self._transport, name)


def limited(read_seconds: float) -> type[HttpToolsProtocol]:
    """Makes the protocol.

    Args:
        read_seconds: How long a request may take to arrive, from its first byte; a new connection may be silent as
            long.
    """

    class Protocol(HttpToolsProtocol):
        """One connection."""

        _reading: asyncio.TimerHandle | None = None
        _header_bytes = 0
        _in_headers = True

        def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
            super().connection_made(_Bundled(transport, self.loop))  # type: ignore[arg-type]
            self._start_reading()

        def connection_lost(self, exc: Exception | None) -> None:
            self._stop_reading()
            super().connection_lost(exc)

        def data_received(self, data: bytes) -> None:
            if self._in_headers:
                self._header_bytes += len(data)
            super().data_received(data)
            if self._in_headers and self._header_bytes > _MOST_HEADER_BYTES and not self.transport.is_closing():
                self.transport.write(b"HTTP/1.1 431 Request Header Fields Too Large\r\nconnection: close\r\n\r\n")
                self.transport.close()

        def on_message_begin(self) -> None:
            super().on_message_begin()
            self._in_headers = True
            if self._reading is None:
                self._start_reading()

        def on_headers_complete(self) -> None:
            self._in_headers = False
            self._header_bytes = 0
            self.scope["extensions"] = {IS_WHOLE: self._is_whole}  # type: ignore[dict-item]
            super().on_headers_complete()

        def on_message_complete(self) -> None:
            self._stop_reading()
            super().on_message_complete()

        def _is_whole(self) -> bool:
            return self._reading is None

        def _start_reading(self) -> None:
            self._reading = self.loop.call_later(read_seconds + _GRACE_SECONDS, self._too_slow)

        def _stop_reading(self) -> None:
            if self._reading is not None:
                self._reading.cancel()
                self._reading = None

        def _too_slow(self) -> None:
            self._reading = None
            self.transport.close()

    return Protocol


def uvicorn_options(read_seconds: float, keep_alive: float) -> dict[str, Any]:
    """The settings of uvicorn that every port of the server shares."""
    return {
        "http": limited(read_seconds),
        "ws": "none",
        "lifespan": "off",
        "interface": "asgi3",
        "log_config": None,
        "access_log": False,
        "server_header": False,
        "proxy_headers": False,
        "timeout_keep_alive": keep_alive,
    }
