"""IAM policies, checked by parliament: actions, resources and conditions against AWS's authorization reference."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

from inferfleet.config.source import Place
from inferfleet.deploy.lint.document import Artifact
from inferfleet.deploy.lint.finding import Finding, Severity

_SOURCE = "https://docs.aws.amazon.com/service-authorization/latest/reference/"
_SEVERITIES = {
    "CRITICAL": Severity.ERROR,
    "HIGH": Severity.ERROR,
    "MEDIUM": Severity.WARNING,
    "LOW": Severity.WARNING,
    "INFO": Severity.NOTE,
    "MUTE": None,
}
_VARIABLE = re.compile(r"\$\{([A-Za-z_][\w:.]*)\}")


def check(policies: list[Artifact]) -> Iterator[Finding]:
    """Yields what parliament says of each policy: a file of its own, or a part of a template."""
    for policy in policies:
        if "Statement" not in policy.node:
            continue
        if policy.document.kind == "json" and policy.document.artifacts[0] is policy:
            source = policy.document.source
            for finding, line, column in _asked(source.text):
                yield replace(finding, place=Place(source.file, line, column))
        elif policy.document.kind in ("json", "yaml"):
            for finding, _, _ in _asked(json.dumps(_known(policy.node.plain()))):
                yield replace(finding, place=policy.node.place)


def _asked(text: str) -> Iterator[tuple[Finding, int, int]]:
    """Yields findings without a place, and line and column in the text."""
    import parliament

    for found in parliament.analyze_policy_string(_VARIABLE.sub(_stand_in, text)).findings:
        described = parliament.enhance_finding(found)
        severity = _SEVERITIES.get(described.severity, Severity.WARNING)
        if severity is None:
            continue
        title = described.title or found.issue
        detail = found.detail if isinstance(found.detail, str) else ""
        finding = Finding(
            rule=f"parliament/{found.issue.lower().replace('_', '-')}",
            severity=severity,
            place=Place("", 1, 1),
            message=detail if detail.startswith(title) else f"{title} {detail}".strip(),
            source=_SOURCE,
        )
        yield finding, int(found.location.get("line") or 1), int(found.location.get("column") or 1)


def _known(policy: Any) -> Any:
    """Leaves out the statements on what is not known before deployment: `{"Ref": "Table"}` is an ARN of any kind."""
    statements = policy["Statement"] if isinstance(policy["Statement"], list) else [policy["Statement"]]
    return {**policy, "Statement": [item for item in statements if not _is_open(item)]}


def _is_open(statement: Any) -> bool:
    resources = statement.get("Resource", []) if isinstance(statement, dict) else []
    return any(str(item).startswith("${") for item in (resources if isinstance(resources, list) else [resources]))


def _stand_in(match: re.Match[str]) -> str:
    """Fills in a value of the right form, so that ARNs can be taken apart."""
    name = match[1].upper()
    if "ACCOUNT" in name:
        return "111122223333"
    if "PARTITION" in name:
        return "aws"
    return "us-east-1" if "REGION" in name else "x"
