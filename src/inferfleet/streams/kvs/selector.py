"""Where reading a stream begins: GetMedia's StartSelector, and what of its answer is new to us."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import Any


class Begin(StrEnum):
    """Kinds of start, by the names that the service gives them."""

    NOW = "NOW"
    EARLIEST = "EARLIEST"
    AFTER = "FRAGMENT_NUMBER"
    AT_SERVER_TIME = "SERVER_TIMESTAMP"
    AT_PRODUCER_TIME = "PRODUCER_TIMESTAMP"


@dataclass(frozen=True, slots=True)
class Start:
    """A place to begin at.

    Attributes:
        begin: What the service is asked for.
        number: Fragments up to this one are known already and are passed over.
        time: For the kinds that begin at a time, in seconds since 1970.
    """

    begin: Begin
    number: str = ""
    time: float = 0.0

    @classmethod
    def now(cls) -> Start:
        """With the next fragment that arrives."""
        return cls(Begin.NOW)

    @classmethod
    def earliest(cls, after: str = "") -> Start:
        """With the oldest fragment that there is, though behind a number that is known already."""
        return cls(Begin.EARLIEST, after)

    @classmethod
    def after(cls, number: str) -> Start:
        """With the fragment behind the one of this number."""
        return cls(Begin.AFTER, number)

    @classmethod
    def at(cls, time: float, *, by_producer: bool = False, after: str = "") -> Start:
        """With the fragment that holds a time, in seconds since 1970, on the server's or the producer's clock."""
        return cls(Begin.AT_PRODUCER_TIME if by_producer else Begin.AT_SERVER_TIME, after, time)

    def is_before(self, number: str) -> bool:
        """Whether a fragment of that number is new (one without a number always is)."""
        return not self.number or not number.isdigit() or int(number) > int(self.number)

    def selector(self) -> dict[str, Any]:
        """GetMedia's StartSelector, as JSON."""
        selector: dict[str, Any] = {"StartSelectorType": self.begin.value}
        if self.begin is Begin.AFTER:
            selector["AfterFragmentNumber"] = self.number
        elif self.begin in (Begin.AT_SERVER_TIME, Begin.AT_PRODUCER_TIME):
            selector["StartTimestamp"] = self.time
        return selector
