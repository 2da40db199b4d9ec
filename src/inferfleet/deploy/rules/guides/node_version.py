"""A guide that asks for a Node.js which the AWS CDK no longer runs on."""

import re
from collections.abc import Iterator

from inferfleet.deploy.lint.rule import Example, Match, Rule, Severity, Workspace

_NODE = re.compile(r"Node(?:\.js)?\W{0,6}(?:version\s*)?v?(\d{1,2})(?:\.[x\d]+)*\s*(?:or|and|\+|\*|\.x)", re.IGNORECASE)
_OLDEST = 20


def check(world: Workspace) -> Iterator[Match]:
    """Finds old versions in the prose of guides that use the CDK."""
    for document in world.documents:
        uses_cdk = any(command.name == "cdk" or "aws-cdk" in command.texts for command in document.script.commands)
        for number, text in document.prose:
            matched = _NODE.search(text) if uses_cdk else None
            if matched and int(matched[1]) < _OLDEST:
                place = document.source.place(document.source.line_starts[number - 1] + matched.start())
                yield Match(place, f"the CDK dropped Node.js {matched[1]}: `cdk` stops at its start. It wants 22 or 24")


RULE = Rule(
    severity=Severity.WARNING,
    title="The CDK does not run on this Node.js",
    why="The AWS CDK ended support for Node.js 14 and 16 on 2025-05-30, and for 18 since.",
    fix="Ask for Node.js 22 or 24.",
    source="https://github.com/aws/aws-cdk-cli/issues/565",
    check=check,
    example=Example(
        file="guide.md",
        bad="- Node.js 14.x or higher\n\n```bash\nnpm install -g aws-cdk\n```\n",
        good="- Node.js 22.x or higher\n\n```bash\nnpm install -g aws-cdk\n```\n",
    ),
)
