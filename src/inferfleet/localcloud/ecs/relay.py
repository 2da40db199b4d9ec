"""A way from containers to the emulator, which listens on the loopback interface alone.

The engine's bridge has an address on this machine; the relay listens there and passes bytes on. It opens with the first
task, so that a cloud without containers listens nowhere else.
"""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Sequence
from contextlib import suppress
from functools import partial

_CHUNK = 1 << 16


class Relay:
    """Passes connections to ports of an address on to the same ports of another."""

    def __init__(self, to: str, ports: Sequence[int]) -> None:
        """Prepares it.

        Args:
            to: The address at which something listens.
            ports: Its ports.
        """
        self._to = to
        self._ports = ports
        self._lock = threading.Lock()
        self._loop: asyncio.AbstractEventLoop | None = None

    def open(self, at: str) -> None:
        """Listens at an address; does nothing once it does.

        Raises:
            OSError: It cannot listen there.
        """
        with self._lock:
            if self._loop is not None:
                return
            loop = asyncio.new_event_loop()
            threading.Thread(target=loop.run_forever, name="ecs-relay", daemon=True).start()
            asyncio.run_coroutine_threadsafe(self._listen(at), loop).result()
            self._loop = loop

    def close(self) -> None:
        """Listens no more."""
        with self._lock:
            if self._loop is not None:
                self._loop.call_soon_threadsafe(self._loop.stop)
                self._loop = None

    async def _listen(self, at: str) -> None:
        for port in self._ports:
            await asyncio.start_server(partial(self._pass, port), at, port)

    async def _pass(self, port: int, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            far_reader, far_writer = await asyncio.open_connection(self._to, port)
        except OSError:
            writer.close()
            return
        await asyncio.gather(_pour(reader, far_writer), _pour(far_reader, writer))
        for end in (writer, far_writer):
            end.close()


async def _pour(source: asyncio.StreamReader, sink: asyncio.StreamWriter) -> None:
    """Passes on all that comes, and then that nothing more will."""
    with suppress(OSError):
        while data := await source.read(_CHUNK):
            sink.write(data)
            await sink.drain()
    with suppress(OSError, RuntimeError):
        if sink.can_write_eof():
            sink.write_eof()
