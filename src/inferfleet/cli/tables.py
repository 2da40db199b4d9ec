"""Tables for people, drawn by rich on standard error, so that standard output holds data alone."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from rich.console import Console
from rich.live import Live
from rich.table import Table

if TYPE_CHECKING:
    from inferfleet.streams.status import CameraReport, WorkerReport

_COLOURS = {"running": "green", "ended": "cyan", "starting": "yellow", "stopped": "dim"}


@contextmanager
def live_cameras(report: Callable[[], WorkerReport], *, show: bool) -> Iterator[Callable[[], None]]:
    """Keeps a table of the cameras on the screen; yields what refreshes it."""
    if not show:
        yield lambda: None
        return
    with Live(cameras_table(report()), console=Console(stderr=True), auto_refresh=False) as live:
        yield lambda: live.update(cameras_table(report()), refresh=True)
        live.update(cameras_table(report()), refresh=True)


def cameras_table(report: WorkerReport) -> Table:
    """Returns one row a camera: state, frames a second, latency, frames, drops, events."""
    table = Table(title=f"{report.worker} · {len(report.cameras)} cameras · spool {report.spool_bytes / 1024:.0f} KiB")
    table.add_column("camera")
    table.add_column("state")
    for name in ("fps", "latency", "frames", "drops", "events"):
        table.add_column(name, justify="right")
    for camera in report.cameras:
        table.add_row(*_cells(camera))
    return table


def _cells(camera: CameraReport) -> tuple[str, ...]:
    colour = _COLOURS.get(camera.state, "red")
    state = f"[{colour}]{camera.state}[/]" + (f" [dim]{camera.error}[/]" if camera.error else "")
    return (
        camera.id,
        state,
        f"{camera.fps:.1f}",
        f"{camera.latency_seconds * 1000:.0f} ms",
        str(camera.frames),
        str(sum(camera.drops.values())),
        str(camera.events),
    )
