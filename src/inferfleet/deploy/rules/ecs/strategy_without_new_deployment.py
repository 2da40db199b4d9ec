"""A new capacity provider strategy that moves no running task."""

from collections.abc import Iterator

from inferfleet.deploy.lint import kinds
from inferfleet.deploy.lint.rule import Example, Match, Rule, Severity, Workspace


def check(world: Workspace) -> Iterator[Match]:
    """Finds strategy updates without a new deployment."""
    for call in world.calls(kinds.SERVICE_UPDATE):
        strategy, forced = call.params["capacityProviderStrategy"], call.params["forceNewDeployment"]
        if strategy and not forced.is_true and not call.params["taskDefinition"]:
            service = call.params["service"].text
            yield Match(
                strategy.place,
                f"service {service} keeps its tasks where they are: a new strategy starts no deployment. Add "
                "--force-new-deployment",
            )


RULE = Rule(
    severity=Severity.WARNING,
    title="A new strategy without a new deployment",
    why="In UpdateService the capacityProviderStrategy does not trigger a deployment, so running tasks stay where they "
    "are. A service that had a launch type keeps it until it is deployed again.",
    fix="Add --force-new-deployment.",
    source="https://docs.aws.amazon.com/AmazonECS/latest/APIReference/API_UpdateService.html",
    check=check,
    example=Example(
        file="spot.sh",
        bad="""
aws ecs update-service --cluster vision --service api \\
  --capacity-provider-strategy capacityProvider=FARGATE,weight=1,base=1 capacityProvider=FARGATE_SPOT,weight=4
""",
        good="""
aws ecs update-service --cluster vision --service api --force-new-deployment \\
  --capacity-provider-strategy capacityProvider=FARGATE,weight=1,base=1 capacityProvider=FARGATE_SPOT,weight=4
""",
    ),
)
