"""A capacity provider strategy whose numbers place no task, or that ECS refuses."""

from collections.abc import Iterator

from inferfleet.deploy.lint import ecs
from inferfleet.deploy.lint.rule import Example, Match, Rule, Severity, Workspace


def check(world: Workspace) -> Iterator[Match]:
    """Finds strategies with weight nowhere, and with more than one base."""
    for service in ecs.services(world):
        items = [item for item in service.node["capacityProviderStrategy"] if item.is_mapping]
        weights = [item["weight"].number or 0 for item in items]
        bases = [item for item in items if item["base"].number]
        if len(items) > 1 and not any(weights):
            yield Match(
                items[0].place, f"service {ecs.name_of(service)}: every weight is 0, so no provider takes a task"
            )
        if len(bases) > 1:
            message = f"service {ecs.name_of(service)}: {len(bases)} providers have a base, and one may"
            yield Match(bases[1]["base"].place, message)


RULE = Rule(
    severity=Severity.ERROR,
    title="Weights or bases that ECS refuses",
    why="With several providers at least one weight must be above 0, and only one provider may have a base.",
    fix="Give the provider that should carry the minimum the base, and weights to those that share the rest.",
    source="https://docs.aws.amazon.com/AmazonECS/latest/APIReference/API_CapacityProviderStrategyItem.html",
    check=check,
    example=Example(
        file="service.json",
        bad="""
{"serviceName": "api", "taskDefinition": "api", "desiredCount": 4, "capacityProviderStrategy": [
  {"capacityProvider": "FARGATE", "base": 1, "weight": 1},
  {"capacityProvider": "FARGATE_SPOT", "base": 1, "weight": 4}]}
""",
        good="""
{"serviceName": "api", "taskDefinition": "api", "desiredCount": 4, "capacityProviderStrategy": [
  {"capacityProvider": "FARGATE", "base": 1, "weight": 1}, {"capacityProvider": "FARGATE_SPOT", "weight": 4}]}
""",
    ),
)
