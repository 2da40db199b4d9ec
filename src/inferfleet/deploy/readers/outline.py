"""Reads what a guide says about a file that it does not show.

Guides describe a task definition as a list of properties under a heading that names the file:

    ### 1. ECS Task Definition (`ecs-task-def.json`)
    - **Memory:** 16384 MB (16 GB)

That is as much a statement as the JSON itself, so it is read as an excerpt of it, with the place of each line.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator
from typing import Any

from inferfleet.deploy.lint import kinds
from inferfleet.deploy.lint.document import Artifact, Document
from inferfleet.deploy.lint.excerpt import Excerpt
from inferfleet.deploy.lint.node import Node

_FILE = re.compile(r"`?([\w./-]+\.(?:json|ya?ml))`?")
_PROPERTY = re.compile(r"^\s*[-*]\s+(?:\W+\s)?\*\*(?P<label>[^*:]+):?\*\*:?\s*(?P<value>.*)$")
_PLAIN = re.compile(r"^\s*[-*]\s+(?P<label>CPU|Memory|GPU|Instance type):\s*(?P<value>.*)$", re.IGNORECASE)
_VOLUME = re.compile(r"`(?P<host>/[^`]+)`\s*(?:→|->)\s*`(?P<container>/[^`]+)`(?P<rest>.*)")
_FEATURE = re.compile(r"^\s*[-*]\s+\W*(?P<what>ECS Exec|Container Insights)\b.*\benabled", re.IGNORECASE)

Path = tuple[str | int, ...]
Setter = Callable[[str], Iterable[tuple[Path, Any]]]
_END = -1
"""In a path: the item after the last."""


def file_in(heading: str) -> str:
    """Returns the file that a heading names; empty when it names none."""
    matched = _FILE.search(heading)
    return matched[1].rsplit("/", 1)[-1] if matched else ""


def artifacts(document: Document) -> Iterator[Artifact]:
    """Yields the task definitions and services that a guide describes."""
    for index, (line, heading) in enumerate(document.headings):
        name = file_in(heading)
        kind = _kind(name)
        if not kind:
            continue
        end = _section_end(document, index)
        members = _members(document, line, end, _TASK if kind == kinds.TASK_DEFINITION else _SERVICE)
        if members:
            excerpt = document.source.excerpt()
            node = Node(members, excerpt, document.source.line_starts[line - 1])
            yield Artifact(kind, node, document, name=name, excerpted=True)


def _kind(name: str) -> str:
    if re.search(r"task[-_]?def", name):
        return kinds.TASK_DEFINITION
    return kinds.SERVICE if re.search(r"(^|[-_])service\.", name) else ""


def _section_end(document: Document, index: int) -> int:
    """Where the section ends: at the next heading that is not one of its own sub-titles in bold."""
    for line, _ in document.headings[index + 1 :]:
        if document.source.line(line).startswith("#"):
            return line
    return len(document.source.line_starts) + 1


def _members(document: Document, start: int, end: int, setters: dict[str, Setter]) -> dict[str, Node]:
    excerpt = document.source.excerpt()
    members: dict[str, Node] = {}
    for number, text in document.prose:
        if not start < number < end:
            continue
        offset = document.source.line_starts[number - 1] + len(text) - len(text.lstrip())
        for path, value in _statements(text, setters):
            _put(members, path, value, excerpt, offset)
    return members


def _statements(text: str, setters: dict[str, Setter]) -> Iterator[tuple[Path, Any]]:
    volume, feature, matched = _VOLUME.search(text), _FEATURE.search(text), _PROPERTY.match(text) or _PLAIN.match(text)
    if volume and setters is _TASK:
        name = volume["host"].rsplit("/", 1)[-1]
        yield ("volumes", _END), {"name": name, "host": {"sourcePath": volume["host"]}}
        mount = {"sourceVolume": name, "containerPath": volume["container"]}
        yield ("containerDefinitions", 0, "mountPoints", _END), {**mount, "readOnly": "read-only" in volume["rest"]}
    elif feature and setters is _SERVICE and feature["what"].lower() == "ecs exec":
        yield ("enableExecuteCommand",), True
    elif matched:
        setter = setters.get(matched["label"].strip().lower())
        if setter is not None:
            yield from setter(matched["value"].strip())


def _put(members: dict[str, Node], path: Path, value: Any, excerpt: Excerpt, offset: int) -> None:
    """Sets a value, making the mappings and lists on the way."""

    def build(plain: Any) -> Node:
        if isinstance(plain, dict):
            return Node({key: build(child) for key, child in plain.items()}, excerpt, offset)
        if isinstance(plain, list):
            return Node([build(child) for child in plain], excerpt, offset)
        return Node(plain, excerpt, offset)

    current: Any = members
    for index, key in enumerate(path):
        last = index == len(path) - 1
        empty: Any = [] if not last and path[index + 1] in (0, _END) else {}
        if isinstance(current, list):
            if key == _END or not current:
                current.append(build(value if last else empty))
            current = current[-1].value
        else:
            if last:
                current[key] = build(value)
                return
            current = current.setdefault(key, build(empty)).value


def _number(*path: str | int, text: bool = False) -> Setter:
    def read(value: str) -> Iterator[tuple[Path, Any]]:
        matched = re.search(r"\d+", value.replace(",", ""))
        if matched:
            yield path, matched[0] if text else int(matched[0])

    return read


def _word(*path: str | int, upper: bool = False) -> Setter:
    def read(value: str) -> Iterator[tuple[Path, Any]]:
        matched = re.search(r"`([^`]+)`|([\w.*-]+)", value)
        word = (matched[1] or matched[2]) if matched else ""
        if word:
            yield path, word.upper() if upper else word

    return read


def _gpu(value: str) -> Iterator[tuple[Path, Any]]:
    matched = re.search(r"\d+", value)
    if matched:
        yield ("containerDefinitions", 0, "resourceRequirements"), [{"type": "GPU", "value": matched[0]}]


def _health_check(value: str) -> Iterator[tuple[Path, Any]]:
    matched = re.search(r"`([^`]+)`", value)
    if matched:
        yield ("containerDefinitions", 0, "healthCheck"), {"command": ["CMD-SHELL", matched[1]]}


def _instance_type(value: str) -> Iterator[tuple[Path, Any]]:
    matched = re.search(r"`([\w.*]+)`", value)
    if matched:
        yield (
            ("placementConstraints", _END),
            {
                "type": "memberOf",
                "expression": f"attribute:ecs.instance-type =~ {matched[1]}",
            },
        )


_TASK: dict[str, Setter] = {
    "family": _word("family"),
    "network mode": _word("networkMode"),
    "compatibility": _word("requiresCompatibilities", _END, upper=True),
    "cpu": _number("cpu", text=True),
    "memory": _number("memory", text=True),
    "gpu": _gpu,
    "image": _word("containerDefinitions", 0, "image"),
    "health check": _health_check,
    "instance type": _instance_type,
}
_SERVICE: dict[str, Setter] = {
    "service name": _word("serviceName"),
    "launch type": _word("launchType", upper=True),
    "desired count": _number("desiredCount"),
    "scheduling strategy": _word("schedulingStrategy", upper=True),
    "maximum percent": _number("deploymentConfiguration", "maximumPercent"),
    "minimum healthy percent": _number("deploymentConfiguration", "minimumHealthyPercent"),
}
