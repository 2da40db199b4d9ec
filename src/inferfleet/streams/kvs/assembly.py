"""The bytes of the fragment that is on its way: copied once, in a buffer that in the end belongs to the fragment."""

from __future__ import annotations

from collections.abc import Iterator

from inferfleet.streams.kvs.ebml import Buffer

PIECE = 64 * 1024
"""Larger chunks are taken in pieces of so many bytes, so that little remains to move when a fragment ends within."""


class Assembly:
    """A growing buffer with three places in it: `start` of the fragment, `at` which the walk stands, `end` of the data.

    Its memory is a new block for each fragment, about as large as the fragment before it. What a fragment's frames
    look at is never written again: data are only added behind `end`.

    Attributes:
        data: The buffer; what lies behind `end` is not data.
        start: Where the fragment begins.
        at: Where the next element begins.
        end: Where the data end.
    """

    def __init__(self) -> None:
        self.data = bytearray()
        self.start = self.at = self.end = 0
        self._view = memoryview(self.data)
        self._origin = 0
        self._expected = PIECE

    @property
    def capacity(self) -> int:
        """Bytes of memory held."""
        return len(self.data)

    @property
    def place(self) -> int:
        """Offset in the body at which the walk stands."""
        return self._origin + self.at

    @staticmethod
    def pieces(chunk: Buffer) -> Iterator[Buffer]:
        """Cuts a chunk into pieces that are worth appending at once."""
        if len(chunk) <= PIECE:
            yield chunk
            return
        view = memoryview(chunk)
        for begin in range(0, len(view), PIECE):
            yield view[begin : begin + PIECE]

    def append(self, piece: Buffer) -> int:
        """Adds data.

        Returns:
            By how many bytes every place in the buffer has moved towards its beginning (mostly 0).
        """
        moved = self._make_room(len(piece)) if self.end + len(piece) > len(self.data) else 0
        self._view[self.end : self.end + len(piece)] = piece
        self.end += len(piece)
        return moved

    def take(self) -> memoryview:
        """Hands out the fragment, `start` to `at`, and begins the next one behind it."""
        fragment = self._view[self.start : self.at].toreadonly()
        self._expected = max(PIECE, len(fragment) + len(fragment) // 16)
        self.begin_at(self.at)
        if self.end - self.at <= PIECE:
            self._move(self._expected + PIECE)
        return fragment

    def begin_at(self, place: int) -> None:
        """Forgets what is before a place; the fragment begins there."""
        self.start = self.at = place

    def _make_room(self, size: int) -> int:
        live = self.end - self.start
        return self._move(max(self._expected, live + max(size, live // 2)))

    def _move(self, capacity: int) -> int:
        """Moves what lives to the beginning of a new buffer."""
        moved, live = self.start, self.end - self.start
        data = bytearray(capacity)
        view = memoryview(data)
        view[:live] = self._view[self.start : self.end]
        self.data, self._view = data, view
        self._origin += moved
        self.start, self.at, self.end = 0, self.at - moved, live
        return moved
