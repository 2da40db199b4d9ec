"""A health check that is happy with an error page."""

import re
from collections.abc import Iterator

from inferfleet.deploy.lint import kinds
from inferfleet.deploy.lint.rule import Example, Match, Rule, Severity, Workspace
from inferfleet.deploy.readers import dockerfile

_BARE_CURL = re.compile(r"\bcurl\b(?!.*(?:\s-\w*f|--fail))")


def check(world: Workspace) -> Iterator[Match]:
    """Finds HEALTHCHECKs that do not look at the HTTP status."""
    for artifact in world.of(kinds.DOCKERFILE):
        for item in dockerfile.read(artifact.node.excerpt).final:
            if item.name != "HEALTHCHECK":
                continue
            text = item.argument
            requests = "requests.get(" in text and not re.search(r"raise_for_status|status_code|\.ok\b", text)
            if requests or _BARE_CURL.search(text):
                yield Match(item.place, "this check passes on HTTP 500: nothing looks at the status")


RULE = Rule(
    severity=Severity.NOTE,
    title="The health check ignores the HTTP status",
    why="requests.get and curl without -f succeed whenever the server answers, and a 503 is an answer. ECS does not "
    "run "
    "an image's HEALTHCHECK at all; Docker does.",
    fix="Use curl -f, raise_for_status(), or urllib.request.urlopen, which raises by itself.",
    source="https://docs.docker.com/reference/dockerfile/#healthcheck",
    check=check,
    example=Example(
        file="Dockerfile",
        bad="FROM python:3.12-slim\nHEALTHCHECK CMD python -c \"import requests; requests.get('http://localhost:8080/')\"\n",
        good="FROM python:3.12-slim\nHEALTHCHECK CMD python -c "
        "\"import urllib.request as u; u.urlopen('http://localhost:8080/')\"\n",
    ),
)
