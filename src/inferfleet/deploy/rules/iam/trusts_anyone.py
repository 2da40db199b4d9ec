"""A role that anyone may take."""

from collections.abc import Iterator

from inferfleet.deploy.lint import kinds
from inferfleet.deploy.lint.rule import Example, Match, Rule, Severity, Workspace
from inferfleet.deploy.lint.workspace import statements_of


def check(world: Workspace) -> Iterator[Match]:
    """Finds trust policies with an open principal and no condition."""
    for policy in world.of(kinds.TRUST_POLICY):
        for statement in statements_of(policy.node):
            principal = statement["Principal"]
            open_to_all = "*" in principal.texts() or "*" in principal["AWS"].texts()
            if open_to_all and statement["Effect"].text != "Deny" and not statement["Condition"]:
                yield Match(principal.place, "any AWS account in the world may take this role")


RULE = Rule(
    severity=Severity.WARNING,
    title="Anyone may take the role",
    why="A trust policy with the principal * and no condition lets every AWS account assume the role.",
    fix="Name the service or the account, and for OIDC a condition on the subject.",
    source="https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_elements_principal.html",
    check=check,
    example=Example(
        file="trust.json",
        bad='{"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Principal": {"AWS": "*"}, '
        '"Action": "sts:AssumeRole"}]}',
        good='{"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Principal": '
        '{"Service": "ecs-tasks.amazonaws.com"}, "Action": "sts:AssumeRole"}]}',
    ),
)
