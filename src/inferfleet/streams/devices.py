"""The threads that keep a model busy: each takes a batch, runs the model on it, and hands the jobs on."""

from __future__ import annotations

import threading
import time

import structlog

from inferfleet.streams.batcher import Batcher, Job
from inferfleet.streams.metrics import Metrics
from inferfleet.vision.detector import Detector
from inferfleet.vision.types import Detections

_log = structlog.get_logger(__name__)


_MORE_THREADS = 1
"""Threads beyond those that fill the device: it has work while what it found for another is analysed."""


class ModelThreads:
    """One loaded model with its batcher and the threads that keep its device busy."""

    def __init__(self, name: str, detector: Detector, metrics: Metrics) -> None:
        self.name = name
        self.detector = detector
        self.batcher = Batcher()
        self._metrics = metrics
        self._threads = [
            threading.Thread(target=self._work, name=f"model-{name}-{index}", daemon=True)
            for index in range(detector.workers + _MORE_THREADS)
        ]

    def start(self) -> None:
        """Starts the threads."""
        for thread in self._threads:
            thread.start()

    def stop(self, timeout: float) -> None:
        """Finishes what was taken and ends the threads; waits at most `timeout` seconds."""
        self.batcher.close()
        deadline = time.monotonic() + timeout
        for thread in self._threads:
            thread.join(max(0.0, deadline - time.monotonic()))

    @property
    def is_alive(self) -> bool:
        """Whether all threads run."""
        return all(thread.is_alive() for thread in self._threads)

    def _work(self) -> None:
        while batch := self.batcher.take(self.detector.batch_sizes[-1]):
            try:
                self._run(batch)
            except Exception:
                _log.exception("a batch failed; its frames count as dropped", model=self.name, frames=len(batch))
                for job in batch:
                    self._metrics.dropped(job.frame.camera, "model_error")
                    job.found.append(Detections.none())
            for job in batch:
                job.lane.finish(job)

    def _run(self, batch: list[Job]) -> None:
        prepared = [self.detector.prepare(job.frame.picture) for job in batch]
        began = time.perf_counter()
        results = self.detector.detect(prepared, min(job.least for job in batch))
        self._metrics.inferred(self.name, len(batch), time.perf_counter() - began)
        for job, found in zip(batch, results, strict=True):
            job.found.append(found)
