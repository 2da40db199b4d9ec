"""The durable queue between cameras and sinks: what it has stored survives any crash.

One thread writes (see `writer`); sinks read through connections of their own and never wait for it.
"""

from __future__ import annotations

import shutil
import sqlite3
import threading
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

import structlog

from inferfleet.streams.checkpoint import Checkpoint
from inferfleet.streams.delivery.item import Item
from inferfleet.streams.delivery.ledger import Ledger
from inferfleet.streams.delivery.lock import FolderLock
from inferfleet.streams.delivery.store import Record, Row, Store
from inferfleet.streams.delivery.writer import SpoolError, Writer

log = structlog.get_logger(__name__)

FILE_NAME = "spool.sqlite3"
DEFAULT_MAX_BYTES = 2 * 1024**3


@dataclass(frozen=True, slots=True)
class Backlog:
    """What a sink still lacks.

    Attributes:
        events: How many events.
        oldest_seconds: How long the oldest of them has been in the spool; 0 when there is none.
    """

    events: int
    oldest_seconds: float


class Spool:
    """The queue. Thread-safe; `open` makes one."""

    def __init__(self, folder: Path, max_bytes: int, lock: FolderLock, writer: Writer) -> None:
        self.folder = folder
        self.max_bytes = max_bytes
        self._lock = lock
        self._writer = writer
        self._store = Store(folder / FILE_NAME)
        self._store_lock = threading.Lock()

    @classmethod
    def open(cls, folder: Path, sinks: Sequence[str], max_bytes: int = DEFAULT_MAX_BYTES) -> Spool:
        """Opens the spool in a folder and creates what is missing.

        Args:
            folder: Its folder, on a disk of this machine (SQLite's log does not work on network file systems).
            sinks: Names of all sinks. One that was not there before begins with the oldest event still held;
                one that is there no more holds nothing back.
            max_bytes: Size in bytes from which the spool is full.

        Raises:
            InputError: Another process uses the folder.
            SpoolError: It cannot be created, read or written.
        """
        try:
            folder.mkdir(parents=True, exist_ok=True)
            lock = FolderLock(folder)
        except OSError as error:
            raise SpoolError(f"the spool {folder} cannot be used: {error.strerror}; set `spool.path`") from error
        try:
            store = Store(folder / FILE_NAME)
            _warn_of_small_disk(folder, max_bytes)
            return cls(folder, max_bytes, lock, Writer(folder, store, _load(store, sinks)))
        except sqlite3.Error as error:
            lock.release()
            raise SpoolError(
                f"the spool {folder / FILE_NAME} cannot be opened: {error}; "
                "if it is damaged, move the folder away to begin a new one"
            ) from error

    def close(self) -> None:
        """Writes what was given and closes. What the disk refuses now is refused to its `append`."""
        if self._writer.is_closing:
            return
        self._writer.close()
        with self._store_lock:
            self._store.close()
        self._lock.release()

    def __enter__(self) -> Spool:
        """Returns itself."""
        return self

    def __exit__(self, *_: object) -> None:
        """Closes."""
        self.close()

    # -- for cameras -------------------------------------------------------------------------------------------------

    def append(self, items: Sequence[Item], checkpoint: Checkpoint, *, wait: bool = True) -> None:
        """Stores a camera's events, their pictures and its progress in one step.

        An event whose id is in the spool already is skipped. Without items it returns at once, and the checkpoint
        becomes durable with the next events, or within a second.

        Args:
            items: The events with their pictures.
            checkpoint: The camera's progress.
            wait: Return once all of it is durable. Without it they become so soon, together and in the order given:
                it only waits while too much is on its way, as when the disk is slow or refuses to write.

        Raises:
            SpoolError: The spool was closed before the disk took it, or is damaged. Who does not wait hears only of
                what happened before; a crash makes such a camera read again from the last durable progress.
        """
        records = [Record.of(item) for item in items]
        if any(record.camera != checkpoint.camera for record in records):
            raise ValueError(f"an event of another camera in an append of {checkpoint.camera!r}")
        if records:
            self._writer.append(records, checkpoint, wait=wait)
        else:
            self._writer.note(checkpoint)

    def checkpoint(self, camera: str) -> Checkpoint | None:
        """Returns the camera's newest progress, durable: from here a restart on this machine goes on."""
        self.flush()
        with self._store_lock:
            return self._store.checkpoint(camera)

    def delivered_checkpoint(self, camera: str) -> Checkpoint | None:
        """Returns the newest progress before which every sink has every event: another worker may go on from here."""
        with self._store_lock:
            return self._store.checkpoint(camera, self._writer.ledger.watermark)

    def begin(self, camera: str, checkpoint: Checkpoint | None) -> int:
        """Begins a camera's work anew, from a checkpoint that came from another worker; its lane must be at rest.

        What the spool still holds of the camera is not part of that work: all of it that the checkpoint does not
        cover will be made again, under the same ids.

        Returns:
            The number of the newest event from before.

        Raises:
            SpoolError: The spool was closed before the disk took it, or is damaged.
        """
        return self._writer.begin(camera, checkpoint)

    def on_delivered(self, listener: Callable[[Checkpoint], None]) -> None:
        """Calls `listener` when a camera's delivered checkpoint moves; on the writer's thread, so return at once."""
        self._writer.listeners.append(listener)

    def flush(self) -> None:
        """Waits until all that was given so far is durable; returns at once while the disk refuses to write."""
        self._writer.flush()

    # -- space -------------------------------------------------------------------------------------------------------

    @property
    def size_bytes(self) -> int:
        """Bytes that the events and pictures held take."""
        return self._writer.ledger.size

    @property
    def is_full(self) -> bool:
        """Whether cameras should pause: the bound is reached, or the disk refuses to write."""
        return self.size_bytes >= self.max_bytes or self.trouble is not None

    @property
    def trouble(self) -> str | None:
        """Why the disk refuses to write; None while all is well."""
        return self._writer.trouble

    def wait_for_space(self, timeout: float) -> bool:
        """Waits until the spool is not full; returns whether it is so after at most `timeout` seconds."""
        news = self._writer.news
        with news:
            news.wait_for(lambda: not self.is_full or self._writer.is_closing, timeout)
            return not self.is_full

    # -- for sinks ---------------------------------------------------------------------------------------------------

    @property
    def sinks(self) -> tuple[str, ...]:
        """Names of the sinks."""
        return tuple(self._writer.ledger.cursors)

    def reader(self, sink: str) -> Reader:
        """Returns a reader for one sink's thread, which begins after what the sink has acknowledged."""
        return Reader(Store(self.folder / FILE_NAME), sink, self._writer.ledger.cursors[sink])

    def wait_for_events(self, after: int, timeout: float, give_up: Callable[[], bool] = lambda: False) -> bool:
        """Waits for an event later than `after`; returns whether there is one.

        Args:
            after: A `seq`.
            timeout: Waits at most so many seconds.
            give_up: Ends the wait when it returns True; it is asked again at every `wake`.
        """
        writer = self._writer
        with writer.news:
            writer.news.wait_for(lambda: writer.ledger.last > after or give_up(), timeout)
            return writer.ledger.last > after

    def wake(self) -> None:
        """Makes all waits for events and space look again whether they should end."""
        with self._writer.news:
            self._writer.news.notify_all()

    def acknowledge(self, sink: str, seq: int) -> None:
        """Notes that a sink has everything up to `seq`. It is durable a little later; a crash before repeats events."""
        self._writer.acknowledge(sink, seq)

    def backlog(self, sink: str) -> Backlog:
        """Returns what a sink still lacks."""
        ledger = self._writer.ledger
        events = ledger.backlog(sink)
        with self._store_lock:
            added = self._store.added(ledger.cursors[sink]) if events and not self._writer.is_closing else None
        return Backlog(events, max(0.0, time.time() - added) if added is not None else 0.0)

    @property
    def undelivered(self) -> int:
        """How many events at least one sink still lacks."""
        return self._writer.ledger.last - self._writer.ledger.watermark


class Reader:
    """One sink's way through the spool. It belongs to one thread."""

    def __init__(self, store: Store, sink: str, cursor: int) -> None:
        self.sink = sink
        self.position = cursor
        self._store = store

    def read(self, limit: int, max_bytes: int) -> list[Row]:
        """Returns the next events, with the pictures meant for this sink; each is returned once."""
        rows = self._store.read(self.sink, self.position, limit, max_bytes)
        if rows:
            self.position = rows[-1].seq
        return rows

    def close(self) -> None:
        """Closes its connection."""
        self._store.close()


def _warn_of_small_disk(folder: Path, max_bytes: int) -> None:
    free = shutil.disk_usage(folder).free
    if free < max_bytes:
        log.warning(
            "the disk will be full before the spool is; lower `spool.max_bytes`",
            folder=str(folder),
            disk_free=free,
            max_bytes=max_bytes,
        )


def _load(store: Store, sinks: Iterable[str]) -> Ledger:
    """Reads the numbers of a spool's file and makes its sinks those given."""
    size, first, last = store.totals()
    cursors, marks = store.cursors(), store.checkpoint_seqs()
    newest = max([last or 0, *cursors.values(), *(seqs[-1] for seqs in marks.values())])
    ledger = Ledger(newest, size, cursors, marks)
    added, removed = ledger.adopt(sinks, first)
    if not added and not removed:
        return ledger
    if added and cursors:
        log.info("new sinks begin with the oldest event held", sinks=added, events=ledger.backlog(added[0]))
    if removed:
        log.warning("sinks are configured no more; what they lacked is dropped", sinks=removed)
    with store.transaction():
        for name in removed:
            store.drop_cursor(name)
        for name in added:
            store.set_cursor(name, ledger.cursors[name])
        ledger.size -= store.delete_through(ledger.watermark)
    return ledger
