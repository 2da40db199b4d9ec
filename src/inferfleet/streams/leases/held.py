"""A lease in hand: whether it is provably still held, and how far the camera's events were delivered under it."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable

from inferfleet.streams.checkpoint import Checkpoint

Clock = Callable[[], float]


def awake_or_asleep() -> float:
    """Seconds on a clock that nobody sets and that also runs while the machine is suspended, where there is one."""
    clock = getattr(time, "CLOCK_BOOTTIME", None)
    return time.monotonic() if clock is None else time.clock_gettime(clock)


class Held:
    """One taking of a camera's lease. Thread-safe.

    It is valid until a deadline that only a successful renewal moves. Found invalid once, it stays so: what happens
    under it afterwards counts for nothing, even if nobody else has taken the camera. To go on, the camera has to be
    taken again, under a new fence.

    Attributes:
        camera: The camera's id.
        fence: The number of this taking.
        resume: Where to go on: the checkpoint that came with it.
    """

    def __init__(
        self, camera: str, fence: int, resume: Checkpoint | None, until: float, clock: Clock = awake_or_asleep
    ) -> None:
        self.camera = camera
        self.fence = fence
        self.resume = resume
        self._clock = clock
        self._until = until
        self._lost = False
        self._lock = threading.Lock()
        self._delivered = resume
        self._written = resume

    @property
    def is_valid(self) -> bool:
        """Whether it is certainly still held, at this moment."""
        with self._lock:
            return self._check()

    def extend(self, until: float) -> bool:
        """Moves the deadline after a renewal; returns whether the lease is still valid."""
        with self._lock:
            if self._check():
                self._until = max(self._until, until)
            return not self._lost

    def lose(self) -> None:
        """Ends it, for good."""
        with self._lock:
            self._lost = True

    def delivered(self, checkpoint: Checkpoint) -> None:
        """Notes a delivered checkpoint of this taking; without effect once the lease is lost."""
        with self._lock:
            if self._check():
                self._delivered = checkpoint

    @property
    def progress(self) -> Checkpoint | None:
        """The newest delivered checkpoint."""
        return self._delivered

    @property
    def news(self) -> Checkpoint | None:
        """The newest delivered checkpoint, if it is not in the table yet."""
        with self._lock:
            return self._delivered if self._delivered is not self._written else None

    def wrote(self, checkpoint: Checkpoint) -> None:
        """Notes what is in the table."""
        with self._lock:
            self._written = checkpoint

    def _check(self) -> bool:
        self._lost = self._lost or self._clock() >= self._until
        return not self._lost
