"""Many members around one table: never two owners of a camera, all cameras owned soon, and the load even."""

from __future__ import annotations

import random
from dataclasses import dataclass

from hypothesis import given, settings
from hypothesis import strategies as st

from inferfleet.streams.checkpoint import Checkpoint
from inferfleet.streams.leases.member import RENEWALS, Member
from inferfleet.streams.leases.model import Lease
from tests.unit.streams.leases.memory import MemoryTable, Time, Worker

DURATION = 15.0
INTERVAL = DURATION / RENEWALS
JITTER = 0.5
"""How long a step of a worker may take."""
BOUND = 30.0
"""A dead worker's cameras are with others after so many seconds."""


@dataclass
class Fleet:
    """Workers that live on in simulated time."""

    cameras: list[str]
    chance: random.Random

    def __post_init__(self) -> None:
        self.time, self.table = Time(), MemoryTable()
        self.workers: list[Worker] = []
        self.fences: dict[str, int] = {}

    def join(self) -> Worker:
        name = f"w{len(self.workers):02}-{self.chance.randrange(1000)}"
        offset = self.chance.uniform(-1e6, 1e6)
        worker = Worker(name, self.table, self.time, DURATION, offset)
        self.workers.append(worker)
        return worker

    @property
    def living(self) -> list[Worker]:
        return [worker for worker in self.workers if not worker.dead]

    def run(self, seconds: float) -> None:
        until = self.time.now + seconds
        while awake := [w for w in self.living if max(w.due, w.paused_until) <= until]:
            worker = min(awake, key=lambda w: max(w.due, w.paused_until))
            self.time.now = max(self.time.now, worker.due, worker.paused_until)
            over = worker.step(self.cameras)
            rest = worker.member.next_look - worker.member._clock() if over else 0.0
            worker.due = self.time.now + rest + self.chance.uniform(0.001, JITTER)
            self.check()
        self.time.now = until
        self.check()

    def check(self) -> None:
        publishers: dict[str, str] = {}
        for worker in self.workers:
            if worker.dead:
                continue
            for camera in worker.publishes:
                assert camera not in publishers, f"{worker.name} and {publishers[camera]} both publish {camera}"
                publishers[camera] = worker.name
        for camera, lease in self.table.leases.items():
            assert lease.fence >= self.fences.get(camera, 0)
            self.fences[camera] = lease.fence

    def assert_settled(self) -> None:
        owned = [worker.publishes for worker in self.living]
        assert sorted(camera for cameras in owned for camera in cameras) == sorted(self.cameras)
        loads = [len(cameras) for cameras in owned]
        assert max(loads) - min(loads) <= 1, loads


def fleet_of(cameras: int, workers: int, seed: int = 0) -> Fleet:
    fleet = Fleet([f"cam-{n:02}" for n in range(cameras)], random.Random(seed))
    for _ in range(workers):
        fleet.join()
    return fleet


def settle_seconds(cameras: int) -> float:
    """Expiry, and then one handover after the other, each seen at the next round."""
    return 2 * DURATION + cameras * 3 * (INTERVAL + 3 * JITTER)


@given(cameras=st.integers(1, 12), workers=st.integers(1, 5), seed=st.integers(0, 10**6))
@settings(max_examples=60, deadline=None)
def test_cameras_spread_evenly_over_whoever_is_there(cameras: int, workers: int, seed: int) -> None:
    fleet = fleet_of(cameras, workers, seed)
    fleet.run(settle_seconds(cameras))
    fleet.assert_settled()


@given(
    cameras=st.integers(1, 8),
    seed=st.integers(0, 10**6),
    troubles=st.lists(
        st.tuples(
            st.sampled_from(["join", "kill", "pause", "down", "deaf", "leave", "calm"]), st.floats(0.1, 3 * DURATION)
        ),
        max_size=12,
    ),
)
@settings(max_examples=200, deadline=None)
def test_whatever_happens_no_camera_has_two_owners_and_all_is_well_afterwards(
    cameras: int, seed: int, troubles: list[tuple[str, float]]
) -> None:
    fleet = fleet_of(cameras, 3, seed)
    for trouble, seconds in troubles:
        victim = fleet.chance.choice(fleet.living)
        match trouble:
            case "join":
                fleet.join()
            case "kill" if len(fleet.living) > 1:
                victim.dead = True
            case "pause":
                victim.paused_until = fleet.time.now + seconds
            case "leave" if len(fleet.living) > 1:
                for held in list(victim.member.held.values()):
                    victim.member.release(held)
                victim.member.leave()
                victim.dead = True
            case "down":
                fleet.table.down = True
            case "deaf":
                fleet.table.loses_answers = True
        fleet.run(seconds / 2)
        fleet.table.down = fleet.table.loses_answers = False
        fleet.run(seconds / 2)
    fleet.run(settle_seconds(cameras) + 3 * DURATION)
    fleet.assert_settled()


@given(cameras=st.integers(1, 12), workers=st.integers(2, 5), seed=st.integers(0, 10**6))
@settings(max_examples=60, deadline=None)
def test_a_dead_workers_cameras_are_with_others_within_the_bound(cameras: int, workers: int, seed: int) -> None:
    fleet = fleet_of(cameras, workers, seed)
    fleet.run(settle_seconds(cameras) + fleet.chance.uniform(0, INTERVAL))
    fleet.chance.choice(fleet.workers).dead = True
    fleet.run(BOUND)
    held = {camera for worker in fleet.living for camera in worker.publishes}
    assert held == set(fleet.cameras)


def test_a_worker_that_leaves_hands_over_at_the_next_look() -> None:
    fleet = fleet_of(cameras=4, workers=2)
    fleet.run(settle_seconds(4))
    first, second = fleet.workers
    for held in list(first.member.held.values()):
        first.member.release(held)
    first.member.leave()
    first.dead = True
    fleet.run(INTERVAL + 3 * JITTER)
    assert second.publishes == set(fleet.cameras)


def test_a_worker_that_was_paused_too_long_publishes_nothing_even_before_it_looks() -> None:
    fleet = fleet_of(cameras=2, workers=1)
    fleet.run(5)
    (worker,) = fleet.workers
    assert len(worker.publishes) == 2
    fleet.time.now += DURATION
    assert worker.publishes == set()


def test_a_lease_that_ran_out_is_never_renewed_but_taken_anew_under_another_fence() -> None:
    fleet = fleet_of(cameras=1, workers=1)
    fleet.run(5)
    (worker,) = fleet.workers
    held = worker.member.held["cam-00"]
    fleet.time.now += DURATION
    held.delivered(Checkpoint("cam-00", "beyond", b""))
    fleet.run(3 * INTERVAL)
    assert worker.member.held["cam-00"].fence == held.fence + 1
    assert fleet.table.checkpoints == {}, "progress under a lost lease reached the table"


def test_the_checkpoint_travels_with_the_lease() -> None:
    fleet = fleet_of(cameras=1, workers=1)
    fleet.run(5)
    (first,) = fleet.workers
    first.member.held["cam-00"].delivered(Checkpoint("cam-00", "41", b"state"))
    fleet.run(2 * INTERVAL)
    first.dead = True
    second = fleet.join()
    fleet.run(BOUND)
    assert second.member.held["cam-00"].resume == Checkpoint("cam-00", "41", b"state")


def test_the_last_checkpoint_is_written_with_the_release() -> None:
    fleet = fleet_of(cameras=1, workers=1)
    fleet.run(5)
    (worker,) = fleet.workers
    held = worker.member.held["cam-00"]
    held.delivered(Checkpoint("cam-00", "42", b"state"))
    worker.member.release(held)
    assert fleet.table.checkpoints["cam-00"].token == "42"
    assert fleet.table.leases["cam-00"].owner is None


def test_a_new_worker_leaves_alone_what_it_has_not_watched_for_a_lease_duration() -> None:
    fleet = fleet_of(cameras=1, workers=0)
    fleet.table.leases["cam-00"] = Lease("cam-00", owner="silent", counter=7, fence=3)
    worker = fleet.join()
    fleet.run(DURATION - 1)
    assert worker.publishes == set()
    fleet.run(INTERVAL)
    assert worker.publishes == {"cam-00"}
    assert fleet.table.leases["cam-00"].fence == 4


def test_a_worker_that_watched_while_it_started_takes_a_dead_ones_cameras_as_soon_as_it_is_ready() -> None:
    time, table = Time(), MemoryTable()
    dead = Member("dead", table, DURATION, lambda: time.now)
    for lease in dead.look(["gate"]).take:
        dead.take(lease)
    watchful, late = (Member(name, table, DURATION, lambda: time.now) for name in ("watchful", "late"))
    assert watchful.watch()
    time.now += DURATION + 0.1
    assert [lease.camera for lease in watchful.look(["gate"]).take] == ["gate"]
    assert not late.look(["gate"]).take
