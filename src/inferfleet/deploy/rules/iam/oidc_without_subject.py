"""A role for GitHub Actions that every repository may take."""

from collections.abc import Iterator

from inferfleet.deploy.lint import kinds
from inferfleet.deploy.lint.rule import Example, Match, Rule, Severity, Workspace
from inferfleet.deploy.lint.workspace import statements_of


def check(world: Workspace) -> Iterator[Match]:
    """Finds trust in GitHub's identity provider without a condition on the subject."""
    for policy in world.of(kinds.TRUST_POLICY):
        for statement in statements_of(policy.node):
            provider = statement["Principal"]["Federated"]
            conditions = str(statement["Condition"].plain())
            if "token.actions.githubusercontent.com" in provider.text and ":sub" not in conditions:
                yield Match(provider.place, "without a condition on :sub, any repository on GitHub may take this role")


RULE = Rule(
    severity=Severity.WARNING,
    title="Every repository on GitHub may take the role",
    why="GitHub's identity provider signs tokens for all of its users. Only the subject says which repository asks.",
    fix='Add {"StringLike": {"token.actions.githubusercontent.com:sub": "repo:OWNER/NAME:ref:refs/heads/main"}}.',
    source="https://docs.aws.amazon.com/IAM/latest/UserGuide/id_roles_providers_create_oidc.html",
    check=check,
    example=Example(
        file="trust.json",
        bad="""
{"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "sts:AssumeRoleWithWebIdentity",
  "Principal": {"Federated": "arn:aws:iam::111122223333:oidc-provider/token.actions.githubusercontent.com"},
  "Condition": {"StringEquals": {"token.actions.githubusercontent.com:aud": "sts.amazonaws.com"}}}]}
""",
        good="""
{"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "sts:AssumeRoleWithWebIdentity",
  "Principal": {"Federated": "arn:aws:iam::111122223333:oidc-provider/token.actions.githubusercontent.com"},
  "Condition": {"StringEquals": {"token.actions.githubusercontent.com:aud": "sts.amazonaws.com",
    "token.actions.githubusercontent.com:sub": "repo:example/vision:ref:refs/heads/main"}}}]}
""",
    ),
)
