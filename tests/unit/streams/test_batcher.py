"""Batches are formed from whoever has a frame, in turn, and at once."""

from __future__ import annotations

import threading
from collections import deque
from datetime import UTC, datetime
from typing import cast

import pytest

from inferfleet.streams.batcher import Batcher, Job
from inferfleet.streams.frame import Frame, Position
from inferfleet.vision.types import Picture

DEADLINE = 10


class Lane:
    """A lane with frames in hand."""

    def __init__(self, name: str, frames: int = 0) -> None:
        self.name = name
        self.waiting = deque(range(frames))
        self.finished: list[Job] = []

    def next_job(self) -> Job | None:
        if not self.waiting:
            return None
        number = self.waiting.popleft()
        position = Position(str(number), number)
        return Job(self, number, Frame(self.name, datetime.now(UTC), position, cast("Picture", None), 0.0), 0.1)

    def finish(self, job: Job) -> None:
        self.finished.append(job)


def names(jobs: list[Job]) -> list[str]:
    return [job.frame.camera for job in jobs]


def test_a_batch_takes_from_each_camera_in_turn() -> None:
    batcher = Batcher()
    for lane in (Lane("a", 10), Lane("b", 2), Lane("c", 3)):
        batcher.offer(lane)
    assert names(batcher.take(6)) == ["a", "b", "c", "a", "b", "c"]
    assert names(batcher.take(4)) == ["a", "c", "a", "a"]


def test_a_batch_is_handed_out_though_it_is_not_full_and_others_have_nothing() -> None:
    batcher = Batcher()
    batcher.offer(Lane("silent"))
    batcher.offer(Lane("a", 1))
    assert names(batcher.take(8)) == ["a"]


def test_a_lane_that_was_empty_is_seen_again_when_it_offers_itself() -> None:
    batcher, lane, other = Batcher(), Lane("a"), Lane("b", 1)
    batcher.offer(lane)
    batcher.offer(other)
    assert names(batcher.take(4)) == ["b"]
    lane.waiting.append(0)
    batcher.offer(lane)
    assert names(batcher.take(4)) == ["a"]


def test_what_another_model_has_seen_goes_first() -> None:
    batcher, first = Batcher(), Lane("a", 3)
    batcher.offer(first)
    (job,) = batcher.take(1)
    returning = Lane("b", 1).next_job()
    assert returning is not None
    batcher.resume(returning)
    assert names(batcher.take(2)) == ["b", "a"]
    assert job.number == 0


def test_taking_waits_for_an_offer() -> None:
    batcher = Batcher()
    taken: list[list[Job]] = []
    thread = threading.Thread(target=lambda: taken.append(batcher.take(4)), daemon=True)
    thread.start()
    batcher.offer(Lane("late", 1))
    thread.join(DEADLINE)
    assert [names(jobs) for jobs in taken] == [["late"]]


@pytest.mark.parametrize("takers", [1, 3])
def test_closing_wakes_every_taker(takers: int) -> None:
    batcher = Batcher()
    results: list[list[Job]] = []
    threads = [threading.Thread(target=lambda: results.append(batcher.take(4)), daemon=True) for _ in range(takers)]
    for thread in threads:
        thread.start()
    batcher.close()
    for thread in threads:
        thread.join(DEADLINE)
    assert results == [[]] * takers
    batcher.offer(Lane("a", 1))
    assert batcher.take(1) == []


def test_no_frame_is_lost_or_doubled_with_many_takers_and_offers() -> None:
    batcher, lanes = Batcher(), [Lane(str(n), 200) for n in range(5)]
    taken: list[Job] = []
    lock = threading.Lock()

    def work() -> None:
        while batch := batcher.take(7):
            with lock:
                taken.extend(batch)
                if len(taken) == 1000:
                    batcher.close()

    threads = [threading.Thread(target=work, daemon=True) for _ in range(4)]
    for thread in threads:
        thread.start()
    for lane in lanes:
        batcher.offer(lane)
    for thread in threads:
        thread.join(DEADLINE)
    assert sorted((job.frame.camera, job.number) for job in taken) == sorted(
        (str(n), m) for n in range(5) for m in range(200)
    )
