"""A minimum above the maximum, or a resource that is no service."""

import re
from collections.abc import Iterator

from inferfleet.deploy.lint import kinds
from inferfleet.deploy.lint.rule import Example, Match, Rule, Severity, Workspace

_SERVICE = re.compile(r"service/[^/]+/[^/]+$")


def check(world: Workspace) -> Iterator[Match]:
    """Finds swapped limits and malformed resource ids."""
    for target in world.of(kinds.SCALABLE_TARGET):
        low, high = target.node["MinCapacity"], target.node["MaxCapacity"]
        if low.number is not None and high.number is not None and low.number > high.number:
            yield Match(low.place, f"the minimum {low.text} is above the maximum {high.text}")
        resource = target.node["ResourceId"]
        if target.node["ServiceNamespace"].text == "ecs" and resource.known and not _SERVICE.match(resource.text):
            yield Match(resource.place, f"the resource id {resource.text} is not service/CLUSTER/SERVICE")


RULE = Rule(
    severity=Severity.ERROR,
    title="A scalable target that is refused",
    why="RegisterScalableTarget refuses a minimum above the maximum, and a resource id that names no service.",
    fix="Write service/CLUSTER/SERVICE, and the smaller number as the minimum.",
    source="https://docs.aws.amazon.com/autoscaling/application/APIReference/API_RegisterScalableTarget.html",
    check=check,
    example=Example(
        file="scaling.sh",
        bad="aws application-autoscaling register-scalable-target --service-namespace ecs --resource-id vision/api "
        "--scalable-dimension ecs:service:DesiredCount --min-capacity 10 --max-capacity 2",
        good="aws application-autoscaling register-scalable-target --service-namespace ecs "
        "--resource-id service/vision/api --scalable-dimension ecs:service:DesiredCount --min-capacity 2 "
        "--max-capacity 10",
    ),
)
