"""A Fargate task without awsvpc."""

from collections.abc import Iterator

from inferfleet.deploy.lint import ecs
from inferfleet.deploy.lint.rule import Example, Match, Rule, Severity, Workspace


def check(world: Workspace) -> Iterator[Match]:
    """Finds Fargate task definitions with another network mode."""
    for task in ecs.tasks(world):
        mode = task.node["networkMode"]
        if ecs.on_fargate(task, world) and not task.excerpted and mode.text != "awsvpc" and (mode.known or not mode):
            has = f"has networkMode {mode.text}" if mode else "has no networkMode, which means bridge"
            yield Match((mode or task.node).place, f"task definition {ecs.name_of(task)} {has}; Fargate needs awsvpc")


RULE = Rule(
    severity=Severity.ERROR,
    title="Fargate needs awsvpc",
    why="RegisterTaskDefinition refuses every other network mode for Fargate, and the default is bridge.",
    fix='Set "networkMode": "awsvpc".',
    source="https://docs.aws.amazon.com/AmazonECS/latest/developerguide/fargate-tasks-services.html",
    check=check,
    example=Example(
        file="task-definition.json",
        bad='{"family": "api", "requiresCompatibilities": ["FARGATE"], "cpu": "1024", "memory": "2048", '
        '"containerDefinitions": [{"name": "api", "image": "api:1.4.0"}]}',
        good='{"family": "api", "networkMode": "awsvpc", "requiresCompatibilities": ["FARGATE"], "cpu": "1024", '
        '"memory": "2048", "containerDefinitions": [{"name": "api", "image": "api:1.4.0"}]}',
    ),
)
