"""`inferfleet scale`: how many tasks a service has."""

from __future__ import annotations

from dataclasses import asdict
from datetime import UTC, datetime
from typing import Annotated

import typer

from inferfleet.cli.target import DEFAULT_FLEET, AsJson, FleetFile, Local, Timeout
from inferfleet.errors import InputError


def register(app: typer.Typer) -> None:
    """Adds the command."""
    app.command("scale")(scale)


def scale(
    service: Annotated[str, typer.Argument(help="The service.")],
    count: Annotated[int | None, typer.Argument(help="Tasks that it should have.", min=0)] = None,
    least: Annotated[int | None, typer.Option("--min", help="Least tasks that autoscaling keeps.", min=0)] = None,
    most: Annotated[int | None, typer.Option("--max", help="Most tasks that autoscaling starts.", min=0)] = None,
    fleet: FleetFile = DEFAULT_FLEET,
    local: Local = False,
    timeout: Timeout = 15.0,
    as_json: AsJson = False,
) -> None:
    """Change the number of tasks, or the limits of autoscaling, and wait until the tasks run.

    Example: `inferfleet scale api --min 4 --max 20`
    """
    from inferfleet.cli.target import Show, print_json, target
    from inferfleet.deploy.operations import control
    from inferfleet.deploy.operations.service import read_service
    from inferfleet.deploy.operations.verdict import exit_code

    if count is None and least is None and most is None:
        raise InputError("say how far: a number of tasks, or --min and --max")
    with target(fleet, local=local) as where, Show(quiet=as_json) as show:
        state = read_service(
            where.account, where.fleet.cluster, where.on_ecs(service, "scale deployment/{} --replicas N").names.service
        )
        order = control.plan_scale(where.account, state, count, least, most)
        for note in order.notes:
            show.note(note)
        began = datetime.now(UTC)
        control.scale(where.account, where.fleet.cluster, order)
        verdict = control.follow_one(
            where.account, where.fleet.cluster, state.name, show, since=began, timeout=60 * timeout
        )
        after = read_service(where.account, where.fleet.cluster, state.name)
    if as_json:
        print_json({"order": asdict(order), "desired": after.desired, "running": after.running})
    else:
        limits = f", autoscaling {order.limits[0]} to {order.limits[1]}" if order.limits else ""
        print(f"{after.name}: {after.running} of {after.desired} tasks run{limits}")
    raise typer.Exit(exit_code([verdict]))
