"""A command in shell form, which never hears that it should stop."""

from collections.abc import Iterator

from inferfleet.deploy.lint import kinds
from inferfleet.deploy.lint.rule import Example, Match, Rule, Severity, Workspace
from inferfleet.deploy.readers import dockerfile


def check(world: Workspace) -> Iterator[Match]:
    """Finds CMD and ENTRYPOINT in shell form."""
    for artifact in world.of(kinds.DOCKERFILE):
        commands = [item for item in dockerfile.read(artifact.node.excerpt).final if item.name in ("CMD", "ENTRYPOINT")]
        for item in commands[-1:]:
            if item.argument and not item.argument.startswith("[") and not item.argument.startswith("exec "):
                yield Match(item.place, f"{item.name} in shell form runs under /bin/sh, which does not pass SIGTERM on")


RULE = Rule(
    severity=Severity.WARNING,
    title="SIGTERM does not reach the application",
    why="ECS stops a task with SIGTERM and 30 seconds later with SIGKILL. In shell form the shell gets the signal and "
    "keeps "
    "it, so every stop takes the full time and drops what was in flight.",
    fix='Use the exec form, CMD ["program", "argument"].',
    source="https://docs.docker.com/reference/dockerfile/#shell-and-exec-form",
    check=check,
    example=Example(
        file="Dockerfile",
        bad="FROM python:3.12-slim\nCMD python -m app\n",
        good='FROM python:3.12-slim\nCMD ["python", "-m", "app"]\n',
    ),
)
