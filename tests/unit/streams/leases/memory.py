"""The lease table in memory, with the same conditions as in DynamoDB, and many members around it in simulated time."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from inferfleet.streams.checkpoint import Checkpoint
from inferfleet.streams.leases.decide import Decision
from inferfleet.streams.leases.member import Member
from inferfleet.streams.leases.model import Beat, Lease, Renewal, TableUnavailableError, View


class MemoryTable:
    def __init__(self) -> None:
        self.leases: dict[str, Lease] = {}
        self.beats: dict[str, Beat] = {}
        self.checkpoints: dict[str, Checkpoint] = {}
        self.down = False
        self.loses_answers = False

    def look(self) -> View:
        self._answer()
        return View(tuple(self.leases.values()), tuple(self.beats.values()))

    def beat(self, beat: Beat) -> None:
        self._answer()
        self.beats[beat.worker] = beat

    def forget(self, beat: Beat) -> None:
        self._answer()
        if self.beats.get(beat.worker) == beat:
            del self.beats[beat.worker]

    def take(self, lease: Lease, worker: str) -> tuple[int, Checkpoint | None] | None:
        self._answer()
        current = self.leases.get(lease.camera, Lease(lease.camera))
        if (current.counter, current.fence) != (lease.counter, lease.fence):
            return None
        taken = replace(current, owner=worker, counter=current.counter + 1, fence=current.fence + 1)
        self.leases[lease.camera] = taken
        if self.loses_answers:
            raise TableUnavailableError("the answer was lost")
        return taken.fence, self.checkpoints.get(lease.camera)

    def renew(self, renewals: Sequence[Renewal], worker: str) -> Sequence[bool | None]:
        return [None if self.down else self._write(renewal, worker, worker) for renewal in renewals]

    def release(self, renewal: Renewal, worker: str) -> None:
        self._answer()
        self._write(renewal, worker, None)

    def _write(self, renewal: Renewal, worker: str, owner: str | None) -> bool | None:
        current = self.leases[renewal.camera]
        if (current.owner, current.fence) != (worker, renewal.fence):
            return False
        self.leases[renewal.camera] = replace(current, owner=owner, counter=current.counter + 1)
        if renewal.checkpoint is not None:
            self.checkpoints[renewal.camera] = renewal.checkpoint
        return None if self.loses_answers else True

    def _answer(self) -> None:
        if self.down:
            raise TableUnavailableError("down")


class Time:
    """Seconds that pass when told to."""

    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


class Worker:
    """A member with a clock of its own, driven step by step, as its thread would."""

    def __init__(self, name: str, table: MemoryTable, time: Time, duration: float, offset: float) -> None:
        self.name = name
        self.member = Member(name, table, duration, lambda: time.now + offset)
        self.due = time.now
        self.paused_until = 0.0
        self.dead = False
        self.decision = Decision()
        self._next = self._renew

    def step(self, cameras: Sequence[str]) -> bool:
        """Does its next step; returns whether that was the last of a round."""
        return self._next(cameras)

    def _renew(self, cameras: Sequence[str]) -> bool:
        self.member.renew()
        self._next = self._look
        return False

    def _look(self, cameras: Sequence[str]) -> bool:
        self.decision = self.member.look(cameras)
        self._next = self._act
        return False

    def _act(self, cameras: Sequence[str]) -> bool:
        for lease in self.decision.take:
            self.member.take(lease)
        if self.decision.give is not None and self.decision.give in self.member.held:
            self.member.release(self.member.held[self.decision.give])
        self._next = self._renew
        return True

    @property
    def publishes(self) -> set[str]:
        """The cameras whose events it would let through at this moment."""
        return {camera for camera, held in self.member.held.items() if held.is_valid}
