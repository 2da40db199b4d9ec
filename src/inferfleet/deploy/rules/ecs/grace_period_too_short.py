"""A grace period that ends before the container may be unhealthy."""

from collections.abc import Iterator

from inferfleet.deploy.lint import ecs
from inferfleet.deploy.lint.rule import Example, Match, Rule, Severity, Workspace


def check(world: Workspace) -> Iterator[Match]:
    """Finds services behind a load balancer whose grace period is shorter than the container's start period."""
    for service in ecs.services(world):
        task = world.task_of(service)
        if task is None or not list(service.node["loadBalancers"]):
            continue
        starts = max((c["healthCheck"]["startPeriod"].number or 0 for c in ecs.containers(task)), default=0)
        grace = service.node["healthCheckGracePeriodSeconds"].number or 0
        if grace < starts:
            place = service.node["healthCheckGracePeriodSeconds"] or service.node["loadBalancers"]
            yield Match(
                place.place,
                f"service {ecs.name_of(service)}: containers may take {starts:g} s to start, and the load balancer's "
                f"checks count after {grace:g} s: tasks are stopped while they load",
            )


RULE = Rule(
    severity=Severity.WARNING,
    title="The health check grace period is shorter than the start",
    why="The load balancer checks from the first second. After the grace period, which is 0 by default, ECS stops a "
    "task "
    "that is not healthy yet, and the next one starts to load.",
    fix="Set healthCheckGracePeriodSeconds to at least the container's startPeriod.",
    source="https://docs.aws.amazon.com/AmazonECS/latest/APIReference/API_CreateService.html",
    check=check,
    example=Example(
        file="service.json",
        bad='{"serviceName": "api", "taskDefinition": "api", "desiredCount": 2, "loadBalancers": '
        '[{"targetGroupArn": "${TARGET_GROUP}", "containerName": "api", "containerPort": 8080}]}',
        good='{"serviceName": "api", "taskDefinition": "api", "desiredCount": 2, "healthCheckGracePeriodSeconds": 120, '
        '"loadBalancers": [{"targetGroupArn": "${TARGET_GROUP}", "containerName": "api", "containerPort": 8080}]}',
        beside={
            "task-definition.json": '{"family": "api", "memory": "2048", "containerDefinitions": [{"name": "api", '
            '"image": "api:1.4.0", "portMappings": [{"containerPort": 8080}], "healthCheck": '
            '{"command": ["CMD", "/app/healthy"], "startPeriod": 120}}]}'
        },
    ),
)
