"""Whether a live camera has fallen so far behind its stream that it must jump to now."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from inferfleet.streams.kvs.fragments import Fragment
from inferfleet.streams.kvs.progress import Reading

BETWEEN_JUMPS_S = 30.0
"""Least time between two jumps of a live camera to now: what comes right after one may be late as well."""


class Lag:
    """Watches how far one reader is behind."""

    def __init__(self, limit_s: float | None, clock: Callable[[], float], reading: Reading, log: Any) -> None:
        """Begins to watch.

        Args:
            limit_s: The most seconds that it may be behind; None allows any number.
            clock: Seconds, as `time.monotonic` gives them.
            reading: Where a jump is noted.
            log: The stream's logger.
        """
        self._limit_s = limit_s
        self._clock = clock
        self._reading = reading
        self._log = log
        self._jumped = -BETWEEN_JUMPS_S

    def calls_for_a_jump(self, fragment: Fragment) -> bool:
        """Whether a fragment shows that the reader must go on at now; that it does is noted."""
        behind_s = (fragment.millis_behind or 0) / 1000
        is_patient = self._limit_s is None or self._clock() - self._jumped < BETWEEN_JUMPS_S
        if is_patient or behind_s <= (self._limit_s or 0.0):
            return False
        self._log.warning("stream is too far behind, jumping to now", behind_s=behind_s)
        self._jumped = self._clock()
        self._reading.jumped()
        return True
