"""Only what a worker certainly holds gets to its sinks; a camera that comes back is made anew, under the same ids."""

from __future__ import annotations

import threading
from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest

from inferfleet.streams.checkpoint import Checkpoint
from inferfleet.streams.delivery import Delivery, Item, Spool
from inferfleet.streams.delivery.sinks.base import Failure
from inferfleet.streams.leases.gate import LeaseGate
from inferfleet.streams.leases.held import Held
from tests.unit.streams.delivery.support import make_checkpoint, make_item

PATIENCE = 20.0


class Clock:
    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


class Target:
    """Keeps what it gets; while `shut` it takes nothing."""

    name = "target"
    batch_size = 100

    def __init__(self) -> None:
        self.got: list[str] = []
        self.shut = threading.Event()
        self.asked = threading.Event()

    def open(self) -> None: ...

    def close(self) -> None: ...

    def deliver(self, batch: Sequence[Item]) -> Sequence[Failure]:
        self.asked.set()
        if self.shut.is_set():
            return [Failure(item.event.id, "shut") for item in batch]
        self.got += [item.event.id for item in batch]
        return []


@pytest.fixture
def spool(tmp_path: Path) -> Iterator[Spool]:
    with Spool.open(tmp_path / "spool", ["target"]) as opened:
        yield opened


def lease(camera: str, clock: Clock, fence: int = 1, resume: Checkpoint | None = None) -> Held:
    return Held(camera, fence, resume, until=10.0, clock=clock)


def append(spool: Spool, camera: str, *numbers: int) -> list[str]:
    items = [make_item(camera, n) for n in numbers]
    for number, item in zip(numbers, items, strict=True):
        spool.append([item], make_checkpoint(camera, number))
    return [item.event.id for item in items]


def drain(spool: Spool, target: Target, gate: LeaseGate) -> None:
    delivery = Delivery(spool, [target], gate=gate)
    delivery.start()
    assert delivery.stop(PATIENCE) == 0


def test_events_of_cameras_that_are_not_held_are_left_to_others(spool: Spool) -> None:
    gate, clock, target = LeaseGate(), Clock(), Target()
    gate.open_for(lease("mine", clock), 0)
    mine, others = append(spool, "mine", 1, 2, 3), append(spool, "theirs", 1, 2)
    drain(spool, target, gate)
    assert target.got == mine
    assert others


def test_a_lease_that_ran_out_lets_nothing_through_and_moves_no_checkpoint(spool: Spool) -> None:
    gate, clock, target = LeaseGate(), Clock(), Target()
    held = lease("mine", clock)
    spool.on_delivered(gate.delivered)
    gate.open_for(held, spool.begin("mine", None))
    append(spool, "mine", 1, 2)
    clock.now = 10.0
    drain(spool, target, gate)
    assert target.got == []
    assert held.news is None
    clock.now = 0.0
    assert not held.is_valid, "what was lost once stays lost"


def test_what_was_left_undelivered_is_delivered_when_it_is_made_again(spool: Spool) -> None:
    gate, clock, target = LeaseGate(), Clock(), Target()
    gate.open_for(lease("mine", clock), spool.begin("mine", None))
    target.shut.set()
    delivery = Delivery(spool, [target], gate=gate)
    delivery.start()
    ids = append(spool, "mine", 1, 2)
    assert target.asked.wait(PATIENCE)
    again = lease("mine", clock, fence=2, resume=make_checkpoint("mine", 0))
    gate.open_for(again, spool.begin("mine", again.resume))
    assert spool.checkpoint("mine") == again.resume
    target.shut.clear()
    assert append(spool, "mine", 1, 2) == ids
    assert delivery.stop(PATIENCE) == 0
    assert target.got == ids


def test_progress_is_told_to_the_lease_under_which_it_was_made(spool: Spool) -> None:
    gate, clock, target = LeaseGate(), Clock(), Target()
    spool.on_delivered(gate.delivered)
    held = lease("mine", clock)
    gate.open_for(held, spool.begin("mine", None))
    append(spool, "mine", 1, 2)
    drain(spool, target, gate)
    assert held.news == make_checkpoint("mine", 2)


def test_beginning_anew_without_a_checkpoint_forgets_the_old_one(spool: Spool) -> None:
    append(spool, "mine", 1, 2)
    spool.begin("mine", None)
    assert spool.checkpoint("mine") is None
    assert spool.delivered_checkpoint("mine") is None


def test_one_event_a_camera_is_on_its_way_at_a_time(spool: Spool) -> None:
    gate, clock = LeaseGate(), Clock()
    for camera in ("a", "b"):
        gate.open_for(lease(camera, clock), 0)
        append(spool, camera, 1, 2, 3)
    reader = spool.reader("target")
    rows = reader.read(100, 10**6)
    reader.close()
    with gate.admit(rows) as admission:
        assert [row.item.event.subject for row in admission.now] == ["a", "b"]
        assert admission.never == ()
