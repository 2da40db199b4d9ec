"""Forms batches from whichever cameras have a frame, in turn, and never waits for a camera.

A camera is in the ready queue at most once, so a fast camera cannot crowd out a slow one: after its turn it goes to
the back. What comes back from one model to be seen by the next one goes first, so that no frame waits twice.
"""

from __future__ import annotations

import threading
from collections import deque
from dataclasses import dataclass, field
from typing import Protocol

from inferfleet.streams.frame import Frame
from inferfleet.vision.types import Detections


@dataclass(slots=True)
class Job:
    """A frame on its way through the models of its camera.

    Attributes:
        lane: The camera's lane, to which the job returns.
        number: Counts the lane's jobs from 0, so that the lane can put them back in order.
        frame: The frame.
        least: The least score of a detection that the camera wants to see.
        found: The detections so far, one entry a detect step.
    """

    lane: Feeder
    number: int
    frame: Frame
    least: float
    found: list[Detections] = field(default_factory=list)


class Feeder(Protocol):
    """A camera's lane, as the batcher sees it."""

    def next_job(self) -> Job | None:
        """Takes the camera's next frame, if there is one and the lane may have another one on its way."""

    def finish(self, job: Job) -> None:
        """Takes back a job that one model is done with."""


class Batcher:
    """The queue in front of one model. Any thread may put work in; each of the model's threads takes batches out."""

    def __init__(self) -> None:
        self._condition = threading.Condition()
        self._ready: deque[Feeder] = deque()
        self._queued: set[int] = set()
        self._returning: deque[Job] = deque()
        self._closed = False

    def offer(self, lane: Feeder) -> None:
        """Says that a lane may have a frame. Cheap, and harmless when it has none."""
        with self._condition:
            if id(lane) not in self._queued and not self._closed:
                self._queued.add(id(lane))
                self._ready.append(lane)
                self._condition.notify()

    def resume(self, job: Job) -> None:
        """Queues a job that another model has already seen, ahead of all new frames."""
        with self._condition:
            self._returning.append(job)
            self._condition.notify()

    def take(self, most: int) -> list[Job]:
        """Waits for work and returns 1 to `most` jobs; an empty list means that the batcher was closed."""
        with self._condition:
            while True:
                batch = self._collect(most)
                if batch or self._closed:
                    return batch
                self._condition.wait()

    def close(self) -> None:
        """Wakes every thread in `take`; jobs that come back from other models are still handed out."""
        with self._condition:
            self._closed = True
            self._ready.clear()
            self._queued.clear()
            self._condition.notify_all()

    def _collect(self, most: int) -> list[Job]:
        batch: list[Job] = []
        while self._returning and len(batch) < most:
            batch.append(self._returning.popleft())
        while self._ready and len(batch) < most:
            lane = self._ready.popleft()
            job = lane.next_job()
            if job is None:
                self._queued.discard(id(lane))
            else:
                batch.append(job)
                self._ready.append(lane)
        if self._ready:
            self._condition.notify()
        return batch
