"""The configuration of a service: what its cameras.yaml or serve.yaml says, and how it travels to the container.

On ECS it goes along in the task definition, as an environment variable (see `config.inline`). The variables that it
refers to and that are set where the fleet is deployed go along with it, so that the container reads what was validated
here; secrets do not, they are filled in by ECS.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from pathlib import Path

from inferfleet.config import base, fleet_env, inline, source
from inferfleet.config.cameras import CamerasFile
from inferfleet.config.serve import ServeFile
from inferfleet.config.sources import FileSource, ImagesSource
from inferfleet.deploy.resolve import ResolvedService
from inferfleet.errors import InputError

MOST_CHARACTERS = 49_152
"""A task definition has at most 64 KiB; the rest of it needs some."""

_SECRET = "a-secret"


def read(service: ResolvedService, folder: Path | None) -> CamerasFile | ServeFile | None:
    """Reads the file that `config` names, with the variables that its container will have.

    Args:
        service: The service.
        folder: The folder of the fleet.yaml; without it nothing is read.

    Returns:
        The configuration; None when the service has none, or one that is not ours.

    Raises:
        InputError: It cannot be read, or holds mistakes.
    """
    if service.spec.config is None or folder is None or service.spec.kind == "container":
        return None
    path = folder / service.spec.config
    document = source.load(path, _environment(service, path))
    if service.spec.kind == "streams":
        return base.validate(document, CamerasFile)
    return base.validate(document, ServeFile)


def variables(service: ResolvedService, folder: Path | None) -> dict[str, str]:
    """Returns the environment variables that carry a service's configuration.

    Args:
        service: The service.
        folder: The folder of the fleet.yaml; without it there are none.

    Raises:
        InputError: It cannot be read, it is too large to go along in a task definition, or it names files of this
            machine.
    """
    if service.spec.config is None or folder is None:
        return {}
    path = folder / service.spec.config
    left_behind = list(_local_files(read(service, folder)))
    if left_behind:
        raise InputError(
            f"{path}: {left_behind[0]} is looked for beside the configuration, and only the configuration itself goes "
            f"to the container of services.{service.key}; copy the file into the image and write its whole path, or "
            "use s3:// or https://"
        )
    asked = _Asked(_environment(service, path))
    _look(path, asked, service)
    given = set(service.environment) | set(service.spec.secrets)
    carried = {name: asked[name] for name in sorted(asked.names - given)}
    packed = inline.pack(path.read_text())
    if len(packed) > MOST_CHARACTERS:
        raise InputError(
            f"{path}: {len(packed)} characters when packed, and a task definition has room for {MOST_CHARACTERS}; "
            f"copy it into the image, set CONFIG_FILE in services.{service.key}.environment, and remove `config`"
        )
    return carried | {inline.VARIABLE: packed}


def _local_files(configured: CamerasFile | ServeFile | None) -> Iterator[str]:
    """Yields the files that a configuration names by a path that begins at its own folder."""
    if configured is None:
        return
    for name, model in configured.models.items():
        if "://" not in model.path and not model.path.startswith(("zoo:", "/")):
            yield f"the model {name!r} ({model.path})"
    for camera in configured.cameras if isinstance(configured, CamerasFile) else ():
        if isinstance(camera.source, FileSource | ImagesSource) and not camera.source.path.is_absolute():
            yield f"the source of camera {camera.id!r} ({camera.source.path})"


def _look(path: Path, asked: _Asked, service: ResolvedService) -> None:
    """Reads only to learn which variables are asked for; a container's configuration need not even be YAML."""
    try:
        source.load(path, asked)
    except InputError:
        if service.spec.kind != "container" or not path.is_file():
            raise


def _environment(service: ResolvedService, path: Path) -> dict[str, str]:
    """What the container's variables will be, as far as it is known here."""
    secrets = dict.fromkeys(service.spec.secrets, _SECRET)
    return {**fleet_env.beside(path), **os.environ, **service.environment, **secrets}


class _Asked(Mapping[str, str]):
    """Variables that remember which of them were found."""

    def __init__(self, values: Mapping[str, str]) -> None:
        self._values = values
        self.names: set[str] = set()

    def __getitem__(self, name: str) -> str:
        value = self._values[name]
        self.names.add(name)
        return value

    def __iter__(self) -> Iterator[str]:
        return iter(self._values)

    def __len__(self) -> int:
        return len(self._values)
