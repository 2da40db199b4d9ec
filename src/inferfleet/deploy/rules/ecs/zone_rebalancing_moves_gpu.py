"""Availability Zone rebalancing switched on where no second GPU exists."""

from collections.abc import Iterator

from inferfleet.deploy.lint import ecs
from inferfleet.deploy.lint.rule import Example, Match, Rule, Severity, Workspace


def check(world: Workspace) -> Iterator[Match]:
    """Finds services with GPU tasks or recreate deployments that ask for rebalancing."""
    for service in ecs.services(world):
        switch = service.node["availabilityZoneRebalancing"]
        task = world.task_of(service)
        _, high = ecs.percentages(service)
        has_gpu = task is not None and ecs.gpu_requirement(task) is not None
        if switch.text == "ENABLED" and (has_gpu or high <= 100):  # noqa: PLR2004 (percent)
            yield Match(
                switch.place,
                f"service {ecs.name_of(service)}: rebalancing starts a task in the other zone before it stops one, "
                "which "
                "needs a spare GPU and a maximumPercent above 100",
            )


RULE = Rule(
    severity=Severity.WARNING,
    title="Zone rebalancing where GPUs are scarce",
    why="ECS balances zones by starting a task first. With one GPU a task it never succeeds, or it moves a stream "
    "reader "
    "for no reason; with maximumPercent 100 it is refused. The default for a new service is ENABLED.",
    fix='Set "availabilityZoneRebalancing": "DISABLED".',
    source="https://docs.aws.amazon.com/AmazonECS/latest/developerguide/service-rebalancing.html",
    check=check,
    example=Example(
        file="service.json",
        bad='{"serviceName": "reader", "taskDefinition": "reader", "desiredCount": 1, '
        '"availabilityZoneRebalancing": "ENABLED", '
        '"deploymentConfiguration": {"minimumHealthyPercent": 0, "maximumPercent": 100}}',
        good='{"serviceName": "reader", "taskDefinition": "reader", "desiredCount": 1, '
        '"availabilityZoneRebalancing": "DISABLED", '
        '"deploymentConfiguration": {"minimumHealthyPercent": 0, "maximumPercent": 100}}',
    ),
)
