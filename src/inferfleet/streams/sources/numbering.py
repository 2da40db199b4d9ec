"""Which number a frame has in its file, whatever was decoded of it, and which frames a lower rate takes.

Both are functions of the time stamps alone, so that reading again from anywhere gives the same answers.
"""

from __future__ import annotations

import heapq
from fractions import Fraction


class FrameNumbers:
    """Numbers frames in the order of presentation by counting packets, so that undecoded frames count too.

    Attributes:
        next: The number of the frame after the last one.
        disordered: Whether time stamps were missing, repeated or ran backwards; from there on, only frames that come
            out are counted, and a time stamp no longer says where a frame is.
    """

    def __init__(self) -> None:
        self.next = 0
        self.disordered = False
        self._waiting: list[int] = []
        self._last: int | None = None

    def packet(self, pts: int | None) -> None:
        """Takes note of a packet, in the order of decoding."""
        if not self.disordered and pts is not None:
            heapq.heappush(self._waiting, pts)

    def frame(self, pts: int | None) -> int:
        """Returns the number of a frame, in the order of presentation."""
        if pts is None or (self._last is not None and pts <= self._last):
            self.disordered = True
            self._waiting.clear()
        if not self.disordered and pts is not None:
            self._last = pts
            self._count_below(pts)
        number = self.next
        self.next = number + 1
        return number

    def go_on_after(self, pts: int, number: int) -> None:
        """Says that the frame at `pts`, which has just been numbered, has this number in truth."""
        self._last = pts
        self.next = number + 1

    def finish(self) -> int:
        """Counts what never came out, and returns how many frames there were."""
        self.next += len(self._waiting)
        self._waiting.clear()
        return self.next

    def _count_below(self, pts: int) -> None:
        waiting = self._waiting
        while waiting and waiting[0] < pts:
            heapq.heappop(waiting)
            self.next += 1
        if waiting and waiting[0] == pts:
            heapq.heappop(waiting)


class Ticks:
    """Cuts time into equal ticks of `1 / fps` seconds; the first frame of each is the one that is taken."""

    def __init__(self, fps: float, time_base: Fraction) -> None:
        """Prepares the exact arithmetic: a tick is the integer part of `pts * time_base * fps`."""
        scale = Fraction(str(fps)) * time_base
        self._numerator, self._denominator = scale.numerator, scale.denominator

    def of(self, pts: int) -> int:
        """The tick that a time stamp is in."""
        return pts * self._numerator // self._denominator

    def begin(self, tick: int) -> int:
        """The first time stamp of a tick."""
        return -(-tick * self._denominator // self._numerator)
