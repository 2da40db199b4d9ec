"""What a source is: an iterator of frames that can be told to stop from another thread."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Protocol, runtime_checkable

from inferfleet.errors import OutsideError
from inferfleet.streams.frame import Frame


class SourceError(OutsideError):
    """A source cannot be opened or broke while it was read. The camera tries again with a growing pause."""


class StalledError(SourceError):
    """A source is connected but has given nothing for longer than its timeout."""


class Source(Protocol):
    """One camera's input. One thread reads it; any thread may interrupt it."""

    def frames(self, resume: str | None) -> Iterator[Frame]:
        """Opens the source and yields its frames until it ends.

        Args:
            resume: Token of the last frame that was processed; the first frame yielded is the one after it.
                None begins at the beginning (of a live source: now).

        Raises:
            SourceError: It cannot be opened, stalls for longer than its timeout, or breaks.
        """

    def interrupt(self) -> None:
        """Makes `frames` return soon, also while it waits for data. Thread-safe, and final."""

    @property
    def skipped(self) -> int:
        """Frames not delivered so far, because `fps_target` wants fewer or because they were damaged."""

    @property
    def is_live(self) -> bool:
        """Whether the source never ends by itself, so that an end is a lost connection."""


@runtime_checkable
class SelfHealing(Protocol):
    """A source that connects again by itself, and says how it is meanwhile."""

    @property
    def behind(self) -> float | None:
        """How far the last frame's part was behind the newest that there is, in seconds; None before the first."""

    @property
    def trouble(self) -> str | None:
        """What has kept it from reading since the last frame; None when nothing has."""

    @property
    def retries(self) -> int:
        """How often something went wrong and it connected again."""

    @property
    def lost(self) -> int:
        """Parts (fragments) that could not be had: damaged for good, or gone before they were read."""

    @property
    def jumps(self) -> int:
        """How often it left out what it was too far behind to read, and went on with the newest."""
