"""A task in which no container is essential."""

from collections.abc import Iterator

from inferfleet.deploy.lint import ecs
from inferfleet.deploy.lint.rule import Example, Match, Rule, Severity, Workspace


def check(world: Workspace) -> Iterator[Match]:
    """Finds task definitions whose containers are all inessential."""
    for task in ecs.tasks(world):
        containers = ecs.containers(task)
        if containers and all(container["essential"].text == "false" for container in containers):
            yield Match(
                containers[0]["essential"].place, f"no container of {ecs.name_of(task)} is essential; one must be"
            )


RULE = Rule(
    severity=Severity.ERROR,
    title="No essential container",
    why="A task lives as long as its essential containers. RegisterTaskDefinition refuses one that has none.",
    fix="Mark the container that does the work as essential.",
    source="https://docs.aws.amazon.com/AmazonECS/latest/APIReference/API_ContainerDefinition.html",
    check=check,
    example=Example(
        file="task-definition.json",
        bad='{"family": "api", "memory": "2048", "containerDefinitions": '
        '[{"name": "api", "image": "api:1.4.0", "essential": false}]}',
        good='{"family": "api", "memory": "2048", "containerDefinitions": '
        '[{"name": "api", "image": "api:1.4.0", "essential": true}]}',
    ),
)
