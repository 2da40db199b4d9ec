"""The project's own files among those that are checked: `fleet.yaml` and `cameras.yaml`.

A fleet is checked twice: as it is written, and as the files that it stands for, with every rule there is. What is found
in those is told at the service of the fleet that it comes from.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from inferfleet.config import base, fleet_env, source
from inferfleet.config.base import Model
from inferfleet.config.fleet import FleetFile
from inferfleet.config.source import KeyPath, Place
from inferfleet.deploy.lint import kinds
from inferfleet.deploy.lint.document import Artifact
from inferfleet.deploy.lint.node import Node
from inferfleet.deploy.lint.workspace import Workspace
from inferfleet.errors import InputError

_LINE = re.compile(r"^(?P<file>.*?):(?P<line>\d+):(?P<column>\d+): ?(?P<message>.*)$")


@dataclass(frozen=True)
class Loaded:
    """A fleet.yaml that is as it should be.

    Attributes:
        fleet: What it says.
        node: Where it says it.
        folder: The folder that it is in; None for one that is not on disk.
    """

    fleet: FleetFile
    node: Node
    folder: Path | None

    def place(self, path: KeyPath) -> Place:
        """Where a value stands."""
        return self.node.find(path).place


def loaded(world: Workspace) -> list[Loaded]:
    """Returns the fleets that are valid."""
    found = []
    for artifact in _whole(world, kinds.FLEET):
        fleet, _ = _read(artifact, FleetFile)
        if isinstance(fleet, FleetFile):
            path = Path(artifact.document.source.file)
            found.append(Loaded(fleet, artifact.node, path.parent if path.is_file() else None))
    return found


def mistakes(world: Workspace, kind: str, model: type[Model]) -> Iterator[tuple[Place, str]]:
    """Yields what a model says against the files of a kind, place by place."""
    for artifact in _whole(world, kind):
        for line in _read(artifact, model)[1]:
            matched = _LINE.match(line)
            if matched:
                yield Place(matched["file"], int(matched["line"]), int(matched["column"])), matched["message"]
            else:
                yield artifact.place, line


def _whole(world: Workspace, kind: str) -> list[Artifact]:
    """The files of a kind; what a guide shows of one is cut short on purpose."""
    return [artifact for artifact in world.of(kind) if artifact.document.kind == "yaml"]


def _read(artifact: Artifact, model: type[Model]) -> tuple[Model | None, list[str]]:
    text, file = artifact.document.source.text, artifact.document.source.file
    return _parsed(text, file, model)


@cache
def _parsed(text: str, file: str, model: type[Model]) -> tuple[Model | None, list[str]]:
    try:
        environment = {**fleet_env.beside(Path(file)), **os.environ}
        return base.validate(source.parse(text, file, environment), model), []
    except InputError as error:
        return None, str(error).splitlines()


def as_files(fleet: Loaded) -> dict[str, str]:
    """Returns the files that a fleet stands for, by name; the first folder of a name is the service's."""
    from inferfleet.deploy import render, resolve

    resolved, problems = resolve.examine(fleet.fleet)
    if problems or not any(service.target != "eks" for service in resolved.services):
        return {}
    try:
        return render.files(resolved, render.Format.ECS, fleet.folder)
    except InputError:
        return {}
