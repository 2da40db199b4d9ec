"""`inferfleet demo`: everything at once, with nothing to configure."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from rich.table import Table

    from inferfleet.demo.run import Result
    from inferfleet.demo.score import Row

LEAST = 0.95
"""The demo fails below this precision or recall."""


def register(app: typer.Typer) -> None:
    """Adds the command."""
    app.command("demo")(demo)


def demo(
    out: Annotated[Path, typer.Option(help="Where clips, events, pictures and the summary go.")] = Path("out/demo"),
    aws: Annotated[
        bool, typer.Option("--aws", help="Through Kinesis Video Streams, Kinesis, S3 and DynamoDB on this machine.")
    ] = False,
) -> None:
    """Render four cameras, run the worker on them, and compare what it found with the truth.

    Writes OUT/events.jsonl, OUT/pictures, OUT/overview.jpg, OUT/summary.json, and the cameras.yaml it ran with.
    Ends with 1 if precision or recall is below 0.95.

    With --aws the clips are put into four streams of the local cloud in real time, and what is compared is what its
    services hold in the end.

    Example: `inferfleet demo --out out/demo`
    """
    from rich.console import Console
    from rich.progress import Progress

    from inferfleet import logs
    from inferfleet.cli.tables import live_cameras
    from inferfleet.demo.overview import write_overview
    from inferfleet.demo.run import frames_to_render, render_clips, run

    logs.set_up("WARNING")
    console = Console(stderr=True)
    with Progress(console=console) as progress:
        task = progress.add_task("rendering four cameras", total=frames_to_render())
        clips = render_clips(out / "clips", lambda: progress.advance(task))
    show = partial(live_cameras, show=True)
    if aws:
        from inferfleet.demo.aws import run_on_aws

        result = run_on_aws(out, clips, show)
    else:
        result = run(out, clips, show)
    write_overview(result.pictures, out / "overview.jpg")
    console.print(_table(result))
    console.print(f"events, pictures and the configuration are in {out}; begin with {out / 'overview.jpg'}")
    total = result.total
    print(
        f"demo: {result.cameras} cameras, {result.frames} frames, {result.fps:.0f} fps, "
        f"precision {total.precision:.3f}, recall {total.recall:.3f}"
    )
    if min(total.precision, total.recall) < LEAST:
        raise typer.Exit(1)


def _table(result: Result) -> Table:
    from rich.table import Table

    table = Table(title="found, against the truth")
    table.add_column("")
    for name in ("to find", "found", "missed", "wrong", "precision", "recall"):
        table.add_column(name, justify="right")
    for name, row in sorted(result.rows.items()):
        table.add_row(name, *_cells(row))
    table.add_section()
    table.add_row("all", *_cells(result.total))
    return table


def _cells(row: Row) -> tuple[str, ...]:
    missed = row.expected - row.found
    return (
        str(row.expected),
        str(row.found),
        str(missed),
        str(row.wrong),
        f"{row.precision:.3f}",
        f"{row.recall:.3f}",
    )
