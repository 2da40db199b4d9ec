"""Waiting for a stable service, and taking that for a deployment that worked."""

from collections.abc import Iterator

from inferfleet.deploy.lint.rule import Example, Match, Rule, Severity, Workspace


def check(world: Workspace) -> Iterator[Match]:
    """Finds waits for services-stable that nothing checks afterwards."""
    for document in world.scripts:
        asks = any(
            call.operation in ("DescribeServiceDeployments", "ListServiceDeployments") for call in document.script.calls
        )
        for call in document.script.calls:
            waits = call.service == "ecs" and call.operation == "wait" and "services-stable" in call.command.texts
            if waits and not asks:
                yield Match(call.place, "this also passes after a rollback, and gives up after 10 minutes")


RULE = Rule(
    severity=Severity.WARNING,
    title="A stable service is not a deployed one",
    why="services-stable asks whether one deployment is left and running. After the circuit breaker rolled back that "
    "is "
    "true. It also gives up after 40 tries of 15 seconds, which a GPU instance that must start first exceeds.",
    fix="Ask for the outcome: aws ecs list-service-deployments, then describe-service-deployments, and look for "
    "SUCCESSFUL.",
    source="https://docs.aws.amazon.com/cli/latest/reference/ecs/wait/services-stable.html",
    check=check,
    example=Example(
        file="deploy.sh",
        bad="aws ecs update-service --cluster vision --service api --force-new-deployment\n"
        "aws ecs wait services-stable --cluster vision --services api\n",
        good="aws ecs update-service --cluster vision --service api --force-new-deployment\n"
        "aws ecs wait services-stable --cluster vision --services api\n"
        "aws ecs list-service-deployments --cluster vision --service api --status SUCCESSFUL --max-results 1\n",
    ),
)
