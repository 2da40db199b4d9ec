"""The spool's one writing thread: many cameras, one transaction, one fsync.

It takes whatever has gathered while the last transaction was on its way to the disk. When the disk refuses, or is
nearly full, it keeps what it has and tries again, and meanwhile still notes what the sinks acknowledge: that frees
space.
"""

from __future__ import annotations

import shutil
import sqlite3
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import structlog

from inferfleet.errors import OutsideError
from inferfleet.streams.checkpoint import Checkpoint
from inferfleet.streams.delivery.ledger import Ledger
from inferfleet.streams.delivery.store import Record, Store

log = structlog.get_logger(__name__)

NOTE_SECONDS = 1.0
"""Longest time for which a checkpoint without events waits to be written."""
LINGER_SECONDS = 0.02
"""How long what nobody waits for waits for more, so that one transaction takes it all."""
RETRY_SECONDS = 0.5
"""Pause before a write that the disk refused is tried again."""
GIVE_BACK_BYTES = 64 * 1024**2
"""Unused space that an empty spool returns to the file system; less stays for the next events."""
KEPT_FREE_BYTES = 16 * 1024**2
"""Disk space that events leave: SQLite's log grows to 4 MiB and one transaction, and so may then its file."""


MOST_ON_THEIR_WAY = 64
"""Appends that nobody waits for and that are not durable yet: what a slow disk lets gather in memory."""


class SpoolError(OutsideError):
    """The spool cannot be opened or written."""


@dataclass(slots=True)
class _Append:
    """Events and progress; without any it only waits for what came before."""

    records: Sequence[Record] = ()
    checkpoint: Checkpoint | None = None
    room: threading.Semaphore | None = None
    done: threading.Event = field(default_factory=threading.Event)
    error: SpoolError | None = None

    def conclude(self, error: SpoolError | None = None) -> None:
        """Tells who waits, and who will wait for room, that it is durable, or why it never will be."""
        if self.done.is_set():
            return
        self.error = error
        self.done.set()
        if self.room is not None:
            self.room.release()


@dataclass(slots=True)
class _Begin(_Append):
    """A camera's work begins anew."""

    camera: str = ""
    newest: int = 0


@dataclass(slots=True)
class _Batch:
    """What goes into one transaction."""

    appends: list[_Append] = field(default_factory=list)
    notes: dict[str, Checkpoint] = field(default_factory=dict)
    acks: dict[str, int] = field(default_factory=dict)

    def __bool__(self) -> bool:
        return bool(self.appends or self.notes or self.acks)

    def take(self, later: _Batch) -> None:
        """Adds what came later."""
        self.appends += later.appends
        self.notes |= later.notes
        self.acks |= later.acks

    @property
    def is_urgent(self) -> bool:
        """Whether somebody waits for it."""
        return any(append.room is None for append in self.appends)

    @property
    def size(self) -> int:
        return sum(record.size for append in self.appends for record in append.records)


class Writer:
    """Writes into a spool's file, and keeps its ledger. Thread-safe.

    Attributes:
        ledger: The state after the last durable transaction; replaced, never changed.
        news: Notified whenever the ledger or the trouble changes.
        trouble: Why the disk refuses to write; None while all is well.
        listeners: Called with delivered checkpoints, on the writer's thread.
    """

    def __init__(self, folder: Path, store: Store, ledger: Ledger) -> None:
        """Begins to write into an open store that belongs to nobody else."""
        self.ledger = ledger
        self.news = threading.Condition()
        self.trouble: str | None = None
        self.listeners: list[Callable[[Checkpoint], None]] = []
        self._folder = folder
        self._store = store
        self._inbox = threading.Condition()
        self._waiting = _Batch()
        self._noted_at: float | None = None
        self._room = threading.Semaphore(MOST_ON_THEIR_WAY)
        self._closing = False
        self._broken: SpoolError | None = None
        self._thread = threading.Thread(target=self._run, name="spool", daemon=True)
        self._thread.start()

    # -- for other threads -------------------------------------------------------------------------------------------

    @property
    def is_closing(self) -> bool:
        """Whether it takes no more."""
        return self._closing

    def append(self, records: Sequence[Record], checkpoint: Checkpoint, *, wait: bool) -> None:
        """Writes events and progress; see `Spool.append`."""
        if wait:
            self._wait_for(_Append(records, checkpoint), checkpoint.camera)
            return
        append = _Append(records, checkpoint, self._room)
        self._room.acquire()
        try:
            self._put(append, checkpoint.camera)
        except SpoolError as error:
            append.conclude(error)
            raise

    def begin(self, camera: str, checkpoint: Checkpoint | None) -> int:
        """Begins a camera's work anew; see `Spool.begin`."""
        begin = _Begin((), checkpoint, camera=camera)
        self._wait_for(begin, camera)
        return begin.newest

    def _put(self, append: _Append, camera: str) -> None:
        with self._inbox:
            self._refuse_when_closed()
            self._waiting.notes.pop(camera, None)
            self._waiting.appends.append(append)
            self._inbox.notify()

    def _wait_for(self, append: _Append, camera: str) -> None:
        self._put(append, camera)
        append.done.wait()
        if append.error is not None:
            raise append.error

    def note(self, checkpoint: Checkpoint) -> None:
        """Writes progress soon."""
        with self._inbox:
            self._refuse_when_closed()
            self._waiting.notes[checkpoint.camera] = checkpoint
            if self._noted_at is None:
                self._noted_at = time.monotonic()
                self._inbox.notify()

    def acknowledge(self, sink: str, seq: int) -> None:
        """Moves a sink's cursor soon."""
        with self._inbox:
            if not self._closing and self._broken is None:
                self._waiting.acks[sink] = max(seq, self._waiting.acks.get(sink, 0))
                self._inbox.notify()

    def flush(self) -> None:
        """Waits until all that was given so far is durable; returns at once while the disk refuses to write."""
        barrier = _Append()
        with self._inbox:
            if self._closing or self.trouble is not None:
                return
            self._waiting.appends.append(barrier)
            self._inbox.notify()
        barrier.done.wait()

    def close(self) -> None:
        """Writes what was given and ends. What the disk refuses now is refused to its `append`."""
        with self._inbox:
            self._closing = True
            self._inbox.notify()
        self._tell()
        self._thread.join()
        self._store.close()

    def _refuse_when_closed(self) -> None:
        if self._broken is not None:
            raise self._broken
        if self._closing:
            raise SpoolError(f"the spool {self._folder} is closed")

    # -- the thread --------------------------------------------------------------------------------------------------

    def _run(self) -> None:
        batch = _Batch()
        while True:
            batch.take(self._gather(wait=not batch))
            if not batch:
                return
            try:
                before, touched = self._write(batch)
            except sqlite3.OperationalError as error:
                self._report_trouble(error)
                self._make_room(batch)
                if self._closing:
                    self._refuse(batch, SpoolError(f"the spool {self._folder} could not store events: {error}"))
                    batch = _Batch()
            except Exception as error:  # a damaged file, or a bug: cameras must hear of it, not hang
                log.exception("spool broken", folder=str(self._folder))
                self._broken = SpoolError(f"the spool {self._folder} is broken: {error}")
                self.trouble = str(error)
                self._refuse(batch, self._broken)
                batch = _Batch()
            else:
                done, batch = batch, _Batch()
                self._all_well()
                self._tell_delivered(before, touched)
                for append in done.appends:  # who flushes may count on the listeners having heard
                    append.conclude()
                self._give_back(before)

    def _gather(self, *, wait: bool) -> _Batch:
        """Takes all that waits. In trouble it lets some time pass first; at the end it returns an empty batch."""
        with self._inbox:
            if self.trouble is not None and not self._closing:
                self._inbox.wait(RETRY_SECONDS)
            while wait and not self._closing and not self._waiting.appends and not self._waiting.acks:
                left = None if self._noted_at is None else self._noted_at + NOTE_SECONDS - time.monotonic()
                if left is not None and left <= 0:
                    break
                self._inbox.wait(left)
            if wait and not self._waiting.is_urgent:
                self._inbox.wait_for(lambda: self._closing or self._waiting.is_urgent, LINGER_SECONDS)
            taken, self._waiting, self._noted_at = self._waiting, _Batch(), None
            return taken

    def _write(self, batch: _Batch) -> tuple[Ledger, set[str]]:
        """Writes a batch in one transaction and tells the cameras that wait for it.

        Returns:
            The ledger as it was before, and the cameras that have a new checkpoint.
        """
        self._check_room(batch)
        before, after = self.ledger, self.ledger.copy()
        with self._store.transaction():
            touched = _apply(self._store, after, batch)
        self._publish(after)
        for append in batch.appends:
            if append.records:
                append.conclude()
        return before, touched

    def _make_room(self, batch: _Batch) -> None:
        """On a disk that takes no events, still notes what is delivered, in the space that was kept free."""
        before, after = self.ledger, self.ledger.copy()
        try:
            self._store.fold()
            with self._store.transaction():
                touched = _apply(self._store, after, _Batch(acks=batch.acks))
            batch.acks = {}
            self._publish(after)
            self._tell_delivered(before, touched)
            if after.size == 0:
                self._store.give_back()
        except sqlite3.Error as error:
            log.debug("spool cannot even note what is delivered", error=str(error))

    def _check_room(self, batch: _Batch) -> None:
        """Leaves enough of the disk for the log and for noting deliveries; events must not take the last of it.

        Raises:
            sqlite3.OperationalError: The batch would: it goes into the log, and then into the file's unused part or
                at its end.
        """
        free = shutil.disk_usage(self._folder).free
        if batch.appends and free < KEPT_FREE_BYTES + batch.size + max(0, batch.size - self._store.unused):
            least = KEPT_FREE_BYTES // 1024**2
            raise sqlite3.OperationalError(
                f"the disk is full: {free / 1024**2:.0f} MiB left, {least} MiB are kept free"
            )

    def _publish(self, ledger: Ledger) -> None:
        with self.news:
            self.ledger = ledger
            self.news.notify_all()

    def _tell(self) -> None:
        with self.news:
            self.news.notify_all()

    def _tell_delivered(self, before: Ledger, touched: set[str]) -> None:
        after = self.ledger
        for camera in after.marks if self.listeners else ():
            mark = after.delivered_mark(camera)
            if mark is None or (mark == before.delivered_mark(camera) and camera not in touched):
                continue
            try:
                checkpoint = self._store.checkpoint(camera, mark)
                for listener in self.listeners:
                    if checkpoint is not None:
                        listener(checkpoint)
            except Exception:  # a listener's mistake must not stop the spool
                log.exception("a delivered checkpoint was not told", camera=camera)

    def _refuse(self, batch: _Batch, error: SpoolError) -> None:
        for append in batch.appends:
            if append.room is not None and append.records:
                log.error("events are lost that nobody waited for", events=len(append.records), error=str(error))
            append.conclude(error)
        self._tell()

    def _report_trouble(self, error: sqlite3.Error) -> None:
        if self.trouble is None:
            log.error("spool cannot write; cameras wait", folder=str(self._folder), error=str(error))
        self.trouble = str(error)
        self._tell()

    def _all_well(self) -> None:
        if self.trouble is not None:
            log.info("spool writes again", folder=str(self._folder))
            self.trouble = None
            self._tell()

    def _give_back(self, before: Ledger) -> None:
        if self.ledger.size > 0 or before.size == 0:
            return
        try:
            if self._store.unused >= GIVE_BACK_BYTES:
                self._store.give_back()
                log.info("spool is empty; its space is returned", folder=str(self._folder))
        except sqlite3.Error as error:
            log.debug("spool keeps its space for now", error=str(error))


def _apply(store: Store, ledger: Ledger, batch: _Batch) -> set[str]:
    """Makes a batch's changes, in the file and the ledger alike; returns the cameras that have a new checkpoint."""
    touched: set[str] = set()
    for append in batch.appends:
        if isinstance(append, _Begin):
            batch.notes.pop(append.camera, None)
            touched.discard(append.camera)
            append.newest = _restart(store, ledger, append.camera)
        newest = _add(store, ledger, append.records)
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


def _restart(store: Store, ledger: Ledger, camera: str) -> int:
    """Forgets how far a camera has come, and which events it has made; returns the number of the newest event."""
    store.drop_checkpoints(camera, ledger.marks.pop(camera, []))
    store.free_ids(camera)
    return ledger.last


def _add(store: Store, ledger: Ledger, records: Sequence[Record]) -> int | None:
    """Adds the events that are not there yet; returns the number of the last one added."""
    newest = None
    now = time.time()
    for record in records:
        if store.add(ledger.last + 1, record, now):
            ledger.last += 1
            ledger.size += record.size
            newest = ledger.last
    return newest
