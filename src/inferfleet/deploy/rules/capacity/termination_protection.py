"""Managed termination protection without what it stands on."""

from collections.abc import Iterator

from inferfleet.deploy.lint import kinds
from inferfleet.deploy.lint.rule import Example, Match, Rule, Severity, Workspace


def check(world: Workspace) -> Iterator[Match]:
    """Finds providers with protection, without managed scaling or with a group that does not protect its instances."""
    protected = {
        group.node["AutoScalingGroupName"].text: group.node["NewInstancesProtectedFromScaleIn"].is_true
        for group in world.of(kinds.AUTO_SCALING_GROUP)
    }
    for provider in world.of(kinds.CAPACITY_PROVIDER):
        settings = provider.node["autoScalingGroupProvider"]
        switch = settings["managedTerminationProtection"]
        if switch.text != "ENABLED":
            continue
        group = settings["autoScalingGroupArn"].text.rsplit("/", 1)[-1]
        if settings["managedScaling"]["status"].text != "ENABLED":
            yield Match(
                switch.place, "managed termination protection works only with managed scaling, which is not enabled"
            )
        elif protected.get(group) is False:
            yield Match(switch.place, f"Auto Scaling group {group} does not protect new instances from scale-in")


RULE = Rule(
    severity=Severity.ERROR,
    title="Termination protection without its conditions",
    why="Managed termination protection needs managed scaling, and a group whose instances are protected from "
    "scale-in. "
    "CreateCapacityProvider refuses anything else.",
    fix="Enable managed scaling and create the group with --new-instances-protected-from-scale-in.",
    source="https://docs.aws.amazon.com/AmazonECS/latest/APIReference/API_AutoScalingGroupProvider.html",
    check=check,
    example=Example(
        file="capacity.sh",
        bad="""
aws ecs create-capacity-provider --name gpu --auto-scaling-group-provider \\
  "autoScalingGroupArn=gpu,managedTerminationProtection=ENABLED"
""",
        good="""
aws ecs create-capacity-provider --name gpu --auto-scaling-group-provider \\
  "autoScalingGroupArn=gpu,managedScaling={status=ENABLED},managedTerminationProtection=ENABLED"
""",
    ),
)
