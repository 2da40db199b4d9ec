"""AdministratorAccess attached to a role or a user."""

import re
from collections.abc import Iterator

from inferfleet.deploy.lint.rule import Example, Match, Rule, Severity, Workspace

_ATTACH = ("iam:AttachRolePolicy", "iam:AttachUserPolicy", "iam:AttachGroupPolicy")
_ADVICE = re.compile(r"Permissions?:?\**:?\s*.{0,20}AdministratorAccess")


def check(world: Workspace) -> Iterator[Match]:
    """Finds it in commands, and as advice in guides."""
    for call in world.calls(*_ATTACH):
        arn = call.params["PolicyArn"]
        who = call.params["RoleName"].text or call.params["UserName"].text or call.params["GroupName"].text
        if arn.text.endswith("policy/AdministratorAccess"):
            yield Match(arn.place, f"{who} may do everything in the account")
    for document in world.documents:
        for block_line, text in document.prose:
            matched = _ADVICE.search(text)
            if matched:
                place = document.source.place(document.source.line_starts[block_line - 1] + matched.start())
                yield Match(
                    place, "an administrator's keys on a developer's machine; deploy with a role that may only deploy"
                )


RULE = Rule(
    severity=Severity.WARNING,
    title="AdministratorAccess",
    why="Deploying a service needs a dozen actions. Whoever gets hold of these credentials owns the account.",
    fix="Use IAM Identity Center or OIDC for short-lived credentials, and a policy with what the deployment does.",
    source="https://docs.aws.amazon.com/IAM/latest/UserGuide/best-practices.html",
    check=check,
    example=Example(
        file="roles.sh",
        bad="aws iam attach-role-policy --role-name api-task --policy-arn arn:aws:iam::aws:policy/AdministratorAccess",
        good="aws iam attach-role-policy --role-name api-task --policy-arn "
        "arn:aws:iam::aws:policy/AmazonS3ReadOnlyAccess",
    ),
)
