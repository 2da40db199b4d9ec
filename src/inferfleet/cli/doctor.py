"""`inferfleet doctor`: whether a deployment can work at all, and what to do where it cannot."""

from __future__ import annotations

from dataclasses import asdict

import typer

from inferfleet.cli.target import DEFAULT_FLEET, AsJson, FleetArgument, Local


def register(app: typer.Typer) -> None:
    """Adds the command."""
    app.command("doctor")(doctor)


def doctor(fleet: FleetArgument = DEFAULT_FLEET, local: Local = False, as_json: AsJson = False) -> None:
    """Check credentials, account, region, quotas, VPC endpoints, Node, the CDK and Docker; each with its fix.

    Exits with 3 when something is missing that a deployment needs.
    """
    from inferfleet.cli.target import print_json, target
    from inferfleet.deploy.operations import words
    from inferfleet.deploy.operations.doctor import Level, examine

    with target(fleet, local=local, start=False) as where:
        found = examine(where.account, where.fleet, fleet.parent)
    if as_json:
        print_json([asdict(check) for check in found])
    else:
        print(words.checks(found))
    raise typer.Exit(3 if any(check.level is Level.FAILED for check in found) else 0)
