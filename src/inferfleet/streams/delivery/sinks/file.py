"""Events as JSON lines in a file, durable after each batch, rotated by size."""

from __future__ import annotations

import fcntl
import os
from collections.abc import Iterator, Sequence
from pathlib import Path

import msgspec

from inferfleet.streams.delivery.item import Item
from inferfleet.streams.delivery.sinks.base import Failure, SinkError
from inferfleet.streams.event import encode

REMEMBERED = 20_000
"""Ids of lines already written that are recognised; far more than one batch, which is all that a crash repeats."""
_BLOCK = 1024 * 1024
_BEGINNING = b'{"id":"'
"""How every line begins; see `Event`."""


class _Identity(msgspec.Struct):
    """The only part of a line that is of interest here."""

    id: str


class FileSink:
    """Appends to a file that it has to itself, and rotates it to `<name>.1`, `.2` … when it is full."""

    batch_size = 500

    def __init__(self, name: str, path: Path, max_bytes: int, keep: int) -> None:
        self.name = name
        self.path = path
        self._max_bytes = max_bytes
        self._keep = keep
        self._file = -1
        self._size = 0
        self._written: dict[str, None] = {}

    def open(self) -> None:
        """Opens the file, cuts off a line that a crash left half written, and learns which ids are in it.

        Raises:
            SinkError: The file cannot be written, or another process writes to it.
        """
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            self._attach()
            self._size = _whole_lines(self._file, self.path)
            os.ftruncate(self._file, self._size)
            self._written = dict.fromkeys(self._last_ids())
        except OSError as error:
            self.close()
            raise SinkError(f"the file {self.path} cannot be written: {error.strerror}") from error

    def deliver(self, batch: Sequence[Item]) -> Sequence[Failure]:
        """Appends the events that are not in the file yet, and returns when they are on the disk."""
        lines = {item.event.id: encode(item.event) + b"\n" for item in batch if item.event.id not in self._written}
        if not lines:
            return ()
        data = b"".join(lines.values())
        if self._size and self._size + len(data) > self._max_bytes:
            self._rotate()
        try:
            _write_all(self._file, data)
            os.fsync(self._file)
        except OSError:
            # Whatever got through is taken back, so that the next attempt does not repeat it.
            os.ftruncate(self._file, self._size)
            raise
        self._size += len(data)
        self._written |= dict.fromkeys(lines)
        for id in list(self._written)[: max(0, len(self._written) - REMEMBERED)]:
            del self._written[id]
        return ()

    def close(self) -> None:
        """Closes the file."""
        if self._file >= 0:
            os.close(self._file)
            self._file = -1

    def _attach(self) -> None:
        """Opens the file at its end and takes it for this process."""
        self._file = os.open(self.path, os.O_RDWR | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC, 0o644)
        try:
            fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise SinkError(f"the file {self.path} is written by another process; give each worker its own") from None
        _sync_folder(self.path.parent)

    def _rotate(self) -> None:
        """Moves every file one number up, the last one away, and begins a new one."""
        for number in range(self._keep, 0, -1):
            older = self._numbered(number - 1) if number > 1 else self.path
            if older.exists():
                older.replace(self._numbered(number))
        self.close()
        self._attach()
        self._size = 0

    def _numbered(self, number: int) -> Path:
        return self.path.with_name(f"{self.path.name}.{number}")

    def _last_ids(self) -> list[str]:
        """Returns the newest ids in the file and, where those are few, in the one before, oldest first."""
        ids: list[str] = []
        for path in (self.path, self._numbered(1)):
            if len(ids) < REMEMBERED and path.exists():
                ids = _tail_ids(path, REMEMBERED - len(ids)) + ids
        return ids


def _whole_lines(file: int, path: Path) -> int:
    """Returns the length of a file up to the end of its last whole line.

    Raises:
        SinkError: The file holds something else than events, which is left as it is.
    """
    for start, line in _lines_backwards(file, os.fstat(file).st_size):
        if line.endswith(b"\n") and _id(line) is not None:
            return start + len(line)
        torn = line.startswith(_BEGINNING) or _BEGINNING.startswith(line)
        if not torn and line.strip(b"\0\n"):  # a power failure can leave zeros
            raise SinkError(f"the file {path} holds something else than events; name another")
    return 0


def _tail_ids(path: Path, most: int) -> list[str]:
    """Returns the ids of a file's last lines, oldest first."""
    ids: list[str] = []
    file = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        for _, line in _lines_backwards(file, os.fstat(file).st_size):
            found = _id(line)
            if found is not None:
                ids.append(found)
            if len(ids) >= most:
                break
    finally:
        os.close(file)
    return ids[::-1]


def _lines_backwards(file: int, end: int) -> Iterator[tuple[int, bytes]]:
    """Yields a file's lines with their offsets, last one first, reading it in blocks from its end."""
    rest = b""
    while end > 0:
        start = max(0, end - _BLOCK)
        data = os.pread(file, end - start, start) + rest
        *whole, last = data.split(b"\n")
        lines = [line + b"\n" for line in whole] + ([last] if last else [])
        rest = lines.pop(0) if start else b""
        offset = start + len(rest) + sum(map(len, lines))
        for line in reversed(lines):
            offset -= len(line)
            yield offset, line
        end = start


def _id(line: bytes) -> str | None:
    try:
        return msgspec.json.decode(line, type=_Identity).id
    except msgspec.DecodeError:
        return None


def _write_all(file: int, data: bytes) -> None:
    rest = memoryview(data)
    while rest:
        rest = rest[os.write(file, rest) :]


def _sync_folder(folder: Path) -> None:
    """Makes the names in a folder durable."""
    file = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(file)
    finally:
        os.close(file)
