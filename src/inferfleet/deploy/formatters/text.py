"""Findings for people: place, severity, message, rule, and the offending line with a caret under it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from inferfleet.deploy.lint.finding import Severity

if TYPE_CHECKING:
    from inferfleet.deploy.lint.engine import Report
    from inferfleet.deploy.lint.finding import Finding

_COLOURS = {Severity.ERROR: "\x1b[1;31m", Severity.WARNING: "\x1b[1;33m", Severity.NOTE: "\x1b[1;36m"}
_DIM, _BOLD, _RESET = "\x1b[2m", "\x1b[1m", "\x1b[0m"
_WIDTH = 140


def render(report: Report, *, colour: bool) -> str:
    """Returns the report as text; ends with a line that sums it up."""
    blocks = [_finding(finding, colour) for finding in report.findings]
    return "\n".join([*blocks, _summary(report)])


def _finding(finding: Finding, colour: bool) -> str:
    paint = (lambda code, text: f"{code}{text}{_RESET}") if colour else (lambda _, text: text)
    head = (
        f"{paint(_BOLD, str(finding.place))}: {paint(_COLOURS[finding.severity], finding.severity.value)}: "
        f"{finding.message} {paint(_DIM, f'[{finding.rule}]')}"
    )
    line, column = _window(finding.line, finding.place.column)
    if not line.strip():
        return head
    return f"{head}\n    {paint(_DIM, line)}\n    {' ' * column}{paint(_COLOURS[finding.severity], '^')}"


def _window(line: str, column: int) -> tuple[str, int]:
    """Cuts a long line around the column, counted from 1; returns it with the column counted from 0."""
    start = max(0, column - 1 - _WIDTH // 2) if len(line) > _WIDTH else 0
    return line[start : start + _WIDTH].replace("\t", " "), column - 1 - start


def _summary(report: Report) -> str:
    if not report.findings:
        found = "no findings"
    else:
        counts = ((report.count(severity), severity.value) for severity in Severity)
        found = ", ".join(f"{count} {name}{'s' * (count != 1)}" for count, name in counts if count)
    hidden = f", {len(report.suppressed)} suppressed" if report.suppressed else ""
    return f"{report.files} file{'s' * (report.files != 1)}: {found}{hidden}"
