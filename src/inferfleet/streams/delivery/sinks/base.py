"""What a sink is, and the ways in which one can fail."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from inferfleet.errors import OutsideError
from inferfleet.streams.delivery.item import Item


class SinkError(OutsideError):
    """A target that cannot be used until somebody changes something: missing, not writable, not permitted.

    Raised by `open` it ends the start of the worker; while running it is retried like any other error.
    """


class SinkUnavailable(OutsideError):
    """A target that does not answer now. It is tried again, at the start too."""


class SinkEnded(OutsideError):
    """A target that has gone for good, such as a closed pipe. It is not tried again."""


@dataclass(frozen=True, slots=True)
class Failure:
    """One item of a batch that was not delivered.

    Attributes:
        id: The event's id.
        reason: Why, for the log and the status.
        permanent: Whether it can never be delivered (too large, malformed), so that trying again is of no use.
    """

    id: str
    reason: str
    permanent: bool = False


class Sink(Protocol):
    """One target. Only its own thread calls it."""

    @property
    def name(self) -> str:
        """Its name in the spool, the status and the metrics."""

    @property
    def batch_size(self) -> int:
        """At most so many items are handed over at once."""

    def open(self) -> None:
        """Connects to the target and checks that it can be written.

        Raises:
            SinkError: It cannot, with what is missing.
            SinkUnavailable: It does not answer.
        """

    def deliver(self, batch: Sequence[Item]) -> Sequence[Failure]:
        """Delivers items, in order for each camera, durably on return; must bear being given an item again.

        Returns:
            Those that were not delivered. Items of a camera after one that failed are not delivered either, but for
            targets without an order.

        Raises:
            Exception: All of the batch counts as not delivered.
        """

    def close(self) -> None:
        """Lets go of the target. Called in any state."""
