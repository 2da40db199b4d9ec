"""Events as JSON lines on standard output, for pipes."""

from __future__ import annotations

import errno
import os
from collections.abc import Sequence

from inferfleet.streams.delivery.item import Item
from inferfleet.streams.delivery.sinks.base import Failure, SinkEnded, SinkError
from inferfleet.streams.event import encode

STDOUT = 1


class StdoutSink:
    """Writes whole lines to a file descriptor, past Python's buffers, so that nothing else gets between them."""

    batch_size = 500

    def __init__(self, name: str, descriptor: int = STDOUT) -> None:
        self.name = name
        self._descriptor = descriptor

    def open(self) -> None:
        """Checks that there is a standard output.

        Raises:
            SinkError: It was closed before the start.
        """
        try:
            os.fstat(self._descriptor)
        except OSError as error:
            raise SinkError("standard output is closed; use the `file` sink, or redirect it to /dev/null") from error

    def deliver(self, batch: Sequence[Item]) -> Sequence[Failure]:
        """Writes one line an event.

        Raises:
            SinkEnded: The reader of the pipe has gone.
        """
        rest = memoryview(b"".join(encode(item.event) + b"\n" for item in batch))
        try:
            while rest:
                rest = rest[os.write(self._descriptor, rest) :]
        except OSError as error:
            if error.errno in (errno.EPIPE, errno.EBADF):
                raise SinkEnded("the reader of standard output has gone") from error
            raise
        return ()

    def close(self) -> None:
        """Leaves standard output as it is."""
