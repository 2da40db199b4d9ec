"""CloudFormation templates, checked by cfn-lint."""

from __future__ import annotations

from collections.abc import Iterator

from inferfleet.config.source import Place
from inferfleet.deploy.lint.document import Artifact
from inferfleet.deploy.lint.finding import Finding, Severity

# A dependency that a reference implies already: the CDK writes them for every function, and they do no harm.
_HARMLESS = ["W3005"]
_SEVERITIES = {"error": Severity.ERROR, "warning": Severity.WARNING, "informational": Severity.NOTE}


def check(templates: list[Artifact]) -> Iterator[Finding]:
    """Yields what cfn-lint says of each template."""
    from cfnlint.api import ManualArgs, lint

    for template in templates:
        source = template.document.source
        for match in lint(source.text, config=ManualArgs(regions=["us-east-1"], ignore_checks=_HARMLESS)):
            yield Finding(
                rule=f"cfn-lint/{match.rule.id}",
                severity=_SEVERITIES.get(match.rule.severity, Severity.WARNING),
                place=Place(source.file, match.linenumber, match.columnnumber),
                message=match.message,
                source=match.rule.source_url,
            )
