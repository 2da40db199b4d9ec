"""Several worker processes, each with a model of its own."""

import re
from collections.abc import Iterator

from inferfleet.deploy.lint import kinds
from inferfleet.deploy.lint.rule import Example, Match, Rule, Severity, Workspace
from inferfleet.deploy.readers import dockerfile

_WORKERS = re.compile(r"(?:gunicorn|uvicorn).*?(?:--workers|-w)[\"',\s=]+(\d+)")
_FRAMEWORK = re.compile(r"^(torch|tensorflow|onnxruntime|ultralytics|paddlepaddle)\b", re.MULTILINE)


def check(world: Workspace) -> Iterator[Match]:
    """Finds commands with more than one worker beside requirements with a model framework."""
    for artifact in world.of(kinds.DOCKERFILE):
        beside = [item for item in world.of(kinds.REQUIREMENTS) if item.document is artifact.document]
        frameworks = [
            m[1] for item in beside or world.of(kinds.REQUIREMENTS) for m in _FRAMEWORK.finditer(item.node.text)
        ]
        for item in dockerfile.read(artifact.node.excerpt).final:
            matched = _WORKERS.search(item.argument) if item.name in ("CMD", "ENTRYPOINT") else None
            if matched and int(matched[1]) > 1 and frameworks and "--preload" not in item.argument:
                yield Match(
                    item.place,
                    f"{matched[1]} workers load the {frameworks[0]} model {matched[1]} times, and each keeps its own "
                    "/metrics",
                )


RULE = Rule(
    severity=Severity.WARNING,
    title="A model in every worker process",
    why="Workers share nothing: each holds the weights, each competes for the same cores, and a scrape of /metrics "
    "sees "
    "one of them by chance.",
    fix="Run one process with threads or batching per task, and scale by tasks.",
    source="https://docs.gunicorn.org/en/stable/design.html",
    check=check,
    example=Example(
        file="Dockerfile",
        bad='FROM python:3.12-slim\nCMD ["gunicorn", "--workers", "4", "app:app"]\n',
        good='FROM python:3.12-slim\nCMD ["gunicorn", "--workers", "1", "--threads", "4", "app:app"]\n',
        beside={"requirements.txt": "torch==2.8.0\ngunicorn==23.0.0\n"},
    ),
)
