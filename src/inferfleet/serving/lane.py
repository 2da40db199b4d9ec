"""One model version with its queue: accepts or refuses at once, batches what queued, answers in order of arrival.

Everything here runs on the event loop; the threads of `workers.py` take from the queue and post back.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Sequence

from inferfleet.config.serve import QueueConfig, ServedModel
from inferfleet.errors import InferfleetError
from inferfleet.serving import background
from inferfleet.serving.answers import PictureAnswer
from inferfleet.serving.forecast import BatchTime, Capacity, predict
from inferfleet.serving.metrics import LaneMetrics
from inferfleet.serving.problems import ClientGone, Problem, retry_after
from inferfleet.serving.servable import Servable
from inferfleet.serving.ticket import Ticket
from inferfleet.serving.workers import Batch, Workers

_SWEEP_SECONDS = 0.05
"""How often deadlines are looked at."""
_WATCH_AFTER = 0.1
"""A client is watched for going away once its request has waited so long: most are answered sooner."""
_MARGIN = 0.9
"""A request is accepted only when its predicted time fits into this share of what it has left."""


class Lane:
    """Where the requests for one version of one model wait and are answered."""

    def __init__(
        self, name: str, servable: Servable, config: ServedModel, queue: QueueConfig, metrics: LaneMetrics
    ) -> None:
        self.name = name
        self.servable = servable
        self.pending = 0
        self._queue = queue
        self._metrics = metrics
        self._tickets: set[Ticket] = set()
        self._device, self._decode = BatchTime(), BatchTime()
        self._loop = asyncio.get_running_loop()
        self._sweeping = False
        self._workers = Workers(name, servable, config, self._loop, self._finish)
        self.capacity = Capacity(servable.workers, servable.batch_sizes[-1], self._workers.decoders)

    async def start(self) -> None:
        """Starts the threads and lets each run every batch size once, so that no request pays for it.

        Raises:
            InferfleetError: The model does not run.
        """
        try:
            for pictures, seconds in await background.run(self._workers.start):
                self._device.note(pictures, seconds)
        except InferfleetError:
            raise
        except Exception as error:
            raise InferfleetError(f"model {self.name}: does not run: {error}") from error

    async def stop(self) -> None:
        """Answers what has been accepted, then ends the threads."""
        while self._tickets:
            await asyncio.sleep(_SWEEP_SECONDS)
        await asyncio.to_thread(self._workers.stop)

    @property
    def is_alive(self) -> bool:
        """Whether all threads run."""
        return self._workers.is_alive

    def predicted(self, pictures: int = 1) -> float:
        """Predicts the seconds that a request arriving now would take."""
        return predict(self.pending, pictures, self.capacity, self._device, self._decode)

    def batch_line(self) -> tuple[float, float]:
        """Returns the fitted a and b of duration = a·n + b, in seconds."""
        return self._device.line()

    def check(self, pictures: int, left: float) -> None:
        """Refuses a request that would wait too long, before its body is even read.

        Args:
            pictures: How many pictures it has, as far as is known.
            left: Seconds until its deadline.

        Raises:
            Problem: `overloaded`, with Retry-After.
        """
        predicted = self.predicted(pictures)
        if self.pending + pictures > self._queue.pictures:
            self._metrics.rejected("queue-full")
            raise Problem(
                "overloaded",
                f"model {self.name}: {self.pending} pictures are waiting, which is all the queue takes",
                retry_after(predicted),
            )
        if self.pending and predicted > min(self._queue.max_wait, left * _MARGIN):
            self._metrics.rejected("predicted-wait")
            raise Problem(
                "overloaded",
                f"model {self.name}: an answer would take about {predicted:.2f} s; this request has "
                f"{min(self._queue.max_wait, left):.2f} s",
                retry_after(predicted - self._queue.max_wait),
            )

    async def infer(self, ticket: Ticket) -> Sequence[PictureAnswer]:
        """Answers a request's pictures.

        Raises:
            Problem: It is refused, or a picture cannot be used, or there was no answer in time.
            ClientGone: The client went away; its places in the queue are free again.
        """
        count = len(ticket.pictures)
        self.check(count, ticket.deadline - time.monotonic())
        ticket.future = self._loop.create_future()
        self._tickets.add(ticket)
        self.pending += count
        if not self._sweeping:
            self._sweeping = True
            self._loop.call_later(_SWEEP_SECONDS, self._sweep)
        for index in range(count):
            self._workers.put(ticket, index)
        try:
            await ticket.future
        finally:
            ticket.open = False
            self._tickets.discard(ticket)
            self.pending -= ticket.left
            if ticket.watcher is not None:
                ticket.watcher.cancel()
        return [answer for answer in ticket.answers if answer is not None]

    def _finish(self, batches: Sequence[Batch]) -> None:
        """Takes in what the threads have done."""
        for batch in batches:
            if batch.decoded is not None:
                self._decode.note(1, batch.decoded)
            if batch.answered:
                self._device.note(batch.answered, batch.seconds)
            self._metrics.batch(batch)
            for ticket, index, result in batch.results:
                self._settle(ticket, index, result, batch)

    def _settle(self, ticket: Ticket, index: int, result: PictureAnswer | Problem, batch: Batch) -> None:
        future = ticket.future
        if not ticket.open or future is None or future.done():
            return
        if isinstance(result, Problem):
            future.set_exception(result)
            return
        ticket.answers[index] = result
        ticket.left -= 1
        self.pending -= 1
        ticket.queued = max(ticket.queued, batch.began - ticket.arrived)
        ticket.worked = max(ticket.worked, batch.seconds)
        if not ticket.left:
            future.set_result(None)

    def _sweep(self) -> None:
        """Gives up what is late, and begins to watch the clients that have waited a while."""
        now = time.monotonic()
        for ticket in self._tickets:
            if ticket.future is None or ticket.future.done():
                continue
            if now >= ticket.deadline:
                waited = f"model {self.name}: no answer within {ticket.deadline - ticket.arrived:.2f} s"
                ticket.open = False
                ticket.future.set_exception(Problem("deadline-exceeded", waited))
            elif ticket.watcher is None and ticket.receive is not None and now - ticket.arrived > _WATCH_AFTER:
                ticket.watcher = self._loop.create_task(_watch(ticket))
        self._sweeping = bool(self._tickets)
        if self._sweeping:
            self._loop.call_later(_SWEEP_SECONDS, self._sweep)


async def _watch(ticket: Ticket) -> None:
    """Gives a request up when its client is gone."""
    assert ticket.receive is not None
    assert ticket.future is not None
    while True:
        message = await ticket.receive()
        if message["type"] == "http.disconnect":
            if not ticket.future.done():
                ticket.open = False
                ticket.future.set_exception(ClientGone())
            return
