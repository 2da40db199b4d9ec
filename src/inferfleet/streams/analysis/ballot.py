"""The readings of the text on one object, and what they agree on."""

from __future__ import annotations

import msgspec

MOST_CANDIDATES = 50
"""So many different texts are remembered for one object; the weakest is forgotten for another."""


class Candidate(msgspec.Struct):
    """One text that was read.

    Attributes:
        value: Its most confident spelling (readings that differ in spaces alone are one text).
        best: The confidence of that spelling.
        total: Sum of the confidences of all its readings.
        votes: How many readings there were.
    """

    value: str
    best: float
    total: float
    votes: int

    @property
    def confidence(self) -> float:
        """Mean confidence, 0 to 1."""
        return self.total / self.votes


class Ballot(msgspec.Struct):
    """All readings on one object, by one read_text step.

    Attributes:
        candidates: The texts that were read, by their form without spaces.
        chances: How many frames have shown the object since reading began.
        attempts: How often it was tried.
        decided: Whether enough readings agreed; nothing changes after that.
    """

    candidates: dict[str, Candidate] = msgspec.field(default_factory=dict)
    chances: int = 0
    attempts: int = 0
    decided: bool = False

    def vote(self, value: str, confidence: float, needed: int) -> Candidate | None:
        """Counts a reading, and returns the agreed text if this was the vote that decided it.

        Args:
            value: The whole text, normalised.
            confidence: Of the reading, 0 to 1.
            needed: How many votes decide.
        """
        if self.decided:
            return None
        key = "".join(value.split())
        if key not in self.candidates and len(self.candidates) == MOST_CANDIDATES:
            del self.candidates[min(self.candidates, key=lambda one: _strength(self.candidates[one]))]
        candidate = self.candidates.setdefault(key, Candidate(value, confidence, 0.0, 0))
        if confidence > candidate.best:
            candidate.value, candidate.best = value, confidence
        candidate.total += confidence
        candidate.votes += 1
        self.decided = candidate.votes >= needed
        return candidate if self.decided else None

    def leader(self) -> Candidate | None:
        """The text with the most votes; of equal ones the more confident, then the one read first."""
        return max(self.candidates.values(), key=_strength, default=None)


def _strength(candidate: Candidate) -> tuple[int, float]:
    return candidate.votes, candidate.confidence
