"""`inferfleet destroy`: a fleet is removed, and what is left is said."""

from __future__ import annotations

import sys
from typing import Annotated

import typer

from inferfleet.cli.target import DEFAULT_FLEET, AsJson, FleetArgument, Local, Yes


def register(app: typer.Typer) -> None:
    """Adds the command."""
    app.command("destroy")(destroy)


def destroy(
    fleet: FleetArgument = DEFAULT_FLEET,
    local: Local = False,
    data: Annotated[
        bool, typer.Option("--data", help="Tables, buckets and streams too, with all that is in them.")
    ] = False,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only say what would go and what would stay.")] = False,
    yes: Yes = False,
    as_json: AsJson = False,
) -> None:
    """Remove services, capacity, load balancers, stacks, log groups and images; say what is left and why.

    An existing network that fleet.yaml names is never touched. Running it again removes what could not go before.
    Exits with 0 when nothing is left but what was to be kept, and 3 when AWS would not remove something.
    """
    from dataclasses import asdict

    from inferfleet.cli.target import Show, confirm, print_json, target
    from inferfleet.deploy.operations import destroy as removing
    from inferfleet.deploy.operations import words

    with target(fleet, local=local) as where, Show(quiet=as_json) as show:
        planned = removing.plan(where.account, where.fleet, data=data)
        if dry_run and as_json:
            print_json(asdict(planned))
            return
        print(words.removal(planned), file=sys.stderr if as_json else sys.stdout, flush=True)
        if dry_run:
            return
        if not planned.is_empty:
            confirm(f"Remove {planned.fleet} from account {planned.account}?", yes=yes, as_json=as_json)
        done = removing.carry_out(where.account, where.fleet, planned, show)
    if as_json:
        print_json(done.as_data())
    else:
        print(words.removed(done))
    raise typer.Exit(3 if len(done.left) > len(planned.kept) else 0)
