"""One worker among others: what it holds, what it has seen of the table, and the steps by which both change.

No thread, no sleep and no clock of its own, so that tests can let many members live through years in a second.
`Leasing` runs the steps in a real worker.
"""

from __future__ import annotations

from collections.abc import Callable, Collection

import structlog

from inferfleet.streams.leases.decide import Decision, Watch, decide, gone, next_expiry, observe
from inferfleet.streams.leases.held import Clock, Held
from inferfleet.streams.leases.model import Beat, Lease, Renewal, Table, TableUnavailableError, View

RENEWALS = 4
"""Renewals in a lease's duration."""
_MARGIN = 0.2
"""Share of the duration by which a holder believes in its lease for less long than others wait for it: what it has
sent just before lands before anybody else begins."""
_FORGET = 20
"""Durations after which the item of a worker that is gone is removed."""

_log = structlog.get_logger(__name__)


class Member:
    """A worker's part in sharing the cameras. One thread drives it; its attributes may be read by any.

    Attributes:
        name: Of the worker.
        interval: Between two renewals, in seconds.
        held: What it holds, by camera.
        taken: Leases taken so far.
        lost: Leases that ran out or were refused so far, rather than given up.
        renewed: When the table last took all renewals and the worker's own item, on the clock; None before it has.
    """

    def __init__(self, name: str, table: Table, duration: float, clock: Clock) -> None:
        """Joins nothing yet.

        Args:
            name: Of this worker, like no other's, also not of its own earlier life.
            table: The table.
            duration: Of a lease, in seconds.
            clock: Seconds on a clock that nobody sets.
        """
        self.name = name
        self.interval = duration / RENEWALS
        self.held: dict[str, Held] = {}
        self._table = table
        self._duration = duration
        self._clock = clock
        self._watch: Watch = {}
        self._view = View()
        self._beats = 0
        self.taken = self.lost = 0
        self.renewed: float | None = None

    def renew(self) -> list[Held]:
        """Shows that this worker lives, and renews what it holds, with what was delivered since.

        Returns:
            What it holds no longer. Whoever runs those cameras must let go of them.
        """
        self._beats += 1
        is_well = self._quietly(lambda: self._table.beat(Beat(self.name, self._beats)))
        lost = [held for held in self.held.values() if not held.is_valid]
        alive = [held for held in self.held.values() if held not in lost]
        renewals = [Renewal(held.camera, held.fence, held.news) for held in alive]
        began = self._clock()
        answers = self._table.renew(renewals, self.name)
        self.renewed = began if is_well and None not in answers else self.renewed
        for held, renewal, answer in zip(alive, renewals, answers, strict=True):
            if answer and renewal.checkpoint is not None:
                held.wrote(renewal.checkpoint)
            if answer is False:
                held.lose()
            elif answer:
                held.extend(self._until(began))
            if not held.is_valid:
                lost.append(held)
        self.lost += len(lost)
        for held in lost:
            del self.held[held.camera]
            _log.warning("lease lost", camera=held.camera, fence=held.fence)
        return lost

    def watch(self) -> bool:
        """Reads the table, and notes what has changed; whether it answered.

        Who does so when it starts need not wait for a lease's whole duration once it is ready to take cameras.
        """
        try:
            view = self._table.look()
        except TableUnavailableError as error:
            _log.warning("the lease table does not answer", error=str(error))
            return False
        self._view, self._watch = view, observe(self._watch, view, self._clock())
        return True

    def look(self, cameras: Collection[str], busy: Collection[str] = ()) -> Decision:
        """Reads the table and decides what to do next; nothing when it does not answer. See `decide`."""
        if not self.watch():
            return Decision()
        view, now = self._view, self._clock()
        long_gone = gone(self._watch, view, now, _FORGET * self._duration)
        for beat in view.beats:
            if beat.worker in long_gone:
                self._forget(beat)
        return decide(
            self.name, cameras, view, self._watch, now, duration=self._duration, held=self.held.keys(), busy=busy
        )

    def take(self, lease: Lease) -> Held | None:
        """Takes a lease; None when somebody else was faster, or the table does not answer."""
        began = self._clock()
        try:
            taken = self._table.take(lease, self.name)
        except TableUnavailableError as error:
            _log.warning("lease not taken", camera=lease.camera, error=str(error))
            return None
        if taken is None:
            return None
        fence, checkpoint = taken
        held = Held(lease.camera, fence, checkpoint, self._until(began), self._clock)
        self.held[lease.camera] = held
        self.taken += 1
        _log.info("lease taken", camera=lease.camera, fence=fence, former=lease.owner)
        return held

    def release(self, held: Held) -> None:
        """Gives a lease up, with the last delivered checkpoint. Nothing may be delivered under it any more."""
        checkpoint = held.news
        still_held = held.is_valid
        held.lose()
        if self.held.get(held.camera) is held:
            del self.held[held.camera]
        if still_held:
            renewal = Renewal(held.camera, held.fence, checkpoint)
            self._quietly(lambda: self._table.release(renewal, self.name))
            _log.info("lease released", camera=held.camera, fence=held.fence)

    def leave(self) -> None:
        """Removes this worker's own item: others need not wait until they believe that it is gone."""
        self._forget(Beat(self.name, self._beats))

    @property
    def next_look(self) -> float:
        """When to look again, on the clock: after an interval, or when a lease may have run out."""
        now = self._clock()
        expiry = next_expiry(self._watch, self._view, now, self._duration)
        return min(now + self.interval, expiry if expiry is not None else now + self.interval)

    def _until(self, began: float) -> float:
        return began + self._duration * (1 - _MARGIN)

    def _forget(self, beat: Beat) -> None:
        self._quietly(lambda: self._table.forget(beat))

    def _quietly(self, write: Callable[[], None]) -> bool:
        """Makes a write that may fail: the next one, or the lease's end, makes up for it. Whether it worked."""
        try:
            write()
        except TableUnavailableError as error:
            _log.warning("the lease table does not answer", error=str(error))
            return False
        return True
