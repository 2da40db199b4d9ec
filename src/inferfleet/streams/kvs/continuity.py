"""Whether a fragment goes on where the one before it ended, and whether its pictures need that one to be decoded.

Mostly they do not: a fragment begins with a key frame. In an open group of pictures, though, some pictures are shown
before that key frame and sent behind it ("leading pictures"), and refer to what the fragment before showed last.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from inferfleet.streams.kvs.fragments import Frame

_LEAST_GAP_NS = 200_000_000
"""A shorter gap is a camera's jitter. What is lost is lost by the fragment, of which the shortest has a second."""
_STEPS = 2
"""Cameras with few frames a second: so many of their steps are no gap either."""


@dataclass(frozen=True, slots=True)
class End:
    """Where a fragment ended on the producer's media clock.

    Attributes:
        timecode: Its last shown frame's, in nanoseconds.
        step: Between two frames of it, in nanoseconds; 0 where it has only one.
    """

    timecode: int
    step: int

    @classmethod
    def of(cls, frames: Sequence[Frame]) -> End:
        """The end of a fragment's frames, of which there is at least one."""
        shown = [frame.timecode for frame in frames]
        return cls(max(shown), (max(shown) - min(shown)) // max(1, len(shown) - 1))

    def joins(self, frames: Sequence[Frame]) -> bool:
        """Whether the frames of the next fragment go on from here: no gap, no repetition, no jump back."""
        gap = min(frame.timecode for frame in frames) - self.timecode
        return 0 < gap <= max(_LEAST_GAP_NS, _STEPS * self.step)


def leading(frames: Sequence[Frame]) -> int:
    """How many frames of a fragment are shown before the key frame that it begins with."""
    return sum(frame.timecode < frames[0].timecode for frame in frames)
