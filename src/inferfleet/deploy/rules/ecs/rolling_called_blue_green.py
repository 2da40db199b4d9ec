"""A rolling update under the name of a blue/green deployment."""

import re
from collections.abc import Iterator

from inferfleet.deploy.lint import kinds
from inferfleet.deploy.lint.rule import Example, Match, Rule, Severity, Workspace

_NAME = re.compile(r"blue.?green", re.IGNORECASE)


def check(world: Workspace) -> Iterator[Match]:
    """Finds update-service calls in a section on blue/green that set no strategy."""
    for document in world.scripts:
        for call in document.script.call(kinds.SERVICE_UPDATE):
            title = _NAME.search(call.command.heading) or _NAME.search(document.heading_above(call.place.line, "#"))
            configuration = call.params["deploymentConfiguration"]
            if title and configuration and not configuration["strategy"]:
                yield Match(
                    configuration.place,
                    "this is a rolling update: without strategy=BLUE_GREEN there is no second environment and no "
                    "switch back",
                )


RULE = Rule(
    severity=Severity.WARNING,
    title="A rolling update called blue/green",
    why="maximumPercent and minimumHealthyPercent steer a rolling update: old and new tasks take traffic together and "
    "a "
    "rollback is another rollout. ECS's blue/green shifts traffic between two target groups and back at once.",
    fix="Set strategy=BLUE_GREEN with bakeTimeInMinutes, and an alternate target group in the load balancer's "
    "advancedConfiguration.",
    source="https://docs.aws.amazon.com/AmazonECS/latest/developerguide/deployment-type-blue-green.html",
    check=check,
    example=Example(
        file="guide.md",
        bad="""
## Blue/Green deployment

```bash
aws ecs update-service --cluster vision --service api \\
  --deployment-configuration "maximumPercent=200,minimumHealthyPercent=100"
```
""",
        good="""
## Blue/Green deployment

```bash
aws ecs update-service --cluster vision --service api \\
  --deployment-configuration "strategy=BLUE_GREEN,bakeTimeInMinutes=10"
```
""",
    ),
)
