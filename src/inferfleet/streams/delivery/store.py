"""The spool's file: its tables and every SQL statement on them.

A `Store` is one connection and belongs to one thread at a time. It knows nothing of threads, locks or sinks' work.

- `events`: what some sink still lacks, in the order of arrival (`seq`, never used twice).
- `attachments`: their pictures.
- `cursors`: per sink the `seq` up to which it has acknowledged everything.
- `checkpoints`: per camera its progress after its event `seq`; the newest one not beyond every cursor is delivered.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from inferfleet.streams.checkpoint import Checkpoint
from inferfleet.streams.delivery.item import Attachment, Item
from inferfleet.streams.event import decode, encode

VERSION = 1
_ROW_OVERHEAD = 256
"""Bytes that a row costs besides its contents: keys, index entries, partly filled pages (measured: 190 to 300)."""

_SCHEMA = """
CREATE TABLE events (
    seq INTEGER PRIMARY KEY, id TEXT NOT NULL UNIQUE, camera TEXT NOT NULL, added REAL NOT NULL,
    size INTEGER NOT NULL, body BLOB NOT NULL
);
CREATE TABLE attachments (
    seq INTEGER NOT NULL, number INTEGER NOT NULL, sink TEXT NOT NULL, path TEXT NOT NULL,
    content_type TEXT NOT NULL, data BLOB NOT NULL, PRIMARY KEY (seq, number)
);
CREATE TABLE cursors (sink TEXT PRIMARY KEY, seq INTEGER NOT NULL) WITHOUT ROWID;
CREATE TABLE checkpoints (
    camera TEXT NOT NULL, seq INTEGER NOT NULL, token TEXT NOT NULL, state BLOB NOT NULL, PRIMARY KEY (camera, seq)
);
"""


@dataclass(frozen=True, slots=True)
class Record:
    """An item on its way into the spool, encoded outside any lock."""

    id: str
    camera: str
    body: bytes
    attachments: tuple[Attachment, ...]

    @classmethod
    def of(cls, item: Item) -> Record:
        """Encodes an item."""
        return cls(item.event.id, item.event.subject, encode(item.event), item.attachments)

    @property
    def size(self) -> int:
        """Bytes it takes on disk, about."""
        pictures = sum(len(a.data) + _ROW_OVERHEAD for a in self.attachments)
        return len(self.body) + _ROW_OVERHEAD + pictures


@dataclass(frozen=True, slots=True)
class Row:
    """An item as a sink reads it back, with its place in the spool."""

    seq: int
    item: Item


class Store:
    """One connection to the spool's file."""

    def __init__(self, path: Path) -> None:
        """Opens the file, and creates it and its tables where they are missing.

        Raises:
            sqlite3.Error: The file cannot be opened, is damaged, or is no spool.
        """
        self._db = sqlite3.connect(path, isolation_level=None, check_same_thread=False, timeout=30.0)
        try:
            self._db.execute("PRAGMA journal_mode = WAL")
            self._db.execute("PRAGMA synchronous = FULL")
            # Some builds overwrite what is deleted; on a full disk there is no room for that in the log.
            self._db.execute("PRAGMA secure_delete = OFF")
            self._db.execute("PRAGMA journal_size_limit = 67108864")
            self._create()
        except BaseException:
            self._db.close()
            raise

    def close(self) -> None:
        """Closes the connection; the last one folds the log into the file."""
        self._db.close()

    @contextmanager
    def transaction(self) -> Iterator[None]:
        """Makes everything inside one durable step: all of it or, after an error, none of it."""
        self._db.execute("BEGIN IMMEDIATE")
        try:
            yield
            self._db.execute("COMMIT")
        except BaseException:
            if self._db.in_transaction:
                self._db.execute("ROLLBACK")
            raise

    def _create(self) -> None:
        (version,) = self._db.execute("PRAGMA user_version").fetchone()
        if version == VERSION:
            return
        if version:
            raise sqlite3.DatabaseError(f"it was written in format {version}; this version reads format {VERSION}")
        with self.transaction():
            for statement in _SCHEMA.split(";"):
                self._db.execute(statement)
            self._db.execute(f"PRAGMA user_version = {VERSION}")

    # -- writing, inside a transaction -------------------------------------------------------------------------------

    def add(self, seq: int, record: Record, added: float) -> bool:
        """Adds an event with its pictures; returns False, and does nothing, when its id is there already."""
        cursor = self._db.execute(
            "INSERT OR IGNORE INTO events VALUES (?, ?, ?, ?, ?, ?)",
            (seq, record.id, record.camera, added, record.size, record.body),
        )
        if not cursor.rowcount:
            return False
        self._db.executemany(
            "INSERT INTO attachments VALUES (?, ?, ?, ?, ?, ?)",
            [(seq, n, a.sink, a.path, a.content_type, a.data) for n, a in enumerate(record.attachments)],
        )
        return True

    def set_checkpoint(self, checkpoint: Checkpoint, seq: int) -> None:
        """Sets the camera's progress after its event `seq`, in place of an earlier one at the same event."""
        self._db.execute(
            "INSERT OR REPLACE INTO checkpoints VALUES (?, ?, ?, ?)",
            (checkpoint.camera, seq, checkpoint.token, checkpoint.state),
        )

    def drop_checkpoints(self, camera: str, seqs: Iterable[int]) -> None:
        """Forgets progress that nobody can ask for any more."""
        self._db.executemany("DELETE FROM checkpoints WHERE camera = ? AND seq = ?", [(camera, seq) for seq in seqs])

    def free_ids(self, camera: str) -> None:
        """Lets the camera's events be added a second time, as events of their own."""
        self._db.execute("UPDATE events SET id = id || '@' || seq WHERE camera = ?", (camera,))

    def set_cursor(self, sink: str, seq: int) -> None:
        """Notes that a sink has everything up to `seq`."""
        self._db.execute("INSERT OR REPLACE INTO cursors VALUES (?, ?)", (sink, seq))

    def drop_cursor(self, sink: str) -> None:
        """Forgets a sink."""
        self._db.execute("DELETE FROM cursors WHERE sink = ?", (sink,))

    def delete_through(self, seq: int) -> int:
        """Deletes the events up to `seq` with their pictures, and returns the bytes that they took."""
        (size,) = self._db.execute("SELECT coalesce(sum(size), 0) FROM events WHERE seq <= ?", (seq,)).fetchone()
        if size:
            self._db.execute("DELETE FROM events WHERE seq <= ?", (seq,))
            self._db.execute("DELETE FROM attachments WHERE seq <= ?", (seq,))
        return int(size)

    # -- housekeeping, outside a transaction -------------------------------------------------------------------------

    @property
    def unused(self) -> int:
        """Bytes of the file that hold nothing: the next events go there."""
        (pages,) = self._db.execute("PRAGMA freelist_count").fetchone()
        (size,) = self._db.execute("PRAGMA page_size").fetchone()
        return int(pages * size)

    def fold(self) -> None:
        """Moves the log into the file and leaves it empty; the file may grow."""
        self._db.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()

    def give_back(self) -> None:
        """Returns unused space to the file system."""
        self._db.execute("VACUUM")
        self.fold()

    # -- reading -----------------------------------------------------------------------------------------------------

    def totals(self) -> tuple[int, int | None, int | None]:
        """Returns the bytes of all events, and the first and last `seq` (None when there is no event)."""
        size, first, last = self._db.execute("SELECT coalesce(sum(size), 0), min(seq), max(seq) FROM events").fetchone()
        return int(size), first, last

    def cursors(self) -> dict[str, int]:
        """Returns each sink's cursor."""
        return dict(self._db.execute("SELECT sink, seq FROM cursors"))

    def checkpoint_seqs(self) -> dict[str, list[int]]:
        """Returns for each camera the events at which there are checkpoints, ascending."""
        found: dict[str, list[int]] = {}
        for camera, seq in self._db.execute("SELECT camera, seq FROM checkpoints ORDER BY camera, seq"):
            found.setdefault(camera, []).append(seq)
        return found

    def checkpoint(self, camera: str, through: int | None = None) -> Checkpoint | None:
        """Returns a camera's newest checkpoint, or its newest one not after event `through`."""
        row = self._db.execute(
            "SELECT token, state FROM checkpoints WHERE camera = ? AND (? IS NULL OR seq <= ?)"
            " ORDER BY seq DESC LIMIT 1",
            (camera, through, through),
        ).fetchone()
        return None if row is None else Checkpoint(camera, row[0], row[1])

    def added(self, after: int) -> float | None:
        """Returns when the first event after `after` came in, in seconds since 1970; None when there is none."""
        row = self._db.execute("SELECT added FROM events WHERE seq > ? ORDER BY seq LIMIT 1", (after,)).fetchone()
        return None if row is None else float(row[0])

    def read(self, sink: str, after: int, limit: int, max_bytes: int) -> list[Row]:
        """Reads the events after `after` with the pictures meant for `sink`, in order.

        Args:
            sink: Name of the sink.
            after: The last `seq` that it has read.
            limit: At most so many events.
            max_bytes: The rows end before they take more bytes than this; the first one always comes.
        """
        last, bodies = self._bodies(after, limit, max_bytes)
        pictures: dict[int, list[Attachment]] = {}
        for seq, path, content_type, data in self._db.execute(
            "SELECT seq, path, content_type, data FROM attachments"
            " WHERE seq > ? AND seq <= ? AND sink = ? ORDER BY seq, number",
            (after, last, sink),
        ):
            pictures.setdefault(seq, []).append(Attachment(path, content_type, data, sink))
        return [Row(seq, Item(decode(body), tuple(pictures.get(seq, ())))) for seq, body in bodies]

    def _bodies(self, after: int, limit: int, max_bytes: int) -> tuple[int, Sequence[tuple[int, bytes]]]:
        bodies: list[tuple[int, bytes]] = []
        total = 0
        for seq, size, body in self._db.execute(
            "SELECT seq, size, body FROM events WHERE seq > ? ORDER BY seq LIMIT ?", (after, limit)
        ):
            total += size
            if bodies and total > max_bytes:
                break
            bodies.append((seq, body))
        return (bodies[-1][0] if bodies else after), bodies
