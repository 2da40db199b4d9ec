"""`inferfleet demo`: everything at once, with nothing to configure."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from rich.table import Table

    from inferfleet.demo.fleet import Life
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
    fleet: Annotated[
        bool, typer.Option("--fleet", help="A fleet's whole life: deployed, replaced, spoilt, scaled, removed.")
    ] = False,
    image: Annotated[
        str, typer.Option(metavar="IMAGE", help="With --fleet: an image of the Docker engine, instead of building it.")
    ] = "",
) -> None:
    """Render four cameras, run the worker on them, and compare what it found with the truth.

    Writes OUT/events.jsonl, OUT/pictures, OUT/overview.jpg, OUT/summary.json, and the cameras.yaml it ran with.
    Ends with 1 if precision or recall is below 0.95.

    With --aws the clips are put into four streams of the local cloud in real time, and what is compared is what its
    services hold in the end.

    With --fleet nothing is filmed: a fleet is deployed to the local cloud by the CDK, as containers of our own image
    behind a load balancer, and lives its whole life there under load. It needs Docker and the CDK's command line.

    Example: `inferfleet demo --out out/demo`
    """
    if fleet:
        _live(out, image)
        return
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


def _live(out: Path, image: str) -> None:
    """Shows a fleet's life; ends with 1 if any of it was not as it should be."""
    from rich.console import Console
    from rich.markup import escape

    from inferfleet.demo.fleet import build_image, live

    console = Console(stderr=True, highlight=False)

    def step(text: str) -> None:
        console.print(f"\n[bold cyan]▶ {escape(text)}[/]", soft_wrap=True)

    def line(text: str) -> None:
        console.print(f"[bold]{escape(text)}[/]" if text.startswith("$") else escape(text), soft_wrap=True)

    if not image:
        step("our image, built if its source has changed")
    life = live(out, image or build_image(Path.cwd(), line), step, line)
    console.print(_life(life))
    print(life.summary)
    if life.complaint:
        print(f"not as it should be: {life.complaint}")
        raise typer.Exit(1)


def _life(life: Life) -> Table:
    from rich.table import Table

    table = Table(title="a fleet's life")
    table.add_column("")
    for name in ("ended with", "took", "requests", "failed"):
        table.add_column(name, justify="right")
    table.add_row("first deployment", str(life.first.code), f"{life.first.seconds:.0f} s", "1", "0")
    for name, item in [*((item.strategy, item) for item in life.rollouts), ("spoilt version", life.spoilt)]:
        table.add_row(name, str(item.ran.code), f"{item.ran.seconds:.0f} s", str(item.sent), str(item.failed))
    table.add_row(f"scaled out to {life.scaled_out}, in to {life.scaled_in}", "", "", "", "")
    table.add_row("removal", str(life.removed.code), f"{life.removed.seconds:.0f} s", "", "")
    return table


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
