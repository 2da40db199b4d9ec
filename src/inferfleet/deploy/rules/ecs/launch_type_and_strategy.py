"""A service with both a launch type and a capacity provider strategy."""

from collections.abc import Iterator

from inferfleet.deploy.lint import ecs
from inferfleet.deploy.lint.rule import Example, Match, Rule, Severity, Workspace


def check(world: Workspace) -> Iterator[Match]:
    """Finds services that give both."""
    for service in ecs.services(world):
        launch_type = service.node["launchType"]
        if launch_type and service.node["capacityProviderStrategy"]:
            message = f"service {ecs.name_of(service)} has launchType {launch_type.text} and a capacityProviderStrategy"
            yield Match(launch_type.place, f"{message}; ECS takes one or the other")


RULE = Rule(
    severity=Severity.ERROR,
    title="Launch type together with a capacity provider strategy",
    why="CreateService refuses it: if a launchType is specified, the capacityProviderStrategy must be omitted.",
    fix="Keep the capacityProviderStrategy and drop launchType; only a strategy can use Spot or scale instances.",
    source="https://docs.aws.amazon.com/AmazonECS/latest/APIReference/API_CreateService.html",
    check=check,
    example=Example(
        file="service.json",
        bad="""
{
  "serviceName": "api", "taskDefinition": "api", "desiredCount": 2, "launchType": "FARGATE",
  "capacityProviderStrategy": [{"capacityProvider": "FARGATE_SPOT", "weight": 1}]
}
""",
        good="""
{
  "serviceName": "api", "taskDefinition": "api", "desiredCount": 2,
  "capacityProviderStrategy": [{"capacityProvider": "FARGATE_SPOT", "weight": 1}]
}
""",
    ),
)
