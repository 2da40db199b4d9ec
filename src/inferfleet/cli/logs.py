"""`inferfleet logs`: what the tasks of a fleet print."""

from __future__ import annotations

import json
import re
import sys
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Annotated

import typer

from inferfleet.cli.target import DEFAULT_FLEET, AsJson, FleetFile, Local
from inferfleet.errors import InputError

if TYPE_CHECKING:
    from inferfleet.cli.target import Target
    from inferfleet.deploy.operations.logs import Line

_UNITS = {"s": 1, "m": 60, "min": 60, "h": 3600, "d": 86400}
_ID = 8


def register(app: typer.Typer) -> None:
    """Adds the command."""
    app.command("logs")(logs)


def logs(
    service: Annotated[list[str] | None, typer.Argument(help="Services; all of the fleet if none.")] = None,
    fleet: FleetFile = DEFAULT_FLEET,
    local: Local = False,
    follow: Annotated[bool, typer.Option("--follow", "-F", help="Go on with what comes, until Ctrl-C.")] = False,
    since: Annotated[str, typer.Option(help="From when on: 30s, 10m, 2h, 1d, or a time in ISO 8601.")] = "10m",
    pattern: Annotated[str, typer.Option("--filter", help="CloudWatch's filter pattern, such as `ERROR`.")] = "",
    task: Annotated[str, typer.Option(help="Only tasks whose id begins so.")] = "",
    grep: Annotated[str, typer.Option(help="Only lines that a regular expression finds.")] = "",
    as_json: AsJson = False,
) -> None:
    """Print the lines of all tasks in the order of time, each with its service and task; -F follows.

    Example: `inferfleet logs api --since 1h --filter ERROR`
    """
    from inferfleet.cli.target import target
    from inferfleet.deploy.operations import logs as reading

    wanted = _expression(grep)
    start = _since(since, datetime.now(UTC))
    with target(fleet, local=local) as where:
        groups = _groups(where, service or [])
        selection = reading.Selection(groups, start, pattern, task)
        absent = reading.missing_groups(where.account, list(dict.fromkeys(groups.values())))
        for group in absent:
            print(f"there is no log group {group}: nothing was deployed, or it was removed", file=sys.stderr)
        if absent and not follow and len(absent) == len(set(groups.values())):
            raise typer.Exit(1)
        lines = reading.follow(where.account, selection) if follow else iter(reading.read(where.account, selection))
        for line in lines:
            if wanted.search(line.text):
                _print(line, as_json=as_json)


def _print(line: Line, *, as_json: bool) -> None:
    if as_json:
        data = {
            "time": line.at.isoformat(), "service": line.service, "container": line.container, "task": line.task,
            "text": line.text,
        }  # fmt: skip
        print(json.dumps(data), flush=True)
    else:
        name = line.service if line.container in ("", line.service) else f"{line.service}/{line.container}"
        print(f"{line.at:%H:%M:%S} {name} {line.task[:_ID]}  {line.text}", flush=True)


def _groups(where: Target, names: list[str]) -> dict[str, str]:
    kubectl = "logs deployment/{} --all-pods"
    chosen = [where.on_ecs(name, kubectl) for name in names]
    chosen = chosen or [service for service in where.fleet.services if service.target != "eks"]
    return {service.key: service.names.log_group for service in chosen}


def _expression(text: str) -> re.Pattern[str]:
    try:
        return re.compile(text)
    except re.error as error:
        raise InputError(f"--grep {text}: {error}") from error


def _since(text: str, now: datetime) -> datetime:
    matched = re.fullmatch(r"(\d+)\s*(s|m|min|h|d)", text)
    if matched:
        return now - timedelta(seconds=int(matched[1]) * _UNITS[matched[2]])
    try:
        found = datetime.fromisoformat(text)
    except ValueError:
        raise InputError(f"--since {text}: write 30s, 10m, 2h, 1d, or 2026-01-31T12:00:00Z") from None
    return found if found.tzinfo else found.replace(tzinfo=UTC)
