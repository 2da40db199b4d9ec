"""The configuration file of a service, where it is one of ours: a cameras.yaml or a serve.yaml."""

from __future__ import annotations

import os
from pathlib import Path

from inferfleet.config import base, fleet_env, source
from inferfleet.config.cameras import CamerasFile
from inferfleet.config.serve import ServeFile
from inferfleet.deploy.resolve import ResolvedService


def read(service: ResolvedService, folder: Path | None) -> CamerasFile | ServeFile | None:
    """Reads the file that `config` names, with the variables of the environment and of the `.env` beside it.

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
    document = source.load(path, {**fleet_env.beside(path), **os.environ})
    if service.spec.kind == "streams":
        return base.validate(document, CamerasFile)
    return base.validate(document, ServeFile)
