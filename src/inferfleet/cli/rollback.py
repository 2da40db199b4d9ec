"""`inferfleet rollback`: an earlier version of a service again."""

from __future__ import annotations

from dataclasses import asdict
from typing import Annotated

import typer

from inferfleet.cli.target import DEFAULT_FLEET, AsJson, FleetFile, Local, Timeout, Yes


def register(app: typer.Typer) -> None:
    """Adds the command."""
    app.command("rollback")(rollback)


def rollback(
    service: Annotated[str, typer.Argument(help="The service; the only one if left out.")] = "",
    fleet: FleetFile = DEFAULT_FLEET,
    to: Annotated[str, typer.Option("--to", help="A version: family:revision, or a revision.")] = "",
    versions: Annotated[bool, typer.Option("--list", help="List the versions instead.")] = False,
    local: Local = False,
    yes: Yes = False,
    timeout: Timeout = 60.0,
    as_json: AsJson = False,
) -> None:
    """Stop a deployment that is not decided, or deploy the last version that succeeded before the current one.

    During a bake the traffic goes back at once. Otherwise the earlier version is deployed in the service's own way,
    with its images by digest. Exits with 0 when the earlier version runs, 1 when it does not, 4 when undecided.
    """
    from inferfleet.cli.target import Show, confirm, print_json, target
    from inferfleet.deploy.operations import control, words
    from inferfleet.deploy.operations.service import read_service
    from inferfleet.deploy.operations.verdict import Outcome, exit_code
    from inferfleet.deploy.operations.versions import history

    with target(fleet, local=local) as where, Show(quiet=as_json) as show:
        state = read_service(
            where.account, where.fleet.cluster, where.on_ecs(service, "rollout undo deployment/{}").names.service
        )
        if versions:
            found = history(where.account, state)
            print_json([asdict(item) for item in found]) if as_json else print(words.versions(found))
            return
        order = control.plan_rollback(where.account, state, to)
        if not as_json:
            print("\n".join([f"{order.service}: {order.text}", *(f"  {note}" for note in order.notes)]), flush=True)
        confirm("Go back?", yes=yes, as_json=as_json)
        began = control.roll_back(where.account, where.fleet.cluster, order)
        verdict = control.follow_one(
            where.account, where.fleet.cluster, order.service, show, since=began, timeout=60 * timeout
        )
    stopped = bool(order.stops) and verdict.outcome is Outcome.ROLLED_BACK
    if as_json:
        print_json({"order": asdict(order), "verdict": asdict(verdict)})
    else:
        print(words.verdict(verdict))
    raise typer.Exit(0 if stopped else exit_code([verdict]))
