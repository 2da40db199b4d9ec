"""IAM policies, checked by parliament: actions, resources and conditions against AWS's authorization reference."""

from __future__ import annotations

import re
from collections.abc import Iterator

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
_VARIABLE = re.compile(r"\$\{([A-Za-z_]\w*)\}")


def check(policies: list[Artifact]) -> Iterator[Finding]:
    """Yields what parliament says of each policy file."""
    import parliament

    for policy in policies:
        source = policy.document.source
        if policy.document.kind != "json" or "Statement" not in policy.node:
            continue
        for found in parliament.analyze_policy_string(_VARIABLE.sub(_stand_in, source.text)).findings:
            described = parliament.enhance_finding(found)
            severity = _SEVERITIES.get(described.severity, Severity.WARNING)
            if severity is None:
                continue
            title = described.title or found.issue
            detail = found.detail if isinstance(found.detail, str) else ""
            line = int(found.location.get("line") or 1)
            yield Finding(
                rule=f"parliament/{found.issue.lower().replace('_', '-')}",
                severity=severity,
                place=Place(source.file, line, int(found.location.get("column") or 1)),
                message=detail if detail.startswith(title) else f"{title} {detail}".strip(),
                source=_SOURCE,
            )


def _stand_in(match: re.Match[str]) -> str:
    """Fills in a value of the right form, so that ARNs can be taken apart."""
    name = match[1].upper()
    if "ACCOUNT" in name:
        return "111122223333"
    return "us-east-1" if "REGION" in name else "x"
