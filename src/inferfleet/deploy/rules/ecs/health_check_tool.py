"""A container health check that runs a program which the image does not have."""

import re
from collections.abc import Iterator

from inferfleet.deploy.lint import ecs, kinds
from inferfleet.deploy.lint.document import Artifact
from inferfleet.deploy.lint.rule import Example, Match, Rule, Severity, Workspace
from inferfleet.deploy.readers import dockerfile

# What small base images leave out. https://hub.docker.com/_/python (slim), https://hub.docker.com/_/alpine
_LACKS = {
    "curl": re.compile(r"slim|alpine|distroless|scratch|busybox|ubuntu|debian|cuda"),
    "wget": re.compile(r"slim|distroless|scratch|ubuntu|debian|cuda"),
}


def check(world: Workspace) -> Iterator[Match]:
    """Finds health checks with curl or wget where the Dockerfile at hand installs neither."""
    for task in ecs.tasks(world):
        files = [item for item in world.of(kinds.DOCKERFILE) if item.document is task.document]
        files = files or world.of(kinds.DOCKERFILE)
        if len(files) != 1:
            continue
        for container in ecs.containers(task):
            command = container["healthCheck"]["command"]
            for tool, lacking in _LACKS.items():
                if re.search(rf"\b{tool}\b", " ".join(command.texts())) and _without(files[0], tool, lacking):
                    base = dockerfile.read(files[0].node.excerpt).final_base
                    yield Match(
                        command.place,
                        f"the health check of {container['name'].text} runs {tool}, which {base} does not have and the "
                        "Dockerfile does not install: the task is never healthy and is replaced for ever",
                    )


def _without(file: Artifact, tool: str, lacking: re.Pattern[str]) -> bool:
    image = dockerfile.read(file.node.excerpt)
    installs = any(item.name == "RUN" and re.search(rf"\b{tool}\b", item.argument) for item in image.final)
    return bool(lacking.search(image.final_base)) and not installs


RULE = Rule(
    severity=Severity.WARNING,
    title="The health check's program is not in the image",
    why="The check runs inside the container. A missing program is a failed check, and ECS replaces the task after the "
    "last retry, for ever.",
    fix='Use what the image has: python -c "import urllib.request as u; '
    "u.urlopen('http://localhost:8080/healthz')\", or "
    "install the program.",
    source="https://docs.aws.amazon.com/AmazonECS/latest/APIReference/API_HealthCheck.html",
    check=check,
    example=Example(
        file="task-definition.json",
        bad="""
{"family": "api", "memory": "2048", "containerDefinitions": [{"name": "api", "image": "api:1.4.0",
 "healthCheck": {"command": ["CMD-SHELL", "curl -f http://localhost:8080/healthz || exit 1"]}}]}
""",
        good="""
{"family": "api", "memory": "2048", "containerDefinitions": [{"name": "api", "image": "api:1.4.0",
 "healthCheck": {"command": ["CMD", "python", "-c",
   "import urllib.request as u; u.urlopen('http://localhost:8080/healthz', timeout=3)"]}}]}
""",
        beside={"Dockerfile": 'FROM python:3.12-slim\nCOPY app /app\nCMD ["python", "-m", "app"]\n'},
    ),
)
