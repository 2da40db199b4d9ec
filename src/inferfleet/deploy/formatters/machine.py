"""Findings for programs: plain JSON, and SARIF 2.1.0 for code hosts.

SARIF: https://docs.oasis-open.org/sarif/sarif/v2.1.0/os/sarif-v2.1.0-os.html
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from inferfleet import __version__
from inferfleet.deploy.lint import registry
from inferfleet.deploy.lint.finding import Severity

if TYPE_CHECKING:
    from inferfleet.deploy.lint.engine import Report
    from inferfleet.deploy.lint.finding import Finding

_SCHEMA = "https://docs.oasis-open.org/sarif/sarif/v2.1.0/os/schemas/sarif-schema-2.1.0.json"


def as_json(report: Report) -> dict[str, Any]:
    """Returns the report as plain data."""
    return {
        "files": report.files,
        "counts": {severity.value: report.count(severity) for severity in Severity},
        "findings": [_plain(finding) for finding in report.findings],
        "suppressed": [{**_plain(finding), "reason": finding.reason} for finding in report.suppressed],
    }


def _plain(finding: Finding) -> dict[str, Any]:
    return {
        "rule": finding.rule,
        "severity": finding.severity.value,
        "file": finding.place.file,
        "line": finding.place.line,
        "column": finding.place.column,
        "message": finding.message,
        "text": finding.line,
        "source": finding.source,
    }


def as_sarif(report: Report) -> dict[str, Any]:
    """Returns the report as a SARIF 2.1.0 log."""
    found = [*report.findings, *report.suppressed]
    named = {finding.rule for finding in found}
    rules = [
        {
            "id": rule.id,
            "shortDescription": {"text": rule.title},
            "fullDescription": {"text": rule.why},
            "help": {"text": f"{rule.fix}\n\n{rule.source}"},
            "helpUri": rule.source,
            "defaultConfiguration": {"level": rule.severity.value},
        }
        for rule in registry.all_rules()
        if rule.id in named
    ]
    listed = {rule["id"] for rule in rules}
    rules += [{"id": name, "shortDescription": {"text": name}} for name in sorted(named - listed)]
    index = {rule["id"]: position for position, rule in enumerate(rules)}
    return {
        "$schema": _SCHEMA,
        "version": "2.1.0",
        "runs": [
            {
                "tool": {"driver": {"name": "inferfleet", "version": __version__, "rules": rules}},
                "columnKind": "unicodeCodePoints",
                "results": [_result(finding, index[finding.rule]) for finding in found],
            }
        ],
    }


def _result(finding: Finding, index: int) -> dict[str, Any]:
    region: dict[str, Any] = {"startLine": finding.place.line, "startColumn": finding.place.column}
    if finding.line:
        region["snippet"] = {"text": finding.line}
    result: dict[str, Any] = {
        "ruleId": finding.rule,
        "ruleIndex": index,
        "level": finding.severity.value,
        "message": {"text": finding.message},
        "locations": [{"physicalLocation": {"artifactLocation": {"uri": _uri(finding.place.file)}, "region": region}}],
    }
    if finding.reason:
        result["suppressions"] = [{"kind": "inSource", "justification": finding.reason}]
    return result


def _uri(file: str) -> str:
    from urllib.parse import quote

    return quote(file.replace("\\", "/"))
