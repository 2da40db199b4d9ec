"""A container health check that ECS refuses."""

from collections.abc import Iterator

from inferfleet.deploy.lint import ecs
from inferfleet.deploy.lint.rule import Example, Match, Rule, Severity, Workspace

_LIMITS = {"interval": (5, 300), "timeout": (2, 60), "retries": (1, 10), "startPeriod": (0, 300)}


def check(world: Workspace) -> Iterator[Match]:
    """Finds commands without CMD or CMD-SHELL, and numbers outside of ECS's limits."""
    for task in ecs.tasks(world):
        for container in ecs.containers(task):
            health = container["healthCheck"]
            command = health["command"]
            if command and command.texts()[:1] not in (["CMD"], ["CMD-SHELL"]) and command[0].known:
                yield Match(
                    command.place, f"the health check of {container['name'].text} must start with CMD or CMD-SHELL"
                )
            for key, (low, high) in _LIMITS.items():
                number = health[key].number
                if number is not None and not low <= number <= high:
                    yield Match(health[key].place, f"health check {key} is {low} to {high}, not {number:g}")


RULE = Rule(
    severity=Severity.ERROR,
    title="A health check that ECS refuses",
    why="The command begins with CMD or CMD-SHELL; interval is 5 to 300 s, timeout 2 to 60 s, retries 1 to 10 and "
    "startPeriod at most 300 s.",
    fix='Write ["CMD-SHELL", "…"], and give a model that loads for longer than 300 s more retries.',
    source="https://docs.aws.amazon.com/AmazonECS/latest/APIReference/API_HealthCheck.html",
    check=check,
    example=Example(
        file="task-definition.json",
        bad='{"family": "api", "memory": "2048", "containerDefinitions": [{"name": "api", "image": "api:1.4.0", '
        '"healthCheck": {"command": ["/app/healthy"], "startPeriod": 600}}]}',
        good='{"family": "api", "memory": "2048", "containerDefinitions": [{"name": "api", "image": "api:1.4.0", '
        '"healthCheck": {"command": ["CMD", "/app/healthy"], "startPeriod": 300}}]}',
    ),
)
