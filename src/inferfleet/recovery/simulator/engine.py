"""The clock of the simulation: things happen in order of time, those of one moment in the order of their planning."""

import heapq
from collections.abc import Callable
from typing import Any


class Engine:
    """A heap of things to come."""

    def __init__(self, start: float) -> None:
        self.now = start
        self.happened = 0
        self._heap: list[tuple[float, int, Callable[..., object], tuple[Any, ...]]] = []
        self._seq = 0

    def at(self, when: float, what: Callable[..., object], *given: Any) -> None:
        """Plans a call; in the past means now."""
        self._seq += 1
        heapq.heappush(self._heap, (when if when > self.now else self.now, self._seq, what, given))

    def after(self, delay: float, what: Callable[..., object], *given: Any) -> None:
        """Plans a call after `delay` seconds."""
        self.at(self.now + delay, what, *given)

    def run(self, until: float, on_progress: Callable[[float], None] | None = None) -> None:
        """Lets time pass."""
        heap, pop = self._heap, heapq.heappop
        while heap and heap[0][0] <= until:
            self.now, _, what, given = pop(heap)
            what(*given)
            self.happened += 1
            if on_progress is not None and self.happened % 100_000 == 0:
                on_progress(self.now)
        self.now = until
