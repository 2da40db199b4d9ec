"""Runs a member of the fleet inside a worker: a thread that renews and decides, and starts and stops cameras by it.

The thread itself never waits for a camera, a model or a sink, as a lease must be renewed whatever they do.
"""

from __future__ import annotations

import secrets
import socket
import threading
import time
from collections.abc import Callable, Collection
from concurrent.futures import Future, ThreadPoolExecutor
from functools import partial
from queue import Empty, SimpleQueue
from typing import Protocol

import structlog

from inferfleet.config.workers import Leases
from inferfleet.streams.delivery import Spool
from inferfleet.streams.leases.dynamodb import DynamoDbTable
from inferfleet.streams.leases.gate import LeaseGate
from inferfleet.streams.leases.held import Held, awake_or_asleep
from inferfleet.streams.leases.member import Member
from inferfleet.streams.status import LeaseReport

_log = structlog.get_logger(__name__)

_THREADS = 8
_FLUSH_SECONDS = 5.0
"""How long a handover waits for the sinks; what they lack then, the next owner makes and delivers again."""
_LAND_SECONDS = 2.0
_POLL_SECONDS = 0.02
_AGAIN_SECONDS = 60.0
"""How long a camera that could not be started is left to other workers."""


class Host(Protocol):
    """The worker, as the leases see it. Both calls may take long, and come from any thread."""

    def camera_ids(self) -> Collection[str]:
        """The cameras that this worker could run."""

    def begin_camera(self, held: Held) -> None:
        """Starts a camera from what the spool has as its checkpoint."""

    def end_camera(self, camera: str) -> None:
        """Stops a camera and returns when nothing of it is on its way any more; harmless when it does not run."""


def worker_name() -> str:
    """Makes a name for this worker that no other has, nor it itself when it is started again."""
    return f"{socket.gethostname()}-{secrets.token_hex(3)}"


class Leasing:
    """A worker's leases at work."""

    def __init__(self, settings: Leases, name: str, host: Host) -> None:
        """Prepares it; nothing is asked of DynamoDB before `open`."""
        self.gate = LeaseGate()
        self._duration = settings.duration
        self._table = DynamoDbTable(settings)
        self._member = Member(name, self._table, settings.duration, awake_or_asleep)
        self._host = host
        self._spool: Spool | None = None
        self._pool = ThreadPoolExecutor(_THREADS, thread_name_prefix="leases")
        self._jobs: dict[str, Future[None]] = {}
        self._requests: SimpleQueue[Callable[[], None]] = SimpleQueue()
        self._excluded: dict[str, float] = {}
        self._takes = True
        self._ended = False
        self._thread = threading.Thread(target=self._run, name="leases", daemon=True)

    def open(self) -> None:
        """Connects to the table, and begins to watch whose leases stand still.

        Raises:
            TableError: It cannot be used, with what is missing.
            TableUnavailableError: DynamoDB does not answer.
        """
        self._table.open()
        self._member.watch()

    def start(self, spool: Spool) -> None:
        """Begins to take cameras."""
        self._spool = spool
        spool.on_delivered(self.gate.delivered)
        self._thread.start()

    @property
    def is_alive(self) -> bool:
        """Whether its thread runs."""
        return self._thread.is_alive()

    @property
    def fences(self) -> dict[str, int]:
        """The cameras that this worker certainly holds now, each with its fence."""
        return {camera: held.fence for camera, held in list(self._member.held.items()) if held.is_valid}

    def report(self) -> LeaseReport:
        """What the leases are like now."""
        member = self._member
        return LeaseReport(
            held=len(self.fences),
            wanted=len(self._host.camera_ids()),
            taken=member.taken,
            lost=member.lost,
            renewed_seconds=None if member.renewed is None else round(awake_or_asleep() - member.renewed, 3),
            duration=self._duration,
        )

    def settle(self) -> None:
        """Takes no more cameras, as the worker is about to stop; those it has are renewed."""
        self._takes = False

    def leave(self) -> None:
        """Gives up all leases, with the last delivered checkpoints, so that others take the cameras at once."""
        if self._thread.ident is not None:
            self._requests.put(self._end)
            self._thread.join()
        self._pool.shutdown(wait=True, cancel_futures=True)
        self._table.close()

    # -- the thread --------------------------------------------------------------------------------------------------

    def _run(self) -> None:
        while not self._ended:
            try:
                self._step()
            except Exception:  # a lease that is not renewed ends by itself, so nothing worse can come of it
                _log.exception("leases: a step failed")
            self._wait(self._member.next_look)

    def _step(self) -> None:
        for held in self._member.renew():
            self._let_go(held)
        if not self._takes:
            return
        cameras = self._candidates()
        decision = self._member.look(cameras, self._busy())
        for lease in decision.take:
            if (taken := self._member.take(lease)) is not None:
                self._then(taken.camera, partial(self._begin, taken))
        given = decision.give or next((id_ for id_ in self._member.held if id_ not in cameras), None)
        if given is not None and not self._busy():
            self._hand_over(self._member.held[given])

    def _wait(self, until: float) -> None:
        """Waits for the next step, and does meanwhile what other threads ask for."""
        while not self._ended:
            left = until - awake_or_asleep()
            if left <= 0:
                return
            try:
                self._requests.get(timeout=left)()
            except Empty:
                return

    def _end(self) -> None:
        for held in list(self._member.held.values()):
            self.gate.close_for(held, _LAND_SECONDS)
            self._member.release(held)
        self._member.leave()
        self._ended = True

    def _candidates(self) -> Collection[str]:
        now = awake_or_asleep()
        self._excluded = {camera: until for camera, until in self._excluded.items() if until > now}
        return [camera for camera in self._host.camera_ids() if camera not in self._excluded]

    def _busy(self) -> set[str]:
        return {camera for camera, job in self._jobs.items() if not job.done()}

    # -- what takes long, one thing after the other for each camera --------------------------------------------------

    def _then(self, camera: str, work: Callable[[], None]) -> None:
        former = self._jobs.get(camera)

        def job() -> None:
            if former is not None:
                former.exception()
            work()

        self._jobs[camera] = self._pool.submit(job)

    def _begin(self, held: Held) -> None:
        assert self._spool is not None
        try:
            since = self._spool.begin(held.camera, held.resume)
            self.gate.open_for(held, since)
            self._host.begin_camera(held)
        except Exception:
            _log.exception("a leased camera cannot be started; it is left to others for a while", camera=held.camera)
            self._excluded[held.camera] = awake_or_asleep() + _AGAIN_SECONDS
            self.gate.close_for(held)
            self._requests.put(lambda: self._member.release(held))

    def _let_go(self, held: Held) -> None:
        self.gate.close_for(held)
        self._then(held.camera, lambda: self._host.end_camera(held.camera))

    def _hand_over(self, held: Held) -> None:
        def work() -> None:
            self._host.end_camera(held.camera)
            self._await_delivery(held)
            self.gate.close_for(held, _LAND_SECONDS)
            self._requests.put(lambda: self._member.release(held))

        _log.info("camera is handed over, as another worker has fewer", camera=held.camera)
        self._then(held.camera, work)

    def _await_delivery(self, held: Held) -> None:
        """Waits until every sink has what the camera made, or it takes too long."""
        assert self._spool is not None
        newest = self._spool.checkpoint(held.camera)
        until = time.monotonic() + _FLUSH_SECONDS
        while held.is_valid and time.monotonic() < until:
            if held.progress == newest:
                return
            time.sleep(_POLL_SECONDS)
