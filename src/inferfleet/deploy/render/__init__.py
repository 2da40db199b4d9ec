"""Files for those who deploy by other means than ours. Rendering is a pure function from a fleet to texts."""

from __future__ import annotations

from collections.abc import Callable
from enum import StrEnum
from pathlib import Path

from inferfleet.deploy.resolve import ResolvedFleet


class Format(StrEnum):
    """What can be rendered."""

    ECS = "ecs"
    CLOUDFORMATION = "cloudformation"
    KUBERNETES = "kubernetes"
    CI = "ci"
    GRAFANA = "grafana"


def files(fleet: ResolvedFleet, kind: Format, folder: Path | None = None) -> dict[str, str]:
    """Renders a fleet.

    Args:
        fleet: The fleet.
        kind: What to render.
        folder: Where the fleet's own file is; `config` is read from there.

    Returns:
        The texts by their file names, with folders.

    Raises:
        InputError: Something that the fleet names cannot be read, or the format does not apply.
    """
    from inferfleet.deploy.render import ci, cloudformation, ecs, grafana, kubernetes

    renderers: dict[Format, Callable[[ResolvedFleet, Path | None], dict[str, str]]] = {
        Format.ECS: ecs.files,
        Format.CLOUDFORMATION: cloudformation.files,
        Format.KUBERNETES: kubernetes.files,
        Format.CI: ci.files,
        Format.GRAFANA: grafana.files,
    }
    return renderers[kind](fleet, folder)
