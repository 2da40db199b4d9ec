"""Findings that the user has looked at and accepts, each with a reason.

    # inferfleet: ignore[ecs/latest-image] the tag is moved by the release job only
    # inferfleet: ignore-file[shell/unset-variable] the variables come from the pipeline

The first covers its own line, or, alone on a line, the statement below; the second the whole file. JSON has no
comments: a file `.inferfleet-ignore` beside it has lines `file rule reason`.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

from inferfleet.config.source import Place
from inferfleet.deploy.lint.document import Document
from inferfleet.deploy.lint.finding import Finding, Severity
from inferfleet.deploy.lint.registry import covers

_DIRECTIVE = re.compile(
    r"(?:#|//|<!--)\s*inferfleet:\s*ignore(?P<file>-file)?\[(?P<ids>[^\]]+)\]\s*(?P<reason>.*?)\s*(?:-->)?$"
)
SIDE_FILE = ".inferfleet-ignore"


@dataclass(frozen=True)
class Suppression:
    """A directive.

    Attributes:
        place: Where it stands.
        file: The file that it is about.
        ids: The rules, or groups of rules, that it is about.
        reason: Why.
        lines: The lines that it covers; None for the whole file.
    """

    place: Place
    file: str
    ids: tuple[str, ...]
    reason: str
    lines: range | None

    def covers(self, finding: Finding) -> bool:
        """Whether it is about a finding."""
        inside = self.lines is None or finding.place.line in self.lines
        return inside and any(covers(word, finding.rule) for word in self.ids)


def read(document: Document) -> list[Suppression]:
    """Finds the directives of a file, and those beside it."""
    found = []
    if "inferfleet:" in document.source.text:
        comments = _python_comments(document.source.text) if document.kind == "python" else None
        for number, line in enumerate(document.source.text.split("\n"), start=1):
            matched = _DIRECTIVE.search(line)
            if matched and (comments is None or number in comments):
                ids = tuple(word.strip() for word in matched["ids"].split(","))
                alone = not line[: matched.start()].strip()
                lines = None if matched["file"] else _covered(document, number, alone)
                place = Place(document.source.file, number, matched.start() + 1)
                found.append(Suppression(place, document.source.file, ids, matched["reason"], lines))
    return found + _beside(Path(document.source.file))


def _python_comments(text: str) -> set[int]:
    """The lines of a Python source that hold a comment; what looks like one in a string is none."""
    import io
    import tokenize

    try:
        tokens = list(tokenize.generate_tokens(io.StringIO(text).readline))
    except (tokenize.TokenError, SyntaxError):
        return set()
    return {token.start[0] for token in tokens if token.type == tokenize.COMMENT}


def _covered(document: Document, number: int, alone: bool) -> range:
    if not alone:
        return range(number, number + 1)
    last = number + 1
    while document.source.line(last).rstrip().endswith("\\") or document.source.line(last).lstrip().startswith("#"):
        last += 1
    return range(number, last + 1)


def _beside(path: Path) -> list[Suppression]:
    side = path.parent / SIDE_FILE
    try:
        lines = side.read_text().splitlines()
    except (OSError, UnicodeDecodeError):
        return []
    found = []
    for number, line in enumerate(lines, start=1):
        file, _, rest = line.strip().partition(" ")
        rule, _, reason = rest.strip().partition(" ")
        if file == path.name and rule:
            found.append(Suppression(Place(str(side), number, 1), str(path), (rule,), reason.strip(), None))
    return found


def apply(findings: list[Finding], suppressions: list[Suppression]) -> tuple[list[Finding], list[Finding]]:
    """Parts findings into those that count and those that are suppressed, and reports directives that do nothing."""
    kept: list[Finding] = []
    hidden: list[Finding] = []
    used: set[int] = set()
    for finding in findings:
        match = next((s for s in suppressions if s.reason and s.covers(finding)), None)
        if match is None:
            kept.append(finding)
        else:
            used.add(id(match))
            hidden.append(
                Finding(finding.rule, finding.severity, finding.place, finding.message, finding.line, finding.source,
                        reason=match.reason)
            )  # fmt: skip
    for suppression in suppressions:
        listed = ", ".join(suppression.ids)
        if not suppression.reason:
            message = f"ignore[{listed}] gives no reason and is not followed; say why after the bracket"
            kept.append(Finding("suppression/no-reason", Severity.WARNING, suppression.place, message))
        elif id(suppression) not in used:
            message = f"ignore[{listed}] hides nothing; remove it"
            kept.append(Finding("suppression/unused", Severity.NOTE, suppression.place, message))
    return kept, hidden
