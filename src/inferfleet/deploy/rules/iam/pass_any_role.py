"""A policy that lets its holder hand on any role."""

from collections.abc import Iterator

from inferfleet.deploy.lint import kinds
from inferfleet.deploy.lint.rule import Example, Match, Rule, Severity, Workspace
from inferfleet.deploy.lint.workspace import statements_of


def check(world: Workspace) -> Iterator[Match]:
    """Finds iam:PassRole on every role."""
    for policy in world.of(kinds.POLICY):
        for statement in statements_of(policy.node):
            anything = any(text == "*" or text.endswith(":role/*") for text in statement["Resource"].texts())
            limited = "iam:PassedToService" in str(statement["Condition"].plain())
            for action in statement["Action"]:
                if action.text == "iam:PassRole" and anything and not limited and statement["Effect"].text != "Deny":
                    yield Match(
                        action.place, "iam:PassRole on every role: its holder can start a task as an administrator"
                    )


RULE = Rule(
    severity=Severity.WARNING,
    title="Any role may be passed on",
    why="Who may pass a role to ECS may run code with it. On every role that is everything the account's roles may do.",
    fix="Name the task and execution roles, or add the condition iam:PassedToService = ecs-tasks.amazonaws.com.",
    source="https://docs.aws.amazon.com/IAM/latest/UserGuide/id_roles_use_passrole.html",
    check=check,
    example=Example(
        file="policy.json",
        bad='{"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "iam:PassRole", "Resource": "*"}]}',
        good='{"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "iam:PassRole", '
        '"Resource": "arn:aws:iam::111122223333:role/api-task"}]}',
    ),
)
