"""A capacity provider strategy that mixes Fargate with instances."""

from collections.abc import Iterator

from inferfleet.deploy.lint import ecs
from inferfleet.deploy.lint.rule import Example, Match, Rule, Severity, Workspace


def check(world: Workspace) -> Iterator[Match]:
    """Finds strategies with Fargate's providers beside others."""
    for service in ecs.services(world):
        strategy = service.node["capacityProviderStrategy"]
        names = [item["capacityProvider"] for item in strategy if item["capacityProvider"].known]
        fargate = [name for name in names if name.text.startswith("FARGATE")]
        others = [name for name in names if not name.text.startswith("FARGATE")]
        if fargate and others:
            message = f"service {ecs.name_of(service)} mixes {fargate[0].text} with {others[0].text} in one strategy"
            yield Match(others[0].place, message)


RULE = Rule(
    severity=Severity.ERROR,
    title="Fargate and instances in one strategy",
    why="A strategy holds providers of one type: Fargate's, Auto Scaling groups, or Managed Instances. CreateService "
    "refuses a mixture.",
    fix="Use one type a service; two services behind one load balancer can share the work.",
    source="https://docs.aws.amazon.com/AmazonECS/latest/developerguide/cluster-capacity-providers.html",
    check=check,
    example=Example(
        file="service.json",
        bad="""
{"serviceName": "api", "taskDefinition": "api", "desiredCount": 4, "capacityProviderStrategy": [
  {"capacityProvider": "FARGATE", "weight": 1}, {"capacityProvider": "gpu-instances", "weight": 1}]}
""",
        good="""
{"serviceName": "api", "taskDefinition": "api", "desiredCount": 4, "capacityProviderStrategy": [
  {"capacityProvider": "FARGATE", "weight": 1}, {"capacityProvider": "FARGATE_SPOT", "weight": 1}]}
""",
    ),
)
