"""The place between a camera's thread and the batcher: it keeps the newest frame, or all of them.

A `live` camera's mailbox never makes its source wait; a `complete` camera's never loses a frame. The batcher takes
from many mailboxes without waiting for any one, so each calls `on_ready` when a frame has come in.
"""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable, Mapping
from typing import Protocol

from inferfleet.streams.frame import Frame

NEWER_FRAME = "newer_frame"
"""Reason of a drop: a newer frame came before the old one was taken."""


class Mailbox(Protocol):
    """Holds the frames of one camera that nobody has looked at yet. All methods are thread-safe."""

    def put(self, frame: Frame) -> bool:
        """Hands in a frame, waiting for room where the mailbox keeps all. Returns False when it is closed."""

    def take(self) -> Frame | None:
        """Returns the oldest waiting frame, or None at once. What waits can still be taken after closing."""

    def close(self) -> None:
        """Takes no more frames, and makes a waiting `put` return False."""

    def __len__(self) -> int:
        """How many frames wait."""

    @property
    def drops(self) -> Mapping[str, int]:
        """How many frames were dropped so far, by reason."""


def nothing() -> None:
    """What a mailbox calls when nobody wants to know of new frames."""


class LiveMailbox:
    """Keeps the newest frame: latency first, every frame that it replaces is counted."""

    def __init__(self, on_ready: Callable[[], None] = nothing) -> None:
        self._on_ready = on_ready
        self._lock = threading.Lock()
        self._frame: Frame | None = None
        self._closed = False
        self._dropped = 0

    def put(self, frame: Frame) -> bool:
        """Replaces the waiting frame; never waits. Returns False when the mailbox is closed."""
        with self._lock:
            if self._closed:
                return False
            self._dropped += self._frame is not None
            self._frame = frame
        self._on_ready()
        return True

    def take(self) -> Frame | None:
        """Returns the newest frame if nobody has taken it yet."""
        with self._lock:
            frame, self._frame = self._frame, None
        return frame

    def close(self) -> None:
        """Takes no more frames."""
        with self._lock:
            self._closed = True

    def __len__(self) -> int:
        """0 or 1."""
        return self._frame is not None

    @property
    def drops(self) -> Mapping[str, int]:
        """Frames that a newer one replaced."""
        return {NEWER_FRAME: self._dropped}


class CompleteMailbox:
    """Keeps every frame in order, and lets the source wait while `size` of them are there.

    A source that waits is woken when half of them are gone: decoding several frames at a time costs fewer switches
    between threads, and finds the decoder's memory still in the cache.
    """

    def __init__(self, size: int, on_ready: Callable[[], None] = nothing) -> None:
        if size < 1:
            raise ValueError(f"a mailbox for {size} frames can never take one; the size must be at least 1")
        self._size = size
        self._half = size // 2
        self._on_ready = on_ready
        self._changed = threading.Condition()
        self._frames: deque[Frame] = deque()
        self._closed = False

    def put(self, frame: Frame) -> bool:
        """Appends the frame, waiting while the mailbox is full. Returns False when it is closed."""
        with self._changed:
            while len(self._frames) >= self._size and not self._closed:
                self._changed.wait()
            if self._closed:
                return False
            self._frames.append(frame)
        self._on_ready()
        return True

    def take(self) -> Frame | None:
        """Returns the oldest frame, or None at once."""
        with self._changed:
            if not self._frames:
                return None
            frame = self._frames.popleft()
            if len(self._frames) == self._half:
                self._changed.notify()
            return frame

    def close(self) -> None:
        """Takes no more frames, and wakes the source that waits."""
        with self._changed:
            self._closed = True
            self._changed.notify_all()

    def __len__(self) -> int:
        """How many frames wait."""
        return len(self._frames)

    @property
    def drops(self) -> Mapping[str, int]:
        """Nothing, ever."""
        return {}
