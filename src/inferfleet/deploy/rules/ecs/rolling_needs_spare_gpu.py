"""A rolling deployment that needs a second GPU which may not be there."""

import math
from collections.abc import Iterator

from inferfleet.deploy.lint import ecs, kinds
from inferfleet.deploy.lint.document import Artifact
from inferfleet.deploy.lint.rule import Example, Match, Rule, Severity, Workspace


def check(world: Workspace) -> Iterator[Match]:
    """Finds services with GPU tasks whose replacement must start before the old task stops, with nowhere to start."""
    for service in ecs.services(world):
        task = world.task_of(service)
        if task is None or ecs.gpu_requirement(task) is None or ecs.on_fargate(task, world):
            continue
        desired = service.node["desiredCount"].number
        low, high = ecs.percentages(service)
        if desired is None or service.node["schedulingStrategy"].text == "DAEMON":
            continue
        must_run = math.ceil(desired * low / 100)
        if desired and must_run >= desired and not _can_grow(service, world):
            place = service.node["deploymentConfiguration"]["minimumHealthyPercent"] or service.node
            yield Match(
                place.place,
                f"service {ecs.name_of(service)}: {must_run:g} of {desired:g} GPU tasks must stay up "
                f"({low:g}%/{high:g}%), "
                "so a replacement needs a GPU of its own, and nothing starts one for it",
            )


def _can_grow(service: Artifact, world: Workspace) -> bool:
    """Whether a capacity provider that the service uses can start another instance."""
    strategy = service.node["capacityProviderStrategy"]
    if service.node["launchType"]:
        return False
    if not strategy:
        return bool(world.cluster_providers(world.cluster_of(service)))
    groups = [group.node["MaxSize"].number for group in world.of(kinds.AUTO_SCALING_GROUP)]
    desired = service.node["desiredCount"].number or 0
    return not groups or any(limit is None or limit > desired for limit in groups)


RULE = Rule(
    severity=Severity.WARNING,
    title="A rolling deployment of GPU tasks has no GPU for the replacement",
    why="With minimumHealthyPercent 100 the old task keeps its GPU until the new one is healthy, and the new one "
    "cannot "
    "be placed without a free GPU. The deployment hangs until the circuit breaker or a person ends it.",
    fix="Stop the old task first (minimumHealthyPercent 0, maximumPercent 100), or use a capacity provider that may "
    "start one more instance.",
    source="https://docs.aws.amazon.com/AmazonECS/latest/developerguide/deployment-type-ecs.html",
    check=check,
    example=Example(
        file="service.json",
        bad="""
{"serviceName": "detector", "taskDefinition": "detector", "desiredCount": 1, "launchType": "EC2",
 "deploymentConfiguration": {"minimumHealthyPercent": 100, "maximumPercent": 200}}
""",
        good="""
{"serviceName": "detector", "taskDefinition": "detector", "desiredCount": 1, "launchType": "EC2",
 "deploymentConfiguration": {"minimumHealthyPercent": 0, "maximumPercent": 100}}
""",
        beside={
            "task-definition.json": '{"family": "detector", "requiresCompatibilities": ["EC2"], "memory": "14336", '
            '"containerDefinitions": [{"name": "detector", "image": "detector:1.4.0", '
            '"resourceRequirements": [{"type": "GPU", "value": "1"}]}]}'
        },
    ),
)
