"""A guide that checks the CDK's command line by the library's numbers."""

import re
from collections.abc import Iterator

from inferfleet.deploy.lint.rule import Example, Match, Rule, Severity, Workspace

_CHECK = re.compile(r"CDK version\D{0,20}2\.(\d{1,3})\.\d+ or (?:higher|newer|later)", re.IGNORECASE)
_SPLIT_AT = 1000


def check(world: Workspace) -> Iterator[Match]:
    """Finds versions such as 2.180.0 beside `cdk --version`."""
    for document in world.documents:
        asks = any(command.starts("cdk", "--version") for command in document.script.commands)
        for number, text in document.prose:
            matched = _CHECK.search(text) if asks else None
            if matched and int(matched[1]) < _SPLIT_AT:
                place = document.source.place(document.source.line_starts[number - 1] + matched.start())
                yield Match(place, "the command line is numbered 2.1000 and up, so this passes with every one")
                break


RULE = Rule(
    severity=Severity.NOTE,
    title="The CDK's command line has other numbers",
    why="Since February 2025 the command line and the library are released apart: the first is 2.1000 and up, the "
    "second "
    "2.180 and up. A check of one against the other proves nothing.",
    fix="Ask for the command line's number, and pin aws-cdk-lib in the project.",
    source="https://github.com/aws/aws-cdk-cli/issues/383",
    check=check,
    example=Example(
        file="guide.md",
        bad="```bash\ncdk --version\n```\n\nEnsure CDK version is 2.180.0 or higher.\n",
        good="```bash\ncdk --version\n```\n\nEnsure CDK version is 2.1030.0 or higher.\n",
    ),
)
