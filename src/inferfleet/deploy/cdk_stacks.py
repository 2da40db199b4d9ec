"""The door to the CDK stacks: the CDK, and the Node behind it, are loaded only when somebody goes through."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from inferfleet.deploy.operations import tools
from inferfleet.deploy.resolve import ResolvedFleet
from inferfleet.errors import InputError

if TYPE_CHECKING:
    from inferfleet.deploy.stacks.synth import Assembly


def synthesise(
    fleet: ResolvedFleet, folder: Path, *, images: Mapping[str, str], out: Path, draft: bool = False
) -> Assembly:
    """Writes the cloud assembly of a fleet; see `stacks.synth.synthesise`.

    Raises:
        InputError: The CDK is not installed, or the fleet cannot be made into stacks.
    """
    # The CDK's bridge to Node reads nothing but the environment, and would greet every user of an older Node at length.
    for name, value in tools.SILENCE.items():
        os.environ.setdefault(name, value)
    try:
        from inferfleet.deploy.stacks import synth
    except ModuleNotFoundError as error:
        raise InputError(f"CDK stacks need {error.name}: pip install 'inferfleet[cdk]'") from error
    return synth.synthesise(fleet, folder, images=images, out=out, draft=draft)
