"""Moves events from the spool to the sinks: a thread a sink, each with its own retries, none waiting for another."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Literal

import structlog

from inferfleet.streams.delivery.backoff import Backoff
from inferfleet.streams.delivery.gate import Gate, OpenGate
from inferfleet.streams.delivery.rejected import RejectedFile
from inferfleet.streams.delivery.sinks.base import Failure, Sink, SinkEnded, SinkError, SinkUnavailable
from inferfleet.streams.delivery.spool import Reader, Spool
from inferfleet.streams.delivery.store import Row

log = structlog.get_logger(__name__)

State = Literal["opening", "up", "failing", "ended", "stopped"]

MAX_BATCH_BYTES = 32 * 1024**2
"""Bounds what a sink's batch, pictures included, takes in memory."""
OPEN_SECONDS = 15.0
"""How long `start` waits for sinks that neither open nor fail; they go on trying in the background."""
_IDLE_SECONDS = 5.0


@dataclass(frozen=True, slots=True)
class SinkStatus:
    """How a sink is doing.

    Attributes:
        name: Its name.
        state: `opening`, `up`, `failing` (the last attempt failed; it tries again), `ended` (its target has gone for
            good, such as a closed pipe) or `stopped`.
        delivered: Events delivered since the start.
        failures: Attempts that failed, wholly or in part, since the start.
        rejected: Events since the start that the target can never take; they are in the spool's folder.
        backlog: Events that it still lacks.
        oldest_seconds: How long the oldest of them has been waiting.
        last_error: What the last failed attempt said; None when none failed.
    """

    name: str
    state: State
    delivered: int
    failures: int
    rejected: int
    backlog: int
    oldest_seconds: float
    last_error: str | None


class Delivery:
    """All sinks of a worker at work."""

    def __init__(
        self,
        spool: Spool,
        sinks: Sequence[Sink],
        on_ended: Callable[[str], None] | None = None,
        gate: Gate | None = None,
    ) -> None:
        """Prepares delivery.

        Args:
            spool: Where the events are; it was opened with the names of these sinks.
            sinks: The sinks.
            on_ended: Called with the name of a sink whose target has gone for good, on that sink's thread.
            gate: Asked before each delivery what may go; everything when left out.
        """
        names = [sink.name for sink in sinks]
        if sorted(names) != sorted(spool.sinks):
            raise ValueError(f"the spool was opened for the sinks {spool.sinks}, not {names}")
        self._spool = spool
        self._dispatchers = [_Dispatcher(sink, spool, on_ended, gate or OpenGate()) for sink in sinks]

    def start(self) -> None:
        """Opens all sinks and begins to deliver.

        Raises:
            SinkError: A target cannot be used. All sinks are closed again.
        """
        for dispatcher in self._dispatchers:
            dispatcher.start()
        deadline = time.monotonic() + OPEN_SECONDS
        for dispatcher in self._dispatchers:
            dispatcher.settled.wait(max(0.0, deadline - time.monotonic()))
            if dispatcher.refusal is not None:
                self.stop(0.0)
                raise dispatcher.refusal

    def stop(self, flush_seconds: float) -> int:
        """Delivers what is left for at most `flush_seconds`, then closes the sinks.

        Returns:
            How many events at least one sink still lacks; they stay in the spool for the next run.
        """
        deadline = time.monotonic() + flush_seconds
        self._spool.flush()
        for dispatcher in self._dispatchers:
            dispatcher.finish(deadline)
        for dispatcher in self._dispatchers:
            dispatcher.join(deadline)
        self._spool.flush()
        return self._spool.undelivered

    def status(self) -> list[SinkStatus]:
        """Returns each sink's status, in the order of the configuration."""
        return [dispatcher.status() for dispatcher in self._dispatchers]

    @property
    def is_open(self) -> bool:
        """Whether every sink has been opened."""
        return all(dispatcher.state != "opening" for dispatcher in self._dispatchers)


class _Dispatcher:
    """One sink's thread."""

    def __init__(self, sink: Sink, spool: Spool, on_ended: Callable[[str], None] | None, gate: Gate) -> None:
        self.name = sink.name
        self.state: State = "opening"
        self.settled = threading.Event()
        self.refusal: SinkError | None = None
        self._sink = sink
        self._spool = spool
        self._on_ended = on_ended
        self._gate = gate
        self._backoff = Backoff()
        self._rejects = RejectedFile(spool.folder / f"rejected-{sink.name}.jsonl")
        self._pause = threading.Event()
        self._deadline: float | None = None
        self._delivered = self._failures = self._rejected = 0
        self._last_error: str | None = None
        self._thread = threading.Thread(target=self._run, name=f"sink-{sink.name}", daemon=True)

    def start(self) -> None:
        self._thread.start()

    def finish(self, deadline: float) -> None:
        """Asks for the rest to be delivered until `deadline` (of `time.monotonic`), beginning now."""
        self._deadline = deadline
        self._pause.set()
        self._spool.wake()

    def join(self, deadline: float) -> None:
        """Waits for the end; a sink that hangs in its target is left behind."""
        self._thread.join(max(0.0, deadline - time.monotonic()) + 1.0)
        if self._thread.is_alive():
            log.warning("sink hangs and is left behind", sink=self.name)

    def status(self) -> SinkStatus:
        backlog = self._spool.backlog(self.name)
        return SinkStatus(
            self.name,
            self.state,
            self._delivered,
            self._failures,
            self._rejected,
            backlog.events,
            backlog.oldest_seconds,
            self._last_error,
        )

    def _run(self) -> None:
        try:
            if self._open():
                reader = self._spool.reader(self.name)
                try:
                    self._drain(reader)
                finally:
                    reader.close()
        except SinkEnded as error:
            self.state, self._last_error = "ended", str(error)
            if self._on_ended is not None:
                self._on_ended(self.name)
            log.warning("sink has ended", sink=self.name, reason=str(error))
        finally:
            self.settled.set()
            self._sink.close()
            if self.state != "ended":
                self.state = "stopped"

    def _open(self) -> bool:
        """Opens the sink, again and again while its target does not answer; returns whether it is open."""
        while not self._is_over():
            try:
                self._sink.open()
            except SinkError as error:
                if not self.settled.is_set():
                    self.refusal = error
                    return False
                self._failed(error)
            except Exception as error:
                self._failed(error)
                self.settled.set()
            else:
                self._succeeded()
                self.settled.set()
                return True
        return False

    def _drain(self, reader: Reader) -> None:
        window: list[Row] = []
        while True:
            try:
                window = self._advance(reader, window)
            except SinkEnded:
                raise
            except Exception as error:
                self._failed(error)
            if self._is_over():
                return
            if window or self._spool.wait_for_events(reader.position, _IDLE_SECONDS, self._is_finishing):
                continue
            if self._is_finishing():
                return

    def _advance(self, reader: Reader, window: list[Row]) -> list[Row]:
        """Fills the window, delivers what it can of it, and acknowledges; returns what is left, in order."""
        if len(window) < self._sink.batch_size:
            window += reader.read(self._sink.batch_size - len(window), MAX_BATCH_BYTES)
        if not window:
            return window
        with self._gate.admit(window) as admitted:
            rows = admitted.now
            failures = (
                {failure.id: failure for failure in self._sink.deliver([row.item for row in rows])} if rows else {}
            )
        for row in rows:
            failure = failures.get(row.item.event.id)
            if failure is not None and failure.permanent:
                self._reject(row, failure)
        failed = [row for row in rows if row.item.event.id in failures and not failures[row.item.event.id].permanent]
        gone = {row.seq for row in (*rows, *admitted.never)} - {row.seq for row in failed}
        left = [row for row in window if row.seq not in gone]
        self._spool.acknowledge(self.name, left[0].seq - 1 if left else reader.position)
        self._delivered += len(rows) - len(failed)
        if failed:
            reason = failures[failed[0].item.event.id].reason
            message = f"{len(failed)} of {len(rows)} events failed: {reason}"
            self._failed(SinkUnavailable(message), progress=len(failed) < len(rows))
        elif rows:
            self._succeeded()
        return left

    def _reject(self, row: Row, failure: Failure) -> None:
        self._rejects.write(row.item.event, failure.reason)
        self._rejected += 1
        kept = str(self._rejects.path)
        log.error("event can never be delivered", sink=self.name, id=failure.id, reason=failure.reason, kept=kept)

    def _succeeded(self) -> None:
        if self.state == "failing":
            log.info("sink works again", sink=self.name)
        self.state = "up"
        self._backoff.reset()

    def _failed(self, error: Exception, *, progress: bool = False) -> None:
        """Notes a failed attempt and pauses; when some of the batch got through, the pauses do not grow."""
        self._failures += 1
        if progress:
            self._backoff.reset()
        pause = self._backoff.next()
        message = str(error) or type(error).__name__
        if self.state == "up" or message != self._last_error:
            log.warning("sink failed; trying again", sink=self.name, error=message, pause=round(pause, 2))
        self._last_error = message
        if self.state != "opening":
            self.state = "failing"
        if self._deadline is not None:
            pause = min(pause, max(0.0, self._deadline - time.monotonic()))
            time.sleep(pause)
        else:
            self._pause.wait(pause)

    def _is_finishing(self) -> bool:
        return self._deadline is not None

    def _is_over(self) -> bool:
        return self._deadline is not None and time.monotonic() >= self._deadline
