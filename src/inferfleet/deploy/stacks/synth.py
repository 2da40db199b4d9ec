"""From a fleet to a cloud assembly: what `cdk deploy --app <folder>` takes. AWS is not called, nothing is looked up."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import aws_cdk as cdk

from inferfleet.deploy.resolve import ResolvedFleet
from inferfleet.deploy.stacks.app import add_fleet
from inferfleet.errors import InputError

FLAGS = {"@aws-cdk/core:defaultCrossStackReferences": "strong"}
"""How the CDK is set: what another stack uses cannot be deleted or replaced under it."""


@dataclass(frozen=True, slots=True)
class SynthesisedStack:
    """A stack of an assembly.

    Attributes:
        name: Its name.
        template: Its template.
        depends_on: Names of the stacks that come before it.
    """

    name: str
    template: Path
    depends_on: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Assembly:
    """A cloud assembly.

    Attributes:
        folder: Where it is; `cdk deploy --app <folder>` takes it.
        stacks: Its stacks, each after those that it depends on.
    """

    folder: Path
    stacks: tuple[SynthesisedStack, ...]


def synthesise(
    fleet: ResolvedFleet, folder: Path, *, images: Mapping[str, str], out: Path | None = None, draft: bool = False
) -> Assembly:
    """Writes the cloud assembly of a fleet.

    Args:
        fleet: The fleet.
        folder: The folder of its fleet.yaml; `config` is read from there.
        images: The URI to run of each image that the fleet builds, by its name in `images`: by digest, to deploy.
        out: Where to write; `cdk.out` in `folder` when left out.
        draft: Whether an image that is missing from `images` gets a tag that does not exist, for templates that are
            only looked at.

    Raises:
        InputError: An image is missing, a configuration cannot be read, or the CDK refuses what the file says.
    """
    app = cdk.App(
        outdir=str((out or folder / "cdk.out").absolute()),
        analytics_reporting=False,
        # It takes most of the time, and our templates are checked by more rules than it has, when they change.
        builtin_cloud_formation_validation=False,
        context=FLAGS,
    )
    try:
        add_fleet(app, fleet, folder, images=images, draft=draft)
        assembly = app.synth()
    except RuntimeError as error:
        # What the CDK itself refuses comes out of Node as this, with its reason in the first lines.
        raise InputError(f"{fleet.file.name}: the CDK makes no stacks of it: {error}") from error
    names = {stack.id: stack.stack_name for stack in assembly.stacks}
    stacks = tuple(
        SynthesisedStack(
            name=stack.stack_name,
            template=Path(assembly.directory) / stack.template_file,
            depends_on=tuple(names[item.id] for item in stack.dependencies if item.id in names),
        )
        for stack in assembly.stacks
    )
    return Assembly(Path(assembly.directory), stacks)
