"""What the spool knows without asking its file: numbers, cursors, and which checkpoints are delivered.

Plain arithmetic over sequence numbers, with no file and no thread, so that it can be tested on its own. The spool
changes a copy inside a transaction and takes it over once the transaction is durable.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterable
from dataclasses import dataclass, field

MOST_MARKS = 64
"""Undelivered checkpoints kept a camera; beyond, every second one goes, so an outage makes them sparser, not more."""


@dataclass(slots=True)
class Ledger:
    """The spool's state in numbers.

    Attributes:
        last: The newest sequence number given; the next event gets `last + 1`.
        size: Bytes of the events that are held.
        cursors: Per sink, the number up to which it has everything.
        marks: Per camera, the numbers of its events at which there is a checkpoint, ascending. 0 is before any event.
    """

    last: int = 0
    size: int = 0
    cursors: dict[str, int] = field(default_factory=dict)
    marks: dict[str, list[int]] = field(default_factory=dict)

    def copy(self) -> Ledger:
        """Returns an independent copy."""
        marks = {camera: list(marks) for camera, marks in self.marks.items()}
        return Ledger(self.last, self.size, dict(self.cursors), marks)

    @property
    def watermark(self) -> int:
        """The number up to which every sink has everything; those events are held no longer."""
        return min(self.cursors.values(), default=self.last)

    def backlog(self, sink: str) -> int:
        """How many events a sink still lacks."""
        return self.last - self.cursors[sink]

    def adopt(self, sinks: Iterable[str], first_held: int | None) -> tuple[list[str], list[str]]:
        """Makes the sinks those given, and returns which names were added and which removed.

        A new sink begins with the oldest event that is still held; a removed one holds nothing any more.
        """
        wanted = list(sinks)
        removed = [name for name in self.cursors if name not in wanted]
        added = [name for name in wanted if name not in self.cursors]
        start = self.last if first_held is None else first_held - 1
        self.cursors = {name: self.cursors.get(name, start) for name in wanted}
        return added, removed

    def acknowledge(self, sink: str, seq: int) -> None:
        """Moves a sink's cursor; it never moves back."""
        self.cursors[sink] = max(self.cursors[sink], seq)

    def mark(self, camera: str, seq: int | None) -> int:
        """Notes a checkpoint after the camera's event `seq` (None: after its latest), and returns that number."""
        marks = self.marks.setdefault(camera, [])
        number = seq if seq is not None else marks[-1] if marks else 0
        if not marks or number > marks[-1]:
            marks.append(number)
        return number

    def delivered_mark(self, camera: str) -> int | None:
        """Returns the number of the camera's newest checkpoint before which everything is delivered."""
        marks = self.marks.get(camera, [])
        index = bisect_right(marks, self.watermark)
        return marks[index - 1] if index else None

    def thin(self, camera: str) -> list[int]:
        """Drops all checkpoints before the delivered one, and some when there are many; returns which."""
        marks = self.marks[camera]
        kept = marks[max(bisect_right(marks, self.watermark) - 1, 0) :]
        if len(kept) > MOST_MARKS:
            kept = [*kept[:-1:2], kept[-1]]
        dropped = sorted(set(marks) - set(kept))
        self.marks[camera] = kept
        return dropped
