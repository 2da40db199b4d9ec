"""The durable queue between cameras and sinks: what `append` has returned from survives any crash.

All writing is done by one thread, which takes whatever has gathered while the last transaction was on its way to the
disk, so any number of cameras share one fsync. Sinks read through connections of their own and never wait for it.
"""

from __future__ import annotations

import shutil
import sqlite3
import threading
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import structlog

from inferfleet.errors import OutsideError
from inferfleet.streams.checkpoint import Checkpoint
from inferfleet.streams.delivery.item import Item
from inferfleet.streams.delivery.ledger import Ledger
from inferfleet.streams.delivery.lock import FolderLock
from inferfleet.streams.delivery.reserve import Reserve
from inferfleet.streams.delivery.store import Record, Row, Store

log = structlog.get_logger(__name__)

FILE_NAME = "spool.sqlite3"
DEFAULT_MAX_BYTES = 2 * 1024**3
NOTE_SECONDS = 1.0
"""Longest time for which a checkpoint without events waits to be written."""
RETRY_SECONDS = 0.5
"""Pause before a write that the disk refused is tried again."""
GIVE_BACK_BYTES = 64 * 1024**2
"""Unused space that an empty spool returns to the file system; less stays for the next events."""


class SpoolError(OutsideError):
    """The spool cannot be opened or written."""


@dataclass(frozen=True, slots=True)
class Backlog:
    """What a sink still lacks.

    Attributes:
        events: How many events.
        oldest_seconds: How long the oldest of them has been in the spool; 0 when there is none.
    """

    events: int
    oldest_seconds: float


@dataclass(slots=True)
class _Append:
    """Events that a camera waits for; without a checkpoint it only waits for what came before."""

    records: Sequence[Record] = ()
    checkpoint: Checkpoint | None = None
    done: threading.Event = field(default_factory=threading.Event)
    error: SpoolError | None = None


@dataclass(slots=True)
class _Batch:
    """What goes into the next transaction."""

    appends: list[_Append] = field(default_factory=list)
    notes: dict[str, Checkpoint] = field(default_factory=dict)
    acks: dict[str, int] = field(default_factory=dict)

    def __bool__(self) -> bool:
        return bool(self.appends or self.notes or self.acks)

    def take(self, other: _Batch) -> None:
        """Adds what came later."""
        self.appends += other.appends
        self.notes |= other.notes
        self.acks |= other.acks

    @property
    def size(self) -> int:
        return sum(record.size for append in self.appends for record in append.records)


class Spool:
    """The queue. Thread-safe; `open` makes one."""

    def __init__(self, folder: Path, lock: FolderLock, store: Store, ledger: Ledger, max_bytes: int) -> None:
        self.folder = folder
        self.max_bytes = max_bytes
        self._lock = lock
        self._writer_store = store
        self._reader_store = Store(folder / FILE_NAME)
        self._reader_lock = threading.Lock()
        self._reserve = Reserve(folder / "reserve")
        self._reserve.fill()
        self._ledger = ledger
        self._listeners: list[Callable[[Checkpoint], None]] = []
        self._inbox = threading.Condition()
        self._waiting = _Batch()
        self._noted_at: float | None = None
        self._news = threading.Condition()
        self._trouble: str | None = None
        self._fatal: SpoolError | None = None
        self._closing = False
        self._writer = threading.Thread(target=self._write_loop, name="spool", daemon=True)
        self._writer.start()

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
            ledger = _load(store, sinks)
            return cls(folder, lock, store, ledger, max_bytes)
        except sqlite3.Error as error:
            lock.release()
            raise SpoolError(
                f"the spool {folder / FILE_NAME} cannot be opened: {error}; "
                "if it is damaged, move the folder away to begin a new one"
            ) from error

    # -- for cameras -------------------------------------------------------------------------------------------------

    def append(self, items: Sequence[Item], checkpoint: Checkpoint) -> None:
        """Stores a camera's events, their pictures and its progress in one step, durable on return.

        An event whose id is in the spool already is skipped. Without items it returns at once, and the checkpoint
        becomes durable with the next events, or within a second. While the disk refuses to write, it waits.

        Raises:
            SpoolError: The spool was closed before the disk took it, or is damaged.
        """
        append = _Append([Record.of(item) for item in items], checkpoint)
        if any(record.camera != checkpoint.camera for record in append.records):
            raise ValueError(f"an event of another camera in an append of {checkpoint.camera!r}")
        with self._inbox:
            self._refuse_when_closed()
            if not append.records:
                self._waiting.notes[checkpoint.camera] = checkpoint
                if self._noted_at is None:
                    self._noted_at = time.monotonic()
                    self._inbox.notify()
                return
            self._waiting.notes.pop(checkpoint.camera, None)
            self._waiting.appends.append(append)
            self._inbox.notify()
        append.done.wait()
        if append.error is not None:
            raise append.error

    def checkpoint(self, camera: str) -> Checkpoint | None:
        """Returns the camera's newest progress, durable: from here a restart on this machine goes on."""
        self.flush()
        with self._reader_lock:
            return self._reader_store.checkpoint(camera)

    def delivered_checkpoint(self, camera: str) -> Checkpoint | None:
        """Returns the newest progress before which every sink has every event: another worker may go on from here."""
        with self._reader_lock:
            return self._reader_store.checkpoint(camera, self._ledger.watermark)

    def on_delivered(self, listener: Callable[[Checkpoint], None]) -> None:
        """Calls `listener` when a camera's delivered checkpoint moves; on the writer's thread, so return at once."""
        self._listeners.append(listener)

    def flush(self) -> None:
        """Waits until all that was given so far is durable; returns at once while the disk refuses to write."""
        barrier = _Append()
        with self._inbox:
            if self._closing or self._trouble is not None:
                return
            self._waiting.appends.append(barrier)
            self._inbox.notify()
        barrier.done.wait()

    # -- space -------------------------------------------------------------------------------------------------------

    @property
    def size_bytes(self) -> int:
        """Bytes that the events and pictures held take."""
        return self._ledger.size

    @property
    def is_full(self) -> bool:
        """Whether cameras should pause: the bound is reached, or the disk refuses to write."""
        return self._ledger.size >= self.max_bytes or self._trouble is not None

    @property
    def trouble(self) -> str | None:
        """Why the disk refuses to write; None while all is well."""
        return self._trouble

    def wait_for_space(self, timeout: float) -> bool:
        """Waits until the spool is not full; returns whether it is so after at most `timeout` seconds."""
        with self._news:
            return self._news.wait_for(lambda: not self.is_full or self._closing, timeout) and not self.is_full

    # -- for sinks ---------------------------------------------------------------------------------------------------

    @property
    def sinks(self) -> tuple[str, ...]:
        """Names of the sinks."""
        return tuple(self._ledger.cursors)

    def reader(self, sink: str) -> Reader:
        """Returns a reader for one sink's thread, which begins after what the sink has acknowledged."""
        return Reader(Store(self.folder / FILE_NAME), sink, self._ledger.cursors[sink])

    def wait_for_events(self, after: int, timeout: float, give_up: Callable[[], bool]) -> bool:
        """Waits for an event later than `after`; returns whether there is one.

        Args:
            after: A `seq`.
            timeout: Waits at most so many seconds.
            give_up: Ends the wait when it returns True; it is asked again at every `wake`.
        """
        with self._news:
            self._news.wait_for(lambda: self._ledger.last > after or give_up(), timeout)
            return self._ledger.last > after

    def wake(self) -> None:
        """Makes all waits for events and space look again whether they should end."""
        with self._news:
            self._news.notify_all()

    def acknowledge(self, sink: str, seq: int) -> None:
        """Notes that a sink has everything up to `seq`. It is durable a little later; a crash before repeats events."""
        with self._inbox:
            if not self._closing and self._fatal is None:
                self._waiting.acks[sink] = max(seq, self._waiting.acks.get(sink, 0))
                self._inbox.notify()

    def backlog(self, sink: str) -> Backlog:
        """Returns what a sink still lacks."""
        ledger = self._ledger
        events = ledger.backlog(sink)
        if not events:
            return Backlog(0, 0.0)
        with self._reader_lock:
            added = self._reader_store.added(ledger.cursors[sink])
        return Backlog(events, max(0.0, time.time() - added) if added is not None else 0.0)

    @property
    def undelivered(self) -> int:
        """How many events at least one sink still lacks."""
        return self._ledger.last - self._ledger.watermark

    # -- the writer --------------------------------------------------------------------------------------------------

    def close(self) -> None:
        """Writes what was given and closes. What the disk refuses now is refused to its `append`."""
        with self._inbox:
            if self._closing:
                return
            self._closing = True
            self._inbox.notify()
        self.wake()
        self._writer.join()
        with self._reader_lock:
            self._reader_store.close()
        self._writer_store.close()
        self._lock.release()

    def __enter__(self) -> Spool:
        """Returns itself."""
        return self

    def __exit__(self, *_: object) -> None:
        """Closes."""
        self.close()

    def _refuse_when_closed(self) -> None:
        if self._fatal is not None:
            raise self._fatal
        if self._closing:
            raise SpoolError(f"the spool {self.folder} is closed")

    def _write_loop(self) -> None:
        batch = _Batch()
        while True:
            batch.take(self._gather(wait=not batch))
            if not batch:
                return
            try:
                before, touched = self._write(batch)
            except sqlite3.OperationalError as error:
                self._report_trouble(error)
                self._write_acks(batch)
                if self._closing:
                    self._refuse(batch, SpoolError(f"the spool {self.folder} could not store events: {error}"))
                    batch = _Batch()
            except Exception as error:  # a damaged file, or a bug: cameras must hear of it, not hang
                log.exception("spool broken", folder=str(self.folder))
                self._fatal = SpoolError(f"the spool {self.folder} is broken: {error}")
                self._trouble = str(error)
                self._refuse(batch, self._fatal)
                batch = _Batch()
            else:
                batch = _Batch()
                self._all_well()
                self._tell_delivered(before, touched)
                self._give_back(before)

    def _gather(self, *, wait: bool) -> _Batch:
        """Takes all that waits. In trouble it lets some time pass first; at the end it returns an empty batch."""
        with self._inbox:
            if self._trouble is not None and not self._closing:
                self._inbox.wait(RETRY_SECONDS)
            while wait and not self._closing and not self._waiting.appends and not self._waiting.acks:
                left = None if self._noted_at is None else self._noted_at + NOTE_SECONDS - time.monotonic()
                if left is not None and left <= 0:
                    break
                self._inbox.wait(left)
            taken, self._waiting, self._noted_at = self._waiting, _Batch(), None
            return taken

    def _write(self, batch: _Batch) -> tuple[Ledger, set[str]]:
        """Writes a batch in one transaction and tells those who wait for it.

        Returns the ledger as it was before, and the cameras that have a new checkpoint.
        """
        if self._trouble is not None and not self._reserve.has_room(batch.size):
            raise sqlite3.OperationalError(self._trouble)
        before, after = self._ledger, self._ledger.copy()
        with self._writer_store.transaction():
            touched = _apply(self._writer_store, after, batch)
        self._publish(after)
        for append in batch.appends:
            append.done.set()
        return before, touched

    def _write_acks(self, batch: _Batch) -> None:
        """On a disk that refuses events, still notes what is delivered: that frees space."""
        acks = _Batch(acks=batch.acks)
        before, after = self._ledger, self._ledger.copy()
        try:
            with self._writer_store.transaction():
                touched = _apply(self._writer_store, after, acks)
        except sqlite3.OperationalError:
            return
        batch.acks = {}
        self._publish(after)
        self._tell_delivered(before, touched)

    def _publish(self, ledger: Ledger) -> None:
        with self._news:
            self._ledger = ledger
            self._news.notify_all()

    def _tell_delivered(self, before: Ledger, touched: set[str]) -> None:
        after = self._ledger
        for camera in after.marks if self._listeners else ():
            mark = after.delivered_mark(camera)
            if mark is None or (mark == before.delivered_mark(camera) and camera not in touched):
                continue
            try:
                checkpoint = self._writer_store.checkpoint(camera, mark)
                for listener in self._listeners:
                    if checkpoint is not None:
                        listener(checkpoint)
            except Exception:  # a listener's mistake must not stop the spool
                log.exception("a delivered checkpoint was not told", camera=camera)

    def _refuse(self, batch: _Batch, error: SpoolError) -> None:
        for append in batch.appends:
            append.error = error
            append.done.set()
        self.wake()

    def _report_trouble(self, error: sqlite3.Error) -> None:
        if self._trouble is None:
            free = shutil.disk_usage(self.folder).free
            log.error("spool cannot write; cameras wait", folder=str(self.folder), error=str(error), disk_free=free)
        self._trouble = str(error)
        self._reserve.release()

    def _all_well(self) -> None:
        if self._trouble is not None:
            log.info("spool writes again", folder=str(self.folder))
            self._trouble = None
            self._reserve.fill()
            self.wake()

    def _give_back(self, before: Ledger) -> None:
        if self._ledger.size > 0 or before.size == 0:
            return
        try:
            if self._writer_store.give_back(GIVE_BACK_BYTES):
                log.info("spool is empty; its space is returned", folder=str(self.folder))
        except sqlite3.Error as error:
            log.debug("spool keeps its space for now", error=str(error))


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


def _load(store: Store, sinks: Iterable[str]) -> Ledger:
    """Reads the numbers of a spool's file and makes its sinks those given."""
    size, first, last = store.totals()
    cursors, marks = store.cursors(), store.checkpoint_seqs()
    newest = max([last or 0, *cursors.values(), *(seqs[-1] for seqs in marks.values())])
    ledger = Ledger(newest, size, cursors, marks)
    added, removed = ledger.adopt(sinks, first)
    if added and (removed or newest):
        log.info("new sinks begin with the oldest event held", sinks=added, events=ledger.last - (first or ledger.last))
    if removed:
        log.warning("sinks are configured no more; what they lacked is dropped", sinks=removed)
    with store.transaction():
        for name in removed:
            store.drop_cursor(name)
        for name, seq in ledger.cursors.items():
            store.set_cursor(name, seq)
        ledger.size -= store.delete_through(ledger.watermark)
    return ledger


def _apply(store: Store, ledger: Ledger, batch: _Batch) -> set[str]:
    """Makes a batch's changes, in the file and the ledger alike; returns the cameras that have a new checkpoint."""
    now = time.time()
    touched: set[str] = set()
    for append in batch.appends:
        newest = None
        for record in append.records:
            if store.add(ledger.last + 1, record, now):
                ledger.last += 1
                ledger.size += record.size
                newest = ledger.last
        if append.checkpoint is not None:
            store.set_checkpoint(append.checkpoint, ledger.mark(append.checkpoint.camera, newest))
            touched.add(append.checkpoint.camera)
    for checkpoint in batch.notes.values():
        store.set_checkpoint(checkpoint, ledger.mark(checkpoint.camera, None))
        touched.add(checkpoint.camera)
    before = ledger.watermark
    for sink, seq in batch.acks.items():
        ledger.acknowledge(sink, seq)
        store.set_cursor(sink, ledger.cursors[sink])
    moved = ledger.watermark > before
    if moved:
        ledger.size -= store.delete_through(ledger.watermark)
    for camera in list(ledger.marks) if moved else touched:
        store.drop_checkpoints(camera, ledger.thin(camera))
    return touched
