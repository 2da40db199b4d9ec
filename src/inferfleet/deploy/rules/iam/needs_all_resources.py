"""An action that knows no resources, on one."""

from collections.abc import Iterator

from inferfleet.deploy.lint import kinds
from inferfleet.deploy.lint.rule import Example, Match, Rule, Severity, Workspace
from inferfleet.deploy.lint.workspace import statements_of

# Actions without resource types: they match "*" alone.
_WITHOUT_RESOURCES = frozenset(
    {"ecr:GetAuthorizationToken", "cloudwatch:PutMetricData", "ec2:DescribeInstances", "ecs:ListClusters"}
)


def check(world: Workspace) -> Iterator[Match]:
    """Finds such actions in statements on particular resources."""
    for policy in world.of(kinds.POLICY):
        for statement in statements_of(policy.node):
            resources = statement["Resource"].texts()
            if not resources or "*" in resources or statement["Effect"].text == "Deny":
                continue
            for action in statement["Action"]:
                if action.text in _WITHOUT_RESOURCES:
                    yield Match(
                        action.place, f"{action.text} knows no resources, so on {resources[0]} it is never allowed"
                    )


RULE = Rule(
    severity=Severity.WARNING,
    title='An action that only "*" allows',
    why="Some actions are about no particular resource. A statement that names one never covers them, and image pulls "
    "or "
    "metrics are denied.",
    fix='Give the action a statement of its own with "Resource": "*".',
    source="https://docs.aws.amazon.com/service-authorization/latest/reference/list_amazonelasticcontainerregistry.html",
    check=check,
    example=Example(
        file="policy.json",
        bad='{"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "ecr:GetAuthorizationToken", '
        '"Resource": "arn:aws:ecr:us-east-1:111122223333:repository/api"}]}',
        good='{"Version": "2012-10-17", "Statement": '
        '[{"Effect": "Allow", "Action": "ecr:GetAuthorizationToken", "Resource": "*"}]}',
    ),
)
