"""A guide that takes `cdk destroy` for a clean-up."""

import re
from collections.abc import Iterator

from inferfleet.deploy.lint.rule import Example, Match, Rule, Severity, Workspace

_CLAIM = re.compile(r"`?cdk destroy`?.{0,60}clean ?up|clean ?up.{0,60}`?cdk destroy`?", re.IGNORECASE)


def check(world: Workspace) -> Iterator[Match]:
    """Finds the claim in prose where the guide has DynamoDB tables."""
    for document in world.documents:
        if "dynamodb" not in document.source.text.lower():
            continue
        for number, text in document.prose:
            matched = _CLAIM.search(text)
            if matched:
                place = document.source.place(document.source.line_starts[number - 1] + matched.start())
                yield Match(
                    place,
                    "the DynamoDB tables stay: the CDK retains them, and the next deployment fails on their names",
                )


RULE = Rule(
    severity=Severity.NOTE,
    title="cdk destroy leaves tables and logs",
    why="DynamoDB tables, log groups and buckets of the CDK are retained by default. A second deployment with the same "
    "physical names fails because they exist.",
    fix="Set the removal policy where data may go, and list what stays.",
    source="https://docs.aws.amazon.com/cdk/v2/guide/resources.html",
    check=check,
    example=Example(
        file="guide.md",
        bad="The stack has DynamoDB tables. If it fails, use `cdk destroy` to clean up.\n",
        good="The stack has DynamoDB tables. `cdk destroy` keeps them; delete them with aws dynamodb delete-table.\n",
    ),
)
