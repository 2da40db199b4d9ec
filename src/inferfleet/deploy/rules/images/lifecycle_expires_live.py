"""A lifecycle policy that expires images which are still deployed."""

from collections.abc import Iterator

from inferfleet.deploy.lint import kinds
from inferfleet.deploy.lint.rule import Example, Match, Rule, Severity, Workspace


def check(world: Workspace) -> Iterator[Match]:
    """Finds rules that count all images, tagged or not."""
    for policy in world.of(kinds.LIFECYCLE_POLICY):
        for rule in policy.node["rules"]:
            selection = rule["selection"]
            if selection["tagStatus"].text == "any" and rule["action"]["type"].text == "expire":
                limit = selection["countNumber"].text
                yield Match(
                    selection["tagStatus"].place,
                    f"any image beyond the last {limit} is expired, also one that a task definition still names: a "
                    "rollback, or a task that is replaced, cannot pull it",
                )


RULE = Rule(
    severity=Severity.WARNING,
    title="Images in use are expired",
    why="ECR does not know what ECS runs. A rule on any image counts pushes, and every build of a branch is one.",
    fix="Expire untagged images by age, and tag what is deployed with a prefix that no rule touches.",
    source="https://docs.aws.amazon.com/AmazonECR/latest/userguide/LifecyclePolicies.html",
    check=check,
    example=Example(
        file="lifecycle.json",
        bad="""
{"rules": [{"rulePriority": 1, "selection": {"tagStatus": "any", "countType": "imageCountMoreThan", "countNumber": 10},
  "action": {"type": "expire"}}]}
""",
        good="""
{"rules": [{"rulePriority": 1, "selection": {"tagStatus": "untagged", "countType": "sinceImagePushed",
  "countUnit": "days", "countNumber": 14}, "action": {"type": "expire"}}]}
""",
    ),
)
