"""How long a request would wait, from how long batches took.

A batch's duration is taken to be a·n + b, fitted by least squares over the last batches; older ones count less, so that
the fit follows a machine that gets busier. Pure arithmetic: whoever knows the queue asks it.
"""

from __future__ import annotations

from dataclasses import dataclass

_MEMORY = 50
"""About so many batches are remembered: the weight of each falls by 1/50 with every new one."""
_LEAST_SPREAD = 1e-3
"""Batch sizes that vary less than this (their variance, in pictures²) do not tell a from b."""


class BatchTime:
    """The fit duration = a·n + b, in seconds for a batch of n pictures."""

    def __init__(self) -> None:
        self._weight = self._n = self._t = self._nn = self._nt = 0.0

    def note(self, pictures: int, seconds: float) -> None:
        """Adds a batch."""
        kept = 1 - 1 / _MEMORY
        self._weight = kept * self._weight + 1
        self._n = kept * self._n + pictures
        self._t = kept * self._t + seconds
        self._nn = kept * self._nn + pictures * pictures
        self._nt = kept * self._nt + pictures * seconds

    def line(self) -> tuple[float, float]:
        """Returns a and b, neither below 0; (0, 0) before the first batch.

        Where all batches had one size, the time is put down to the pictures: b is 0.
        """
        if not self._weight:
            return 0.0, 0.0
        n, t = self._n / self._weight, self._t / self._weight
        spread = self._nn / self._weight - n * n
        if spread < _LEAST_SPREAD:
            return t / n, 0.0
        a = (self._nt / self._weight - n * t) / spread
        if a < 0:
            return 0.0, t
        b = t - a * n
        return (a, b) if b >= 0 else (t / n, 0.0)

    def seconds(self, pictures: int) -> float:
        """Predicts the duration of a batch."""
        a, b = self.line()
        return a * pictures + b


@dataclass(frozen=True, slots=True)
class Capacity:
    """What works through a queue.

    Attributes:
        workers: Device threads.
        batch: The most pictures that one of them takes at once.
        decoders: Threads that decode beforehand; 0 where the device threads do.
    """

    workers: int
    batch: int
    decoders: int


def predict(ahead: int, pictures: int, capacity: Capacity, device: BatchTime, decode: BatchTime) -> float:
    """Predicts the seconds from a request's arrival to its answer.

    Args:
        ahead: Pictures accepted before it and not yet answered.
        pictures: Pictures of this request.
        capacity: What works through them.
        device: Durations of the device's batches (with decoding, where there are no decoders).
        decode: Durations of decoding one picture, where there are decoders.
    """
    a, b = device.line()
    largest = capacity.batch
    rate = capacity.workers * largest / (a * largest + b) if a + b else float("inf")
    own = -(-pictures // (capacity.workers * largest)) * (a * min(pictures, largest) + b)
    if not capacity.decoders:
        return ahead / rate + own
    each = decode.seconds(1)
    decoding = ahead * each / capacity.decoders
    return max(ahead / rate, decoding) + -(-pictures // capacity.decoders) * each + own
