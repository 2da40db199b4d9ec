"""What may be delivered now: everything, unless the cameras are shared with other workers."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Protocol

from inferfleet.streams.delivery.store import Row


@dataclass(frozen=True, slots=True)
class Admission:
    """What becomes of the next events; those in neither are asked about again.

    Attributes:
        now: To be delivered at once, in order.
        never: Not to be delivered from here: another worker makes and delivers them, under the same ids.
    """

    now: Sequence[Row]
    never: Sequence[Row] = ()


class Gate(Protocol):
    """Decides, each time before events are handed to a sink."""

    @contextmanager
    def admit(self, rows: Sequence[Row]) -> Iterator[Admission]:
        """Divides events; they count as on their way to the target until the context ends."""


class OpenGate:
    """Lets everything through."""

    @contextmanager
    def admit(self, rows: Sequence[Row]) -> Iterator[Admission]:
        """All of them, now."""
        yield Admission(rows)
