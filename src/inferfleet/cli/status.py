"""`inferfleet status`: what runs of a fleet."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator, Sequence
from datetime import datetime
from typing import TYPE_CHECKING, Annotated, Any

import typer

from inferfleet.cli.target import DEFAULT_FLEET, AsJson, FleetArgument, Local

if TYPE_CHECKING:
    from rich.console import RenderableType

    from inferfleet.deploy.operations.status import FleetStatus, ServiceStatus

_EVENTS = 4
_ID = 8
"""Digits of a task's id, which other commands take as well."""
_WIDE = 160
"""Columns where no terminal says how many there are."""
_COLOURS = {"HEALTHY": "green", "UNHEALTHY": "red", "RUNNING": "green", "OK": "green", "ALARM": "red"}
_MINUTE, _HOUR, _DAY = 60, 3600, 86400


def register(app: typer.Typer) -> None:
    """Adds the command."""
    app.command("status")(status)


def status(
    fleet: FleetArgument = DEFAULT_FLEET,
    local: Local = False,
    watch: Annotated[bool, typer.Option("--watch", "-w", help="Look again and again until Ctrl-C.")] = False,
    interval: Annotated[float, typer.Option(help="Seconds between two looks.", min=0.5)] = 5.0,
    as_json: AsJson = False,
) -> None:
    """Show stacks, services, tasks, health, GPUs, deployments, balancers, alarms and the last events.

    Exits with 1 when a service is missing, incomplete or unhealthy, or an alarm is on. With --json and --watch each
    look is one line.
    """
    from rich.console import Console
    from rich.live import Live

    from inferfleet.cli.target import target
    from inferfleet.deploy.operations.names import stack_names
    from inferfleet.deploy.operations.status import read

    with target(fleet, local=local) as where:
        names = stack_names(where.fleet)
        found = read(where.account, where.fleet, names)
        if not watch:
            _print(found, as_json=as_json, lines=False)
            raise typer.Exit(0 if found.is_well else 1)
        if as_json:
            while True:
                _print(found, as_json=True, lines=True)
                time.sleep(interval)
                found = read(where.account, where.fleet, names)
        with Live(_view(found), console=Console(), auto_refresh=False, screen=sys.stdout.isatty()) as live:
            while True:
                time.sleep(interval)
                live.update(_view(read(where.account, where.fleet, names)), refresh=True)


def _print(found: FleetStatus, *, as_json: bool, lines: bool) -> None:
    import json

    from rich.console import Console

    if as_json:
        print(json.dumps(found.as_data(), indent=None if lines else 2, default=str), flush=True)
    else:
        Console(width=None if sys.stdout.isatty() else _WIDE).print(_view(found))


def _view(found: FleetStatus) -> RenderableType:
    from rich.console import Group

    parts = [f"[bold]{found.fleet}[/] in {found.region}, cluster {found.cluster}, {found.at:%H:%M:%S} UTC"]
    blocks: list[Any] = [*parts]
    if found.stacks:
        blocks.append("stacks: " + ", ".join(f"{name} {_coloured(state)}" for name, state in found.stacks.items()))
    for service in found.services:
        blocks += ["", *_service(service)]
    if found.instances:
        rows = [
            (
                item.id, item.type, item.status, "yes" if item.agent else "[red]no[/]",
                f"{item.free_gpus}/{item.gpus}", str(item.tasks),
            )
            for item in found.instances
        ]  # fmt: skip
        blocks += ["", _table(("instance", "type", "status", "agent", "free GPUs", "tasks"), rows)]
    on = [alarm for alarm in found.alarms if alarm.state == "ALARM"]
    if found.alarms:
        unknown = sum(alarm.state == "INSUFFICIENT_DATA" for alarm in found.alarms)
        blocks += ["", f"{len(found.alarms)} alarms, {len(on)} on{f', {unknown} without data' if unknown else ''}"]
        blocks += [f"  {_coloured(alarm.state)} {alarm.name}: {alarm.reason}" for alarm in on]
    return Group(*blocks)


def _service(item: ServiceStatus) -> Iterator[Any]:
    state = item.state
    if state is None:
        yield f"[bold]{item.key}[/]: [red]not deployed[/]"
        return
    limits = f", autoscaling {item.limits[0]} to {item.limits[1]}" if item.limits else ""
    mark = f"[red]{item.problem}[/]" if item.problem else "[green]well[/]"
    pending = f", {state.pending} start" if state.pending else ""
    yield (
        f"[bold]{state.name}[/] {state.task_definition}: {state.running}/{state.desired} tasks run{pending}{limits}: "
        f"{mark}"
    )
    for balancer in item.balancers:
        yield f"  {balancer.url}"
        for group, states in balancer.targets.items():
            counted = ", ".join(f"{count} {_coloured(name)}" for name, count in states.items()) or "no targets"
            yield f"    {group}: {counted}"
    rows = [
        (
            task.id[:_ID], task.task_definition, _coloured(task.status), _coloured(task.health), task.on, task.zone,
            task.address, ", ".join(task.gpus) or "-", _ago(task.started_at),
        )
        for task in item.tasks
    ]  # fmt: skip
    if rows:
        yield _table(("task", "version", "status", "health", "on", "zone", "address", "GPUs", "started"), rows)
    for deployment in item.deployments:
        version = (item.versions or {}).get(deployment.id, "")
        stage = f", {deployment.stage.lower().replace('_', ' ')}" if deployment.is_open and deployment.stage else ""
        why = deployment.rollback_reason or ("" if deployment.status == "SUCCESSFUL" else deployment.reason)
        yield (
            f"  deployment {_ago(deployment.created_at)}: {version} {_coloured(deployment.status)}{stage}"
            f"{f': {why}' if why else ''}"
        )
    for event in state.events[:_EVENTS]:
        yield f"  [dim]{event.at:%H:%M:%S}  {event.text}[/]"


def _table(head: tuple[str, ...], rows: Sequence[tuple[str, ...]]) -> Any:
    from rich.table import Table

    table = Table(*head, box=None, padding=(0, 1), header_style="dim")
    for row in rows:
        table.add_row(*row)
    return table


def _coloured(word: str) -> str:
    colour = _COLOURS.get(word, "green" if word.endswith(("COMPLETE", "SUCCESSFUL")) and "ROLLBACK" not in word else "")
    if not colour and ("FAIL" in word or "ROLLBACK" in word or word == "unhealthy"):
        colour = "red"
    return f"[{colour}]{word}[/]" if colour else word


def _ago(at: datetime) -> str:
    from datetime import UTC

    from inferfleet.deploy.operations.service import NEVER

    if at == NEVER:
        return "-"
    seconds = int((datetime.now(UTC) - at).total_seconds())
    for unit, name in ((_DAY, "d"), (_HOUR, "h"), (_MINUTE, "min")):
        if seconds >= unit:
            return f"{seconds // unit} {name} ago"
    return f"{max(0, seconds)} s ago"
