"""A fleet as the CloudFormation templates that its CDK stacks make, for those who deploy them by other means."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

from inferfleet.deploy import cdk_stacks
from inferfleet.deploy.resolve import ResolvedFleet

if TYPE_CHECKING:
    from inferfleet.deploy.stacks.synth import SynthesisedStack


def files(fleet: ResolvedFleet, folder: Path | None) -> dict[str, str]:
    """Renders a template a stack, and a guide with their order.

    An image that the fleet builds has the tag `not-pushed-yet`: its digest is known when it is pushed.

    Raises:
        InputError: The CDK is not installed, or the fleet cannot be made into stacks.
    """
    with tempfile.TemporaryDirectory() as out:
        assembly = cdk_stacks.synthesise(fleet, folder or Path(), images={}, out=Path(out), draft=True)
        rendered = {f"{stack.name}.template.json": stack.template.read_text() for stack in assembly.stacks}
        rendered["README.md"] = _readme(fleet, _ordered(assembly.stacks))
    return rendered


def _ordered(stacks: tuple[SynthesisedStack, ...]) -> list[str]:
    """Returns the names of stacks, each after those that it depends on."""
    names: list[str] = []
    waiting = list(stacks)
    while waiting:
        ready = next(stack for stack in waiting if set(stack.depends_on) <= set(names))
        waiting.remove(ready)
        names.append(ready.name)
    return names


def _readme(fleet: ResolvedFleet, names: list[str]) -> str:
    commands = "\n".join(
        f"aws cloudformation deploy --stack-name {name} --template-file {name}.template.json "
        f"--capabilities CAPABILITY_IAM CAPABILITY_NAMED_IAM --region {fleet.region}"
        for name in names
    )
    notes = [
        "Rendered by `inferfleet render --format cloudformation`; `inferfleet deploy` does all of this, and follows it."
    ]
    built = [name for name, image in fleet.file.images.items() if image.build is not None]
    if built:
        notes.append(f"Put the digest of {', '.join(built)} where they say `not-pushed-yet`.")
    if any(service.target == "eks" for service in fleet.services):
        notes.append("The Kubernetes stack holds assets: `inferfleet deploy` or the CDK must deploy it.")
    text = "\n".join(notes)
    return f"""# {fleet.file.name} as CloudFormation

{text}

```bash
{commands}
```
"""
