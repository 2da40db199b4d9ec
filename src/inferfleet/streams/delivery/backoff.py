"""How long to pause before trying again."""

from __future__ import annotations

import random
from dataclasses import dataclass, field


@dataclass(slots=True)
class Backoff:
    """Growing pauses with full jitter, so that many workers do not come back at the same moment.

    Source: "Exponential Backoff And Jitter", AWS Architecture Blog, 2015.

    Attributes:
        first: Upper bound of the first pause, in seconds.
        most: Upper bound of all pauses, in seconds.
    """

    first: float = 0.2
    most: float = 30.0
    _failures: int = field(default=0, init=False)

    def next(self) -> float:
        """Returns the next pause in seconds: between a tenth of its bound and its bound."""
        bound = min(self.most, self.first * 2.0 ** min(self._failures, 30))
        self._failures += 1
        return random.uniform(bound / 10, bound)

    def reset(self) -> None:
        """Begins again after a success."""
        self._failures = 0
