"""The threads of a lane: they take pictures from its queue, decode them, run the model, and post what they found.

A device thread takes whatever queued while it was busy, up to the model's largest batch. On a CPU it decodes too, which
keeps every core busy without ever having more threads than cores; on a GPU other threads decode beforehand.
"""

from __future__ import annotations

import asyncio
import os
import queue
import threading
import time
from collections import deque
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import cv2
import numpy as np
import structlog

from inferfleet.config.serve import ServedModel
from inferfleet.serving.answers import PictureAnswer
from inferfleet.serving.problems import Problem
from inferfleet.serving.servable import ANYTHING, Servable
from inferfleet.serving.ticket import Ticket
from inferfleet.vision.picture import PictureError

_log = structlog.get_logger(__name__)

Result = tuple[Ticket, int, PictureAnswer | Problem]


class Batch(NamedTuple):
    """What a thread did in one go.

    Attributes:
        results: For each picture its ticket, its place in it, and the answer or what was wrong.
        answered: How many of them the model answered; 0 where a thread only decoded.
        began: When the thread began, by `time.monotonic`.
        seconds: How long the batch took on the device thread, decoding there included.
        inference: How long the model took of that.
        decoded: How long decoding took a picture; None where nothing was decoded.
    """

    results: Sequence[Result]
    answered: int
    began: float
    seconds: float
    inference: float
    decoded: float | None


class _Item(NamedTuple):
    ticket: Ticket
    place: int
    prepared: Any = None


class Workers:
    """A lane's threads and the queues between them."""

    def __init__(
        self,
        name: str,
        servable: Servable,
        config: ServedModel,
        loop: asyncio.AbstractEventLoop,
        done: Callable[[Sequence[Batch]], None],
    ) -> None:
        """Prepares the threads; `done` is called on the loop with what they did."""
        self._name = name
        self._servable = servable
        self._loop = loop
        self._done = done
        self._wait = config.batch_wait
        self._most = servable.batch_sizes[-1]
        on_cpu = servable.about.device == "cpu"
        usual = 0 if on_cpu else len(os.sched_getaffinity(0))
        self.decoders = usual if config.decode_threads is None else config.decode_threads
        self._ready: queue.SimpleQueue[_Item | None] = queue.SimpleQueue()
        self._inbox = queue.SimpleQueue[_Item | None]() if self.decoders else self._ready
        self._posted: deque[Batch] = deque()
        self._arriving: list[_Item] = []
        self._awake = False
        self._warm: queue.SimpleQueue[list[tuple[int, float]] | Exception] = queue.SimpleQueue()
        self._device_threads = self._threads("device", servable.workers, self._serve)
        self._decode_threads = self._threads("decode", self.decoders, self._decode)

    def start(self) -> list[tuple[int, float]]:
        """Starts the threads, and returns when each has run every batch size: the sizes and their seconds.

        Raises:
            Exception: Whatever the model raised.
        """
        for thread in (*self._device_threads, *self._decode_threads):
            thread.start()
        outcomes = [self._warm.get() for _ in self._device_threads]
        for outcome in outcomes:
            if isinstance(outcome, Exception):
                self.stop()
                raise outcome
        return [timing for outcome in outcomes if not isinstance(outcome, Exception) for timing in outcome]

    def stop(self) -> None:
        """Ends the threads once the queues are empty."""
        for threads, source in ((self._decode_threads, self._inbox), (self._device_threads, self._ready)):
            for _ in threads:
                source.put(None)
            for thread in threads:
                thread.join()

    @property
    def is_alive(self) -> bool:
        """Whether all threads run."""
        return all(thread.is_alive() for thread in (*self._device_threads, *self._decode_threads))

    def put(self, ticket: Ticket, index: int) -> None:
        """Queues a picture; call it on the loop.

        All that come in one turn of the loop are handed over at its end: a thread that wakes at the first of them would
        fight the loop for the interpreter's lock over each of the others.
        """
        if not self._arriving:
            self._loop.call_soon(self._hand_over)
        self._arriving.append(_Item(ticket, index))

    def _hand_over(self) -> None:
        for item in self._arriving:
            self._inbox.put(item)
        self._arriving.clear()

    def _threads(self, role: str, count: int, work: Callable[[], None]) -> list[threading.Thread]:
        return [
            threading.Thread(target=work, name=f"{role}-{self._name}-{index}", daemon=True) for index in range(count)
        ]

    def _decode(self) -> None:
        while (item := self._inbox.get()) is not None:
            if not _wanted(item):
                continue
            began = time.monotonic()
            result = self._prepare(item)
            seconds = time.monotonic() - began
            if isinstance(result, Problem):
                self._post(Batch([(item.ticket, item.place, result)], 0, began, seconds, 0.0, None))
            else:
                self._post(Batch((), 0, began, seconds, 0.0, seconds))
                self._ready.put(item._replace(prepared=result))

    def _serve(self) -> None:
        try:
            self._warm.put(self._warm_up())
        except Exception as error:
            self._warm.put(error)
            return
        while items := self._take():
            self._run([item for item in items if _wanted(item)])

    def _take(self) -> list[_Item]:
        """Waits for a picture and takes what is there; an empty list means that all is done."""
        first = self._ready.get()
        if first is None:
            return []
        items = [first]
        until = time.monotonic() + self._wait if self._wait else 0.0
        while len(items) < self._most:
            left = until - time.monotonic() if until else 0.0
            try:
                item = self._ready.get(timeout=left) if left > 0 else self._ready.get_nowait()
            except queue.Empty:
                break
            if item is None:
                self._ready.put(None)
                break
            items.append(item)
        return items

    def _run(self, items: list[_Item]) -> None:
        if not items:
            return
        began = time.monotonic()
        results: list[Result] = []
        good: list[_Item] = []
        for item in items:
            prepared = self._prepare(item) if item.prepared is None else item.prepared
            if isinstance(prepared, Problem):
                results.append((item.ticket, item.place, prepared))
            else:
                good.append(item._replace(prepared=prepared))
        decoded = time.monotonic()
        if good:
            results += self._infer(good)
        ended = time.monotonic()
        each = None if self.decoders else (decoded - began) / len(items)
        self._post(Batch(results, len(good), began, ended - began, ended - decoded, each))

    def _prepare(self, item: _Item) -> Any:
        """Decodes a picture; returns what the model takes, or what was wrong."""
        try:
            return self._servable.prepare(item.ticket.pictures[item.place], item.ticket.name(item.place))
        except PictureError as error:
            return Problem.of_picture(error)
        except (MemoryError, cv2.error):
            _log.exception("a picture could not be prepared", model=self._name)
            return Problem("damaged-picture", f"{item.ticket.name(item.place)}: cannot be decoded")
        except Exception:
            _log.exception("a picture could not be prepared", model=self._name)
            return Problem("internal", "the picture could not be prepared")

    def _infer(self, items: list[_Item]) -> list[Result]:
        try:
            answers = self._servable.run([item.prepared for item in items], [item.ticket.ask for item in items])
            return [(item.ticket, item.place, answer) for item, answer in zip(items, answers, strict=True)]
        except Exception:
            _log.exception("a batch failed", model=self._name, pictures=len(items))
            failed = Problem("internal", f"model {self._name} failed")
            return [(item.ticket, item.place, failed) for item in items]

    def _warm_up(self) -> list[tuple[int, float]]:
        """Runs every batch size twice on this thread; the second time counts."""
        grey = np.full((64, 64, 3), 114, np.uint8)
        timings = []
        for size in self._servable.batch_sizes:
            for attempt in range(2):
                began = time.monotonic()
                prepared = [self._servable.prepare(grey, "warm-up") for _ in range(size)]
                self._servable.run(prepared, [ANYTHING] * size)
                if attempt:
                    timings.append((size, time.monotonic() - began))
        return timings

    def _post(self, batch: Batch) -> None:
        """Hands a batch to the loop, which is woken once for all that is posted before it looks."""
        self._posted.append(batch)
        if not self._awake:
            self._awake = True
            self._loop.call_soon_threadsafe(self._flush)

    def _flush(self) -> None:
        self._awake = False
        batches = []
        while self._posted:
            batches.append(self._posted.popleft())
        self._done(batches)


def _wanted(item: _Item) -> bool:
    """Whether somebody still waits for a picture's answer."""
    return item.ticket.open and time.monotonic() < item.ticket.deadline
