"""A rolling deployment that may neither start nor stop a task."""

import math
from collections.abc import Iterator

from inferfleet.deploy.lint import ecs
from inferfleet.deploy.lint.rule import Example, Match, Rule, Severity, Workspace


def check(world: Workspace) -> Iterator[Match]:
    """Finds percentages that leave a deployment no step."""
    for service in ecs.services(world):
        configuration = service.node["deploymentConfiguration"]
        desired = service.node["desiredCount"].number or 1
        low, high = ecs.percentages(service)
        daemon = service.node["schedulingStrategy"].text == "DAEMON"
        if configuration["strategy"].text in ("", "ROLLING") and not daemon and configuration["maximumPercent"]:
            may_start = math.floor(desired * high / 100) - desired
            may_stop = desired - math.ceil(desired * low / 100)
            if may_start <= 0 and may_stop <= 0:
                yield Match(
                    configuration["maximumPercent"].place,
                    f"service {ecs.name_of(service)}: with {low:g}%/{high:g}% of {desired:g} no task may be started "
                    "and none stopped, so a deployment never moves",
                )


RULE = Rule(
    severity=Severity.WARNING,
    title="A rolling deployment that can never move",
    why="The upper limit is rounded down and the lower limit up. When both equal the desired count, the scheduler may "
    "do nothing.",
    fix="Raise maximumPercent so that one more task may start, or lower minimumHealthyPercent so that one may stop.",
    source="https://docs.aws.amazon.com/AmazonECS/latest/developerguide/deployment-type-ecs.html",
    check=check,
    example=Example(
        file="service.json",
        bad="""
{"serviceName": "api", "taskDefinition": "api", "desiredCount": 3,
 "deploymentConfiguration": {"minimumHealthyPercent": 100, "maximumPercent": 100}}
""",
        good="""
{"serviceName": "api", "taskDefinition": "api", "desiredCount": 3,
 "deploymentConfiguration": {"minimumHealthyPercent": 100, "maximumPercent": 200}}
""",
    ),
)
