"""Credentials written into a file."""

import re
from collections.abc import Iterator

from inferfleet.deploy.lint.rule import Example, Match, Rule, Severity, Workspace

_KEY = re.compile(r"(?<![A-Z0-9])(AKIA|ASIA)[A-Z0-9]{16}(?![A-Z0-9])")


def check(world: Workspace) -> Iterator[Match]:
    """Finds access key ids, other than those that AWS uses in its examples."""
    for document in world.documents:
        for matched in _KEY.finditer(document.source.text):
            if not matched[0].endswith("EXAMPLE"):
                place = document.source.place(matched.start())
                yield Match(place, f"an access key ({matched[0][:8]}…) is written into this file")
    for call in world.calls("iam:CreateAccessKey"):
        yield Match(call.place, "a long-lived access key is created; it never expires and is copied around")


RULE = Rule(
    severity=Severity.WARNING,
    title="Long-lived credentials",
    why="Keys in files end up in repositories and images. They work from anywhere until somebody deletes them.",
    fix="Delete the key. Give tasks a task role, pipelines OIDC, and people IAM Identity Center.",
    source="https://docs.aws.amazon.com/IAM/latest/UserGuide/id_credentials_access-keys.html",
    check=check,
    example=Example(
        file=".env",
        bad="AWS_ACCESS_KEY_ID=AKIA2E0A8F3B244C9986\nAWS_REGION=us-east-1\n",
        good="AWS_REGION=us-east-1\n",
    ),
)
