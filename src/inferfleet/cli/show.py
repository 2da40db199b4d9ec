"""`inferfleet show`: a fleet with everything that it does not say."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated

import typer


def register(app: typer.Typer) -> None:
    """Adds the command."""
    app.command("show")(show)


def show(
    fleet: Annotated[Path, typer.Argument(help="The fleet.yaml.")] = Path("fleet.yaml"),
    resolved: Annotated[bool, typer.Option("--resolved", help="With defaults, sizes and names.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print it for a program.")] = False,
) -> None:
    """Print a fleet as it is understood: variables filled in, and with --resolved everything that follows from it.

    Example: `inferfleet show fleet.yaml --resolved`
    """
    import yaml

    from inferfleet.config.fleet import read_fleet

    read = read_fleet(fleet)
    if resolved:
        from inferfleet.deploy.resolve import resolve
        from inferfleet.deploy.show import as_data

        data = as_data(resolve(read))
    else:
        data = read.model_dump(mode="json", exclude_unset=True)
    print(json.dumps(data, indent=2) if as_json else yaml.safe_dump(data, sort_keys=False, width=100), end="")
