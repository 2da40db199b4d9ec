"""A policy that allows everything."""

from collections.abc import Iterator

from inferfleet.deploy.lint import kinds
from inferfleet.deploy.lint.rule import Example, Match, Rule, Severity, Workspace
from inferfleet.deploy.lint.workspace import statements_of

_SENSITIVE = frozenset({"*", "iam:*", "s3:*", "ec2:*", "ecs:*", "dynamodb:*", "kms:*", "secretsmanager:*", "sts:*"})


def check(world: Workspace) -> Iterator[Match]:
    """Finds wildcard actions on every resource."""
    for policy in world.of(kinds.POLICY):
        for statement in statements_of(policy.node):
            if statement["Effect"].text == "Deny" or "*" not in statement["Resource"].texts():
                continue
            for action in statement["Action"]:
                if action.text in _SENSITIVE:
                    yield Match(
                        action.place, f'"{action.text}" on every resource: whoever holds the container holds that'
                    )


RULE = Rule(
    severity=Severity.WARNING,
    title="Everything is allowed",
    why="A task's credentials can be read by whatever runs in its container. A wildcard gives an intruder the "
    "service, or "
    "the account.",
    fix="List the actions that the application calls, on the resources that it uses.",
    source="https://docs.aws.amazon.com/IAM/latest/UserGuide/best-practices.html",
    check=check,
    example=Example(
        file="policy.json",
        bad='{"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "s3:*", "Resource": "*"}]}',
        good='{"Version": "2012-10-17", "Statement": '
        '[{"Effect": "Allow", "Action": "s3:GetObject", "Resource": "arn:aws:s3:::models/*"}]}',
    ),
)
