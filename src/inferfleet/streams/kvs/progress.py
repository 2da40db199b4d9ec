"""What is known of a stream's reading, told by the thread that reads and looked at by any other."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Any

from inferfleet.streams.kvs.errors import KvsError
from inferfleet.streams.kvs.fragments import Fragment


@dataclass(frozen=True, slots=True)
class Progress:
    """What is known of a stream's reading at one moment.

    Attributes:
        connected: A body is being read.
        connections: How many bodies have begun.
        fragments: Fragments handed out.
        bytes: Their bytes.
        reconnects: How often it had to call again.
        failures: How often something went wrong, by the error's name.
        lost: Fragments given up because they stayed damaged, or gone because retention removed them.
        jumps: How often a live camera jumped to now because it was too far behind.
        behind_s: How far the last fragment was behind the newest of the stream, in seconds; None before the first.
        last_fragment: Number of the last fragment handed out.
        error: What went wrong last; None since the last fragment.
    """

    connected: bool = False
    connections: int = 0
    fragments: int = 0
    bytes: int = 0
    reconnects: int = 0
    failures: dict[str, int] = field(default_factory=dict)
    lost: int = 0
    jumps: int = 0
    behind_s: float | None = None
    last_fragment: str = ""
    error: str | None = None


class Reading:
    """Keeps the progress of one reader. It is replaced as a whole, so that whoever looks sees one moment.

    Attributes:
        progress: What is known now.
    """

    def __init__(self) -> None:
        self.progress = Progress()

    def connected(self) -> None:
        """A body or session has begun."""
        self.note(connected=True, connections=self.progress.connections + 1)

    def ended(self) -> None:
        """It has ended, and will be called for again."""
        self.note(connected=False, reconnects=self.progress.reconnects + 1)

    def took(self, fragment: Fragment) -> None:
        """A fragment has been handed out and processed."""
        behind = fragment.millis_behind
        self.note(
            fragments=self.progress.fragments + 1,
            bytes=self.progress.bytes + fragment.size,
            behind_s=self.progress.behind_s if behind is None else behind / 1000,
            last_fragment=fragment.number or self.progress.last_fragment,
            error=None,
        )

    def failed(self, error: KvsError) -> None:
        """Something went wrong."""
        name = type(error).__name__
        failures = self.progress.failures | {name: self.progress.failures.get(name, 0) + 1}
        self.note(failures=failures, error=str(error))

    def lost(self) -> None:
        """A fragment has been given up."""
        self.note(lost=self.progress.lost + 1)

    def jumped(self) -> None:
        """A live camera has jumped to now."""
        self.note(jumps=self.progress.jumps + 1)

    def note(self, **changes: Any) -> None:
        """Replaces what has changed."""
        self.progress = replace(self.progress, **changes)
