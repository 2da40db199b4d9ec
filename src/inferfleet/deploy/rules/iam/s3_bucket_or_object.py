"""An S3 action on the wrong kind of resource."""

from collections.abc import Iterator

from inferfleet.deploy.lint import kinds
from inferfleet.deploy.lint.rule import Example, Match, Rule, Severity, Workspace
from inferfleet.deploy.lint.workspace import statements_of

_OBJECT = frozenset(
    {"s3:GetObject", "s3:PutObject", "s3:DeleteObject", "s3:GetObjectVersion", "s3:AbortMultipartUpload"}
)
_BUCKET = frozenset({"s3:ListBucket", "s3:GetBucketLocation", "s3:ListBucketMultipartUploads", "s3:ListBucketVersions"})


def check(world: Workspace) -> Iterator[Match]:
    """Finds object actions on buckets alone, and bucket actions on objects alone."""
    for policy in world.of(kinds.POLICY):
        for statement in statements_of(policy.node):
            arns = [text for text in statement["Resource"].texts() if text.startswith("arn:aws:s3:::")]
            if not arns or len(arns) != len(list(statement["Resource"])):
                continue
            objects = [arn for arn in arns if "/" in arn or arn.endswith("*")]
            for action in statement["Action"]:
                if action.text in _OBJECT and not objects:
                    yield Match(action.place, f"{action.text} is about objects, and {arns[0]} is a bucket: add /*")
                elif (
                    action.text in _BUCKET and len(objects) == len(arns) and not any(arn.endswith(":*") for arn in arns)
                ):
                    yield Match(
                        action.place, f"{action.text} is about the bucket, and {arns[0]} names its objects only"
                    )


RULE = Rule(
    severity=Severity.WARNING,
    title="A bucket where objects are meant, or the other way round",
    why="S3 checks object actions against the object's ARN and bucket actions against the bucket's. The wrong kind "
    "never "
    "matches, so the call is denied.",
    fix="Give s3:ListBucket the bucket's ARN and s3:GetObject the same with /*.",
    source="https://docs.aws.amazon.com/service-authorization/latest/reference/list_amazons3.html",
    check=check,
    example=Example(
        file="policy.json",
        bad='{"Version": "2012-10-17", "Statement": '
        '[{"Effect": "Allow", "Action": "s3:GetObject", "Resource": "arn:aws:s3:::models"}]}',
        good='{"Version": "2012-10-17", "Statement": '
        '[{"Effect": "Allow", "Action": "s3:GetObject", "Resource": "arn:aws:s3:::models/*"}]}',
    ),
)
