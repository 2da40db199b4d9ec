"""What a check says."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from inferfleet.config.source import Place


class Severity(StrEnum):
    """How bad it is."""

    ERROR = "error"
    """AWS, or the tool that reads the file, rejects it."""

    WARNING = "warning"
    """It is accepted, and then fails or hurts."""

    NOTE = "note"
    """It works, and there is a better way."""

    @property
    def rank(self) -> int:
        """0 for the worst."""
        return list(Severity).index(self)


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing wrong at one place.

    Attributes:
        rule: The id of the rule, or of another checker's rule (`cfn-lint/E3012`).
        severity: How bad it is.
        place: Where.
        message: What is wrong, with the names that the user gave.
        line: The offending line as it stands in the file.
        source: Where the claim can be checked.
        reason: Why it is suppressed; empty for one that counts.
    """

    rule: str
    severity: Severity
    place: Place
    message: str
    line: str = ""
    source: str = ""
    reason: str = ""
