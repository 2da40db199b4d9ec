"""A service for awsvpc tasks that says nothing of subnets."""

from collections.abc import Iterator

from inferfleet.deploy.lint import ecs
from inferfleet.deploy.lint.rule import Example, Match, Rule, Severity, Workspace


def check(world: Workspace) -> Iterator[Match]:
    """Finds services of awsvpc task definitions without a network configuration."""
    for service in ecs.services(world):
        task = world.task_of(service)
        if task is None or service.excerpted or task.node["networkMode"].text != "awsvpc":
            continue
        if service.node["taskDefinition"] and not service.node["networkConfiguration"]:
            message = f"service {ecs.name_of(service)} runs awsvpc tasks and has no networkConfiguration with subnets"
            yield Match(service.place, message)


RULE = Rule(
    severity=Severity.ERROR,
    title="No subnets for awsvpc tasks",
    why="Each awsvpc task gets a network interface, and CreateService refuses a service that does not say where.",
    fix="Give networkConfiguration.awsvpcConfiguration with subnets and security groups.",
    source="https://docs.aws.amazon.com/AmazonECS/latest/APIReference/API_CreateService.html",
    check=check,
    example=Example(
        file="service.json",
        bad='{"serviceName": "api", "taskDefinition": "api", "desiredCount": 2}',
        good='{"serviceName": "api", "taskDefinition": "api", "desiredCount": 2, "networkConfiguration": '
        '{"awsvpcConfiguration": {"subnets": ["subnet-0a", "subnet-0b"], "securityGroups": ["sg-0a"]}}}',
        beside={
            "task-definition.json": '{"family": "api", "networkMode": "awsvpc", "memory": "2048", '
            '"containerDefinitions": [{"name": "api", "image": "api:1.4.0"}]}'
        },
    ),
)
