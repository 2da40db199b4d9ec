"""An action under a condition whose key it never has."""

from collections.abc import Iterator

from inferfleet.deploy.lint import kinds
from inferfleet.deploy.lint.rule import Example, Match, Rule, Severity, Workspace
from inferfleet.deploy.lint.workspace import statements_of

# The condition keys of the action that a user most often combines with another's.
# https://docs.aws.amazon.com/service-authorization/latest/reference/list_amazons3.html
_WITHOUT_KEY = {
    "s3:x-amz-server-side-encryption": (
        "s3:PutObjectAcl",
        "s3:GetObject",
        "s3:ListBucket",
        "s3:DeleteObject",
        "s3:GetObjectAcl",
    ),
    "s3:prefix": ("s3:GetObject", "s3:PutObject", "s3:DeleteObject"),
}


def check(world: Workspace) -> Iterator[Match]:
    """Finds allowed actions that a condition in the same statement rules out."""
    for policy in world.of(kinds.POLICY):
        for statement in statements_of(policy.node):
            if statement["Effect"].text == "Deny":
                continue
            for operator, keys in statement["Condition"].items():
                for key, _ in keys.items():
                    lacking = _WITHOUT_KEY.get(key, ())
                    for action in statement["Action"]:
                        if action.text in lacking and not operator.endswith("IfExists"):
                            yield Match(
                                action.place,
                                f"{action.text} never carries {key}, so under this condition it is never allowed",
                            )


RULE = Rule(
    severity=Severity.WARNING,
    title="An action under a condition that it can never meet",
    why="A condition on a key that the request does not have is false. Each action carries only the keys of its row in "
    "the service authorization reference.",
    fix="Give the action a statement of its own. s3:PutObjectAcl can mostly go: new buckets have ACLs switched off.",
    source="https://docs.aws.amazon.com/service-authorization/latest/reference/list_amazons3.html",
    check=check,
    example=Example(
        file="policy.json",
        bad="""
{"Version": "2012-10-17", "Statement": [{
  "Effect": "Allow", "Action": ["s3:PutObject", "s3:PutObjectAcl"], "Resource": "arn:aws:s3:::snapshots/*",
  "Condition": {"StringEquals": {"s3:x-amz-server-side-encryption": "AES256"}}}]}
""",
        good="""
{"Version": "2012-10-17", "Statement": [{
  "Effect": "Allow", "Action": "s3:PutObject", "Resource": "arn:aws:s3:::snapshots/*",
  "Condition": {"StringEquals": {"s3:x-amz-server-side-encryption": "AES256"}}}]}
""",
    ),
)
