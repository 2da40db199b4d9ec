"""A secret built into an image."""

import re
from collections.abc import Iterator

from inferfleet.deploy.lint import kinds
from inferfleet.deploy.lint.rule import Example, Match, Rule, Severity, Workspace
from inferfleet.deploy.readers import dockerfile

_SECRET = re.compile(r"\b(\w*(?:PASSWORD|SECRET|API_?KEY|ACCESS_KEY|TOKEN))(?:=|\s+)(\S+)", re.IGNORECASE)


def check(world: Workspace) -> Iterator[Match]:
    """Finds ENV and ARG with the name of a secret and a value."""
    for artifact in world.of(kinds.DOCKERFILE):
        for item in dockerfile.read(artifact.node.excerpt).instructions:
            matched = _SECRET.search(item.argument) if item.name in ("ENV", "ARG") else None
            if matched and "$" not in matched[2]:
                yield Match(item.place, f"{matched[1]} is kept in the image's history, for everyone who can pull it")


RULE = Rule(
    severity=Severity.WARNING,
    title="A secret in the image",
    why="ENV and ARG are stored in the image's configuration and layers, and docker history shows them.",
    fix="Use RUN --mount=type=secret while building, and `secrets` of the container definition while running.",
    source="https://docs.docker.com/build/building/secrets/",
    check=check,
    example=Example(
        file="Dockerfile",
        bad='FROM python:3.12-slim\nENV HF_TOKEN=hf_abcdefghijklmnop\nCMD ["python", "-m", "app"]\n',
        good='FROM python:3.12-slim\nRUN --mount=type=secret,id=hf_token python -m app.fetch\nCMD ["python", "-m", '
        '"app"]\n',
    ),
)
