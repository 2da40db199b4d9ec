"""`inferfleet plan`: what a rollout will do, before it is done."""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer


def register(app: typer.Typer) -> None:
    """Adds the command."""
    app.command("plan")(plan)


def plan(
    fleet: Annotated[Path, typer.Argument(help="The fleet.yaml.")] = Path("fleet.yaml"),
    offline: Annotated[bool, typer.Option("--offline", help="Count from the file alone; AWS is not asked.")] = False,
    svg: Annotated[Path | None, typer.Option(help="Write a drawing of the fleet to this file.")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print the plan for a program.")] = False,
) -> None:
    """Say what a deployment of each service does: tasks before, during and after, on what, and for how long.

    Exits with 1 when a rollout can never finish.

    Example: `inferfleet plan --offline fleet.yaml --svg fleet.svg`
    """
    from inferfleet.config.fleet import read_fleet
    from inferfleet.deploy.plan import rollout, text
    from inferfleet.deploy.plan import svg as drawing
    from inferfleet.deploy.resolve import resolve
    from inferfleet.errors import InputError, OutsideError

    if not offline:
        raise InputError("a plan against AWS is not there yet; add --offline to count from the file alone")
    resolved = resolve(read_fleet(fleet))
    rollouts = rollout.plan_fleet(resolved)
    if svg is not None:
        try:
            svg.write_text(drawing.render(resolved, rollouts))
        except OSError as error:
            raise OutsideError(f"{svg}: cannot be written: {error.strerror}") from error
    if as_json:
        print(json.dumps([{**asdict(item), "peak_tasks": item.peak_tasks} for item in rollouts], indent=2))
    else:
        print(text.render(resolved, rollouts))
    raise typer.Exit(1 if any(item.problem for item in rollouts) else 0)
