"""A lane puts frames back in order, bounds what is on its way, and survives what goes wrong inside."""

from __future__ import annotations

import random
import threading
from collections.abc import Iterator
from pathlib import Path

import cv2
import numpy as np
import pytest

from inferfleet.config.cameras import Camera, Detect, Step, Zone
from inferfleet.config.sources import ImagesSource
from inferfleet.streams.analysis import ModelInfo
from inferfleet.streams.batcher import Batcher, Job
from inferfleet.streams.delivery import Spool
from inferfleet.streams.frame import Frame
from inferfleet.streams.lane import Lane, Outlets
from inferfleet.streams.metrics import Metrics
from inferfleet.vision.types import Detections

FRAMES = 24
DEADLINE = 20
WHOLE = Zone(polygon=((0, 0), (1, 0), (1, 1), (0, 1)), match="center")


class Recorder(Metrics):
    """Metrics that remember which frames were analysed, in which order."""

    def __init__(self) -> None:
        super().__init__()
        self.order: list[int] = []

    def processed(self, frame: Frame, latency: float) -> None:
        super().processed(frame, latency)
        self.order.append(frame.position.frame)


@pytest.fixture
def spool(tmp_path: Path) -> Iterator[Spool]:
    with Spool.open(tmp_path / "spool", sinks=["file"]) as opened:
        yield opened


@pytest.fixture
def pictures(tmp_path: Path) -> Path:
    folder = tmp_path / "pictures"
    folder.mkdir()
    for number in range(FRAMES):
        cv2.imwrite(str(folder / f"{number:03}.png"), np.full((48, 64, 3), number, np.uint8))
    return folder


def lane_for(pictures: Path, spool: Spool, metrics: Metrics, *batchers: Batcher, in_flight: int = FRAMES) -> Lane:
    camera = Camera(
        id="a",
        source=ImagesSource(path=pictures),
        queue=4,
        zones={"all": WHOLE},
        steps=(Step(detect=Detect()),) * len(batchers),
    )
    lane = Lane(
        camera,
        batchers=batchers,
        models={"m": ModelInfo("m", "0" * 64, ("thing",))},
        worker="test/0",
        reader=None,
        outlets=Outlets(spool, None, metrics),
        in_flight=in_flight,
        base=pictures.parent,
        decoder_threads=1,
    )
    lane.start()
    return lane


def take(batcher: Batcher, count: int) -> list[Job]:
    jobs: list[Job] = []
    while len(jobs) < count:
        jobs += batcher.take(count - len(jobs))
    return jobs


def wait_until_finished(lane: Lane) -> None:
    done = threading.Event()
    for _ in range(DEADLINE * 100):
        if lane.is_finished:
            return
        done.wait(0.01)
    raise AssertionError("the lane never finished")


def thing() -> Detections:
    return Detections(np.array([[8, 8, 40, 40]], np.float32), np.array([0.9], np.float32), np.array([0], np.int32))


def test_frames_that_models_finish_in_any_order_are_analysed_in_theirs(pictures: Path, spool: Spool) -> None:
    metrics, batcher = Recorder(), Batcher()
    lane = lane_for(pictures, spool, metrics, batcher)
    jobs = take(batcher, FRAMES)
    random.Random(4).shuffle(jobs)
    for job in jobs:
        job.found.append(thing())
    halves = [
        threading.Thread(target=lambda part=part: [lane.finish(job) for job in part])  # type: ignore[misc]
        for part in (jobs[::2], jobs[1::2])
    ]
    for half in halves:
        half.start()
    for half in halves:
        half.join(DEADLINE)
    assert metrics.order == list(range(FRAMES))
    wait_until_finished(lane)
    lane.stop(1)


def test_no_more_frames_are_on_their_way_than_allowed(pictures: Path, spool: Spool) -> None:
    batcher = Batcher()
    lane = lane_for(pictures, spool, Metrics(), batcher, in_flight=3)
    first = take(batcher, 3)
    assert lane.next_job() is None
    first[0].found.append(Detections.none())
    lane.finish(first[0])
    assert len(take(batcher, 1)) == 1
    for job in first[1:]:
        job.found.append(Detections.none())
        lane.finish(job)
    lane.stop(0)


def test_a_frame_visits_every_model_before_it_is_analysed(pictures: Path, spool: Spool) -> None:
    metrics, first, second = Recorder(), Batcher(), Batcher()
    lane = lane_for(pictures, spool, metrics, first, second)
    (job,) = take(first, 1)
    job.found.append(Detections.none())
    lane.finish(job)
    assert metrics.order == []
    (again,) = take(second, 1)
    assert again is job
    again.found.append(Detections.none())
    lane.finish(again)
    assert metrics.order == [0]
    lane.stop(0)


def test_detections_that_cannot_be_analysed_cost_their_frame_and_nothing_else(pictures: Path, spool: Spool) -> None:
    metrics, batcher = Recorder(), Batcher()
    lane = lane_for(pictures, spool, metrics, batcher)
    jobs = take(batcher, FRAMES)
    for job in jobs:
        broken = Detections(np.empty((1, 0), np.float32), np.array([0.9], np.float32), np.array([7], np.int32))
        job.found.append(broken if job.number == 5 else thing())
        lane.finish(job)
    assert metrics.order == [n for n in range(FRAMES) if n != 5]
    assert metrics.drops("a") == {"analysis_error": 1}
    lane.stop(1)


def test_progress_is_durable_after_stopping(pictures: Path, spool: Spool) -> None:
    batcher = Batcher()
    lane = lane_for(pictures, spool, Metrics(), batcher)
    for job in take(batcher, 7):
        job.found.append(thing())
        lane.finish(job)
    lane.stop(1)
    metrics, again = Recorder(), Batcher()
    resumed = lane_for(pictures, spool, metrics, again)
    for job in take(again, FRAMES - 7):
        job.found.append(thing())
        resumed.finish(job)
    assert metrics.order == list(range(7, FRAMES))
    resumed.stop(1)


def test_what_is_open_when_the_source_ends_is_closed_once(pictures: Path, spool: Spool) -> None:
    metrics, batcher = Recorder(), Batcher()
    lane = lane_for(pictures, spool, metrics, batcher)
    for job in take(batcher, FRAMES):
        job.found.append(thing())
        lane.finish(job)
    wait_until_finished(lane)
    before = lane.events
    lane.conclude()
    lane.conclude()
    assert (before, lane.events) == (2, 3)
    lane.stop(1)


def test_progress_is_known_from_the_first_frame_on(pictures: Path, spool: Spool) -> None:
    batcher = Batcher()
    lane = lane_for(pictures, spool, Metrics(), batcher)
    (job,) = take(batcher, 1)
    assert spool.checkpoint("a") is None
    job.found.append(Detections.none())
    lane.finish(job)
    saved = spool.checkpoint("a")
    assert saved is not None
    assert saved.token == job.frame.position.token
    lane.stop(DEADLINE)
