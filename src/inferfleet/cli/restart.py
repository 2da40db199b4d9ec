"""`inferfleet restart`: new tasks of the same version."""

from __future__ import annotations

from dataclasses import asdict
from typing import Annotated

import typer

from inferfleet.cli.target import DEFAULT_FLEET, AsJson, FleetFile, Local, Timeout


def register(app: typer.Typer) -> None:
    """Adds the command."""
    app.command("restart")(restart)


def restart(
    service: Annotated[str, typer.Argument(help="The service; the only one if left out.")] = "",
    fleet: FleetFile = DEFAULT_FLEET,
    local: Local = False,
    timeout: Timeout = 60.0,
    as_json: AsJson = False,
) -> None:
    """Replace all tasks of a service in the service's own way of deploying, and follow that to its end."""
    from inferfleet.cli.target import Show, print_json, target
    from inferfleet.deploy.operations import control, words
    from inferfleet.deploy.operations.service import read_service
    from inferfleet.deploy.operations.verdict import exit_code

    with target(fleet, local=local) as where, Show(quiet=as_json) as show:
        state = read_service(
            where.account, where.fleet.cluster, where.on_ecs(service, "rollout restart deployment/{}").names.service
        )
        began = control.restart(where.account, where.fleet.cluster, state.name)
        verdict = control.follow_one(
            where.account, where.fleet.cluster, state.name, show, since=began, timeout=60 * timeout
        )
    if as_json:
        print_json(asdict(verdict))
    else:
        print(words.verdict(verdict))
    raise typer.Exit(exit_code([verdict]))
