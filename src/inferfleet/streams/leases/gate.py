"""Lets events to the sinks only under a lease that is certainly held at that moment."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

import structlog

from inferfleet.streams.checkpoint import Checkpoint
from inferfleet.streams.delivery.gate import Admission
from inferfleet.streams.delivery.store import Row
from inferfleet.streams.leases.held import Held

_log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class _Entry:
    """A lease, and the number of the newest event from before it was taken."""

    held: Held
    since: int


class LeaseGate:
    """Asks the leases before each delivery. Thread-safe.

    It lets one event a camera through at a time, so that not a whole batch is on its way when the process is
    stopped in the middle of it and a lease runs out meanwhile.
    """

    def __init__(self) -> None:
        self._entries: dict[str, _Entry] = {}
        self._on_their_way: Counter[str] = Counter()
        self._landed = threading.Condition()

    def open_for(self, held: Held, since: int) -> None:
        """Lets a camera's events through that are newer than `since`, while its lease is valid."""
        self._entries[held.camera] = _Entry(held, since)

    def close_for(self, held: Held, timeout: float = 0.0) -> None:
        """Lets nothing more through under a lease, and waits until what was let through has arrived or failed."""
        entry = self._entries.get(held.camera)
        if entry is not None and entry.held is held:
            del self._entries[held.camera]
        with self._landed:
            self._landed.wait_for(lambda: not self._on_their_way[held.camera], timeout)

    def delivered(self, checkpoint: Checkpoint) -> None:
        """Notes a delivered checkpoint with its camera's lease."""
        entry = self._entries.get(checkpoint.camera)
        if entry is not None:
            entry.held.delivered(checkpoint)

    @contextmanager
    def admit(self, rows: Sequence[Row]) -> Iterator[Admission]:
        """Lets each camera's next event through, and turns away those of cameras that others have now."""
        with self._landed:
            admission = self._divide(rows)
            cameras = Counter(row.item.event.subject for row in admission.now)
            self._on_their_way += cameras
        if admission.never:
            _log.info("events are left to the worker that has their camera now", events=len(admission.never))
        try:
            yield admission
        finally:
            with self._landed:
                self._on_their_way -= cameras
                self._landed.notify_all()

    def _divide(self, rows: Sequence[Row]) -> Admission:
        now: dict[str, Row] = {}
        never: list[Row] = []
        valid: dict[str, bool] = {}
        for row in rows:
            camera = row.item.event.subject
            entry = self._entries.get(camera)
            if camera not in valid:
                valid[camera] = entry is not None and entry.held.is_valid
            if entry is None or not valid[camera] or row.seq <= entry.since:
                never.append(row)
            elif camera not in now:
                now[camera] = row
        return Admission(tuple(now.values()), tuple(never))
