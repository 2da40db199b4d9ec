"""A capacity provider for an Auto Scaling group whose ARN has a wildcard in it."""

from collections.abc import Iterator

from inferfleet.deploy.lint import kinds
from inferfleet.deploy.lint.rule import Example, Match, Rule, Severity, Workspace


def check(world: Workspace) -> Iterator[Match]:
    """Finds capacity providers with a wildcard where the ARN has a UUID."""
    for provider in world.of(kinds.CAPACITY_PROVIDER):
        arn = provider.node["autoScalingGroupProvider"]["autoScalingGroupArn"]
        if arn.text.startswith("arn:") and "*" in arn.text:
            group = arn.text.rsplit("/", 1)[-1]
            yield Match(arn.place, f"the ARN of Auto Scaling group {group} has * where its UUID belongs; give its name")


RULE = Rule(
    severity=Severity.ERROR,
    title="A wildcard in an Auto Scaling group's ARN",
    why="The ARN of an Auto Scaling group holds a UUID that nobody can guess. ECS looks the ARN up as it is, finds "
    "nothing, and refuses the capacity provider.",
    fix="Give the group's name: autoScalingGroupArn takes the ARN or the name. Or ask for the ARN with "
    "`aws autoscaling describe-auto-scaling-groups`.",
    source="https://docs.aws.amazon.com/AmazonECS/latest/APIReference/API_AutoScalingGroupProvider.html",
    check=check,
    example=Example(
        file="capacity.sh",
        bad="""
aws ecs create-capacity-provider --name gpu --auto-scaling-group-provider \\
  "autoScalingGroupArn=arn:aws:autoscaling:us-east-1:111122223333:autoScalingGroup:*:autoScalingGroupName/gpu"
""",
        good="""
aws ecs create-capacity-provider --name gpu --auto-scaling-group-provider "autoScalingGroupArn=gpu"
""",
    ),
)
