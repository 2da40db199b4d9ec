"""A HEALTHCHECK in the image, and none in the task definition."""

from collections.abc import Iterator

from inferfleet.deploy.lint import ecs, kinds
from inferfleet.deploy.lint.rule import Example, Match, Rule, Severity, Workspace
from inferfleet.deploy.readers import dockerfile


def check(world: Workspace) -> Iterator[Match]:
    """Finds Dockerfiles with a check whose task definition has none."""
    tasks = [task for task in ecs.tasks(world) if not task.excerpted]
    unchecked = tasks and not any(container["healthCheck"] for task in tasks for container in ecs.containers(task))
    for artifact in world.of(kinds.DOCKERFILE):
        for item in dockerfile.read(artifact.node.excerpt).final:
            if unchecked and item.name == "HEALTHCHECK" and item.argument.upper() != "NONE":
                yield Match(
                    item.place, f"ECS does not run this, and task definition {ecs.name_of(tasks[0])} has no healthCheck"
                )


RULE = Rule(
    severity=Severity.WARNING,
    title="ECS ignores the image's HEALTHCHECK",
    why="The agent runs only the health check of the container definition. Without one a hung container stays RUNNING "
    "and "
    "healthy for ever.",
    fix="Repeat the check as healthCheck in the container definition.",
    source="https://docs.aws.amazon.com/AmazonECS/latest/APIReference/API_HealthCheck.html",
    check=check,
    example=Example(
        file="task-definition.json",
        bad='{"family": "api", "memory": "2048", "containerDefinitions": [{"name": "api", "image": "api:1.4.0"}]}',
        good='{"family": "api", "memory": "2048", "containerDefinitions": [{"name": "api", "image": "api:1.4.0", '
        '"healthCheck": {"command": ["CMD", "/app/healthy"]}}]}',
        beside={"Dockerfile": 'FROM alpine:3.22\nHEALTHCHECK CMD /app/healthy\nCMD ["/app/serve"]\n'},
    ),
)
