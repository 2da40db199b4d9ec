"""`inferfleet workers`: who holds which camera."""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from inferfleet.errors import InputError

if TYPE_CHECKING:
    from inferfleet.streams.leases.model import View


def register(app: typer.Typer) -> None:
    """Adds the command."""
    app.command("workers")(workers)


def workers(
    config: Annotated[
        Path,
        typer.Option("--config", "-c", envvar="CONFIG_FILE", help="The cameras.yaml.", exists=True, dir_okay=False),
    ] = Path("cameras.yaml"),
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object.")] = False,
) -> None:
    """Show which worker holds which camera, since when nothing was heard of it, and how far its events have come.

    It reads the table that `workers: {leases: {table: ...}}` names, and changes nothing. Ages compare this machine's
    clock with the workers'; the workers themselves compare no clocks.

    Example: `inferfleet workers --config cameras.yaml`
    """
    from inferfleet.config.base import read
    from inferfleet.config.cameras import CamerasFile
    from inferfleet.streams.leases.dynamodb import DynamoDbTable

    cameras = read(config, CamerasFile)
    leases = cameras.workers.leases
    if leases is None:
        raise InputError(f"{config}: has no `workers: {{leases: {{table: ...}}}}`, so one worker runs all cameras")
    table = DynamoDbTable(leases.model_copy(update={"create": False}))
    table.open()
    try:
        view = table.look()
    finally:
        table.close()
    now = datetime.now(UTC)
    wanted = [camera.id for camera in cameras.cameras if camera.enabled]
    found = summary(view, wanted, now, leases.duration)
    if as_json:
        print(json.dumps(found))
        return
    _show(found)


def summary(view: View, wanted: list[str], now: datetime, duration: float) -> dict[str, Any]:
    """Returns what is in the table as data: the workers, and all cameras that are wanted or leased."""
    leases = {lease.camera: lease for lease in view.leases}
    cameras = []
    for id_ in [*wanted, *(id_ for id_ in sorted(leases) if id_ not in wanted)]:
        lease = leases.get(id_)
        age = None if lease is None else _age(lease.updated, now)
        is_held = lease is not None and lease.owner is not None
        state = "free" if not is_held else "held" if age is not None and age < duration else "overdue"
        cameras.append(
            {
                "camera": id_,
                "worker": lease.owner if lease else None,
                "state": state,
                "age_seconds": age,
                "fence": lease.fence if lease else 0,
                "token": lease.token if lease else None,
                "configured": id_ in wanted,
            }
        )
    names = {beat.worker: _age(beat.updated, now) for beat in view.beats}
    held = [camera["worker"] for camera in cameras]
    rows = [{"worker": name, "age_seconds": age, "cameras": held.count(name)} for name, age in sorted(names.items())]
    return {"workers": rows, "cameras": cameras}


def _show(found: Mapping[str, Any]) -> None:
    from rich.console import Console
    from rich.table import Table

    console = Console()
    workers_table = Table("worker", "cameras", "heard of", title="workers", box=None)
    for worker in found["workers"]:
        workers_table.add_row(worker["worker"], str(worker["cameras"]), _ago(worker["age_seconds"]))
    console.print(workers_table)
    table = Table("camera", "worker", "state", "renewed", "taken", "delivered up to", title="cameras", box=None)
    colours = {"held": "green", "free": "yellow", "overdue": "red"}
    for camera in found["cameras"]:
        state = camera["state"] + ("" if camera["configured"] else " (not configured)")
        table.add_row(
            camera["camera"],
            camera["worker"] or "",
            f"[{colours[camera['state']]}]{state}[/]",
            _ago(camera["age_seconds"]),
            f"{camera['fence']} times",
            camera["token"] or "",
        )
    console.print(table)


def _age(updated: str, now: datetime) -> float | None:
    """Seconds since a time of the table; None where there is none."""
    return round((now - datetime.fromisoformat(updated)).total_seconds(), 1) if updated else None


def _ago(seconds: float | None) -> str:
    return "never" if seconds is None else f"{max(seconds, 0.0):.0f} s ago"
