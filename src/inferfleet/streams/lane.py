"""A camera's lane: from its mailbox through the models to its analysis, and into the spool.

Everything that belongs to one camera is in its lane, so lanes share nothing and one cannot disturb another.
Several model threads may hold frames of the same camera; the lane puts them back in order before the analysis.
"""

from __future__ import annotations

import math
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import structlog

from inferfleet.config.cameras import Camera
from inferfleet.streams.analysis import CameraAnalysis, ModelInfo, TrackView
from inferfleet.streams.annotate import outlines_of
from inferfleet.streams.batcher import Batcher, Job
from inferfleet.streams.camera import CameraReader
from inferfleet.streams.checkpoint import Checkpoint
from inferfleet.streams.delivery import Item, Snapshots, Spool
from inferfleet.streams.event import Event
from inferfleet.streams.frame import Frame
from inferfleet.streams.mailbox import CompleteMailbox, LiveMailbox, Mailbox
from inferfleet.streams.metrics import Metrics
from inferfleet.streams.models import least_score
from inferfleet.vision.types import U8, Text

_log = structlog.get_logger(__name__)

_CHECKPOINT_SECONDS = 2.0
"""How often progress without events is made durable: what a crash makes a camera read again."""
_SMOOTHING = 0.1
"""Weight of the newest frame in the latency that `/status` shows."""

TextReader = Callable[[U8], Sequence[Text]]


@dataclass(frozen=True, slots=True)
class Seen:
    """The last frame that was analysed, with what was found: the camera's latest annotated picture."""

    frame: Frame
    tracks: tuple[TrackView, ...]


@dataclass(frozen=True, slots=True)
class Outlets:
    """Where a lane's results go; shared by all lanes."""

    spool: Spool
    snapshots: Snapshots | None
    metrics: Metrics


class Lane:
    """One camera at work. Made with `start`, ended with `stop`; frames flow as soon as its batchers take them."""

    def __init__(
        self,
        camera: Camera,
        *,
        batchers: Sequence[Batcher],
        models: Mapping[str, ModelInfo],
        worker: str,
        reader: TextReader | None,
        outlets: Outlets,
        in_flight: int,
        base: Path,
        decoder_threads: int,
        fresh: bool = False,
        is_ours: Callable[[], bool] = lambda: True,
    ) -> None:
        """Builds the lane; nothing is read or resumed before `start`.

        Args:
            camera: The configuration.
            batchers: The batcher of the model of each detect step, in order.
            models: What events say about each model, in the order of the configuration.
            worker: Name and version of the worker, for events.
            reader: Reads text in a crop; None if no step wants it.
            outlets: Spool, snapshots and metrics.
            in_flight: How many frames may be at the models and waiting for their turn at once.
            base: The folder that relative paths of the configuration start from.
            decoder_threads: Threads for the camera's decoder.
            fresh: Begin at the source's beginning even if there is a checkpoint.
            is_ours: Whether this worker may still publish what the camera shows; asked before everything it stores.

        Raises:
            InputError: The camera names a class that its models do not have.
        """
        self.camera = camera
        self.seen: Seen | None = None
        self.frames = 0
        self.events = 0
        self.latency = 0.0
        self._batchers = batchers
        self._outlets = outlets
        self._in_flight_limit = in_flight
        self._least = least_score(camera)
        self._in_flight = 0
        self._stopping = False
        self._concluded = False
        self._lock = threading.Lock()
        self._idle = threading.Condition(self._lock)
        self._taken = 0
        self._done: dict[int, Job] = {}
        self._next = 0
        self._draining = False
        self._token: str | None = None
        self._saved_token: str | None = None
        self._saved_at = -math.inf  # where a source that begins at now has begun is known from its first frame on
        self._analysis = CameraAnalysis(camera, models, worker, reader)
        self.mailbox: Mailbox = (
            CompleteMailbox(camera.queue, on_ready=self._wake)
            if camera.is_complete
            else LiveMailbox(on_ready=self._wake)
        )
        self.reader = CameraReader(camera, self.mailbox, base=base, decoder_threads=decoder_threads)
        self._fresh = fresh
        self._is_ours = is_ours

    def start(self) -> None:
        """Starts reading, where the camera's checkpoint says."""
        self.reader.start(None if self._fresh else self._restore())

    def stop(self, timeout: float) -> None:
        """Stops reading, lets what is at the models finish, and makes the progress durable."""
        self._stopping = True
        self.reader.stop()
        self.mailbox.close()
        with self._idle:
            self._idle.wait_for(lambda: self._in_flight == 0, timeout)
        self.save()

    @property
    def is_finished(self) -> bool:
        """Whether no frame will come any more and everything that came is analysed."""
        return self.reader.is_done and len(self.mailbox) == 0 and self._in_flight == 0

    def conclude(self) -> None:
        """Ends what is still open when the source has ended: who is in a zone leaves it. For a finished lane; once."""
        seen = self.seen
        if not self._concluded and seen is not None and self.reader.status.state == "ended":
            self._concluded = True
            self._publish(self._analysis.finish().events, seen)
        self.save()

    def save(self) -> None:
        """Makes the progress durable, if there is any since the last time. For a lane that is at rest."""
        if self._token is not None and self._token != self._saved_token:
            self._append((), self._token)

    def poke(self) -> None:
        """Has the batcher look at the lane again, after the spool has had no room."""
        self._wake()

    # The batcher's side: any model thread.

    def next_job(self) -> Job | None:
        """Takes the camera's next frame, unless enough of them are on their way or the spool is full."""
        if self._stopping or not self._is_ours():
            return None
        if self._outlets.spool.is_full:
            if not self.camera.is_complete and self.mailbox.take() is not None:
                self._outlets.metrics.dropped(self.camera.id, "spool_full")
            return None
        with self._lock:
            if self._in_flight >= self._in_flight_limit:
                return None
            frame = self.mailbox.take()
            if frame is None:
                return None
            job = Job(self, self._taken, frame, self._least)
            self._taken += 1
            self._in_flight += 1
            return job

    def finish(self, job: Job) -> None:
        """Sends the job to its next model, or analyses it and all that waited for it."""
        if len(job.found) < len(self._batchers):
            self._batchers[len(job.found)].resume(job)
            return
        with self._lock:
            self._done[job.number] = job
            if self._draining:
                return
            self._draining = True
        while (ready := self._pop_next()) is not None:
            self._analyse(ready)
            with self._idle:
                self._in_flight -= 1
                self._idle.notify_all()
        self._wake()

    # Inside.

    def _wake(self) -> None:
        self._batchers[0].offer(self)

    def _pop_next(self) -> Job | None:
        with self._lock:
            job = self._done.pop(self._next, None)
            if job is None:
                self._draining = False
            else:
                self._next += 1
            return job

    def _analyse(self, job: Job) -> None:
        frame = job.frame
        try:
            outcome = self._analysis.step(frame, job.found)
        except Exception:
            _log.exception("a frame could not be analysed; it counts as dropped", camera=self.camera.id)
            self._outlets.metrics.dropped(self.camera.id, "analysis_error")
            return
        self.seen = Seen(frame, outcome.tracks)
        self._token = frame.position.token
        self.frames += 1
        latency = time.monotonic() - frame.received
        self.latency += _SMOOTHING * (latency - self.latency) if self.frames > 1 else latency
        self._outlets.metrics.processed(frame, latency)
        self._publish(outcome.events, self.seen)

    def _publish(self, events: Sequence[Event], seen: Seen) -> None:
        """Hands events to the spool; without any, the progress alone, from time to time."""
        self.events += len(events)
        self._outlets.metrics.made(self.camera.id, events)
        if events or time.monotonic() - self._saved_at >= _CHECKPOINT_SECONDS:
            self._append([self._item(event, seen) for event in events], seen.frame.position.token)

    def _item(self, event: Event, seen: Seen) -> Item:
        """Adds the pictures, unless the event is about an earlier frame: who left was last seen in one."""
        if self._outlets.snapshots is None or event.data.position.frame != seen.frame.position.frame:
            return Item(event)
        picture = seen.frame.picture
        outlines = outlines_of(self.camera, picture, seen.tracks)
        return self._outlets.snapshots.attach(event, picture, seen.tracks, outlines)

    def _append(self, items: Sequence[Item], token: str) -> None:
        if not self._is_ours():
            return
        self._outlets.spool.append(items, Checkpoint(self.camera.id, token, self._analysis.state()), wait=False)
        self._saved_at = time.monotonic()
        self._saved_token = token

    def _restore(self) -> str | None:
        checkpoint = self._outlets.spool.checkpoint(self.camera.id)
        if checkpoint is None:
            return None
        self._analysis.restore(checkpoint.state)
        _log.info("goes on where it stopped", camera=self.camera.id, token=checkpoint.token)
        return checkpoint.token
