"""`inferfleet plan`: what a rollout will do, before it is done."""

from __future__ import annotations

import tempfile
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from inferfleet.cli.target import DEFAULT_FLEET, AsJson, FleetArgument, Local, print_json
from inferfleet.errors import OutsideError

if TYPE_CHECKING:
    from inferfleet.deploy.plan.rollout import Rollout
    from inferfleet.deploy.resolve import ResolvedFleet


def register(app: typer.Typer) -> None:
    """Adds the command."""
    app.command("plan")(plan)


def plan(
    fleet: FleetArgument = DEFAULT_FLEET,
    offline: Annotated[bool, typer.Option("--offline", help="Count from the file alone; AWS is not asked.")] = False,
    local: Local = False,
    svg: Annotated[Path | None, typer.Option(help="Write a drawing of the fleet to this file.")] = None,
    as_json: AsJson = False,
) -> None:
    """Say what a deployment will do: stacks and resources that change, and tasks before, during and after.

    AWS is only read: CloudFormation says by change sets, which are removed again, what it would create, change and
    replace. Images are not built; the plan counts with those that are deployed. With --offline nothing is asked, and
    only the rollouts are counted.

    Exits with 1 when a rollout can never finish.

    Example: `inferfleet plan --offline fleet.yaml --svg fleet.svg`
    """
    raise typer.Exit(_offline(fleet, svg, as_json=as_json) if offline else _online(fleet, svg, local, as_json=as_json))


def _offline(path: Path, svg: Path | None, *, as_json: bool) -> int:
    from inferfleet.config.fleet import read_fleet
    from inferfleet.deploy.plan import rollout, text, ways
    from inferfleet.deploy.reach import reach
    from inferfleet.deploy.resolve import resolve

    resolved = resolve(read_fleet(path))
    rollouts = rollout.plan_fleet(resolved)
    ways_out = ways.lines(resolved.file.network, reach(resolved, path.parent))
    _draw(resolved, rollouts, svg)
    if as_json:
        print_json([{**asdict(item), "peak_tasks": item.peak_tasks} for item in rollouts])
    else:
        print(text.render(resolved, rollouts, ways_out))
    return 1 if any(item.problem for item in rollouts) else 0


def _online(path: Path, svg: Path | None, local: bool, *, as_json: bool) -> int:
    from inferfleet.cli.target import Show, target
    from inferfleet.deploy.operations import words
    from inferfleet.deploy.operations.deploy import Job, prepare
    from inferfleet.deploy.plan import rollout

    with (
        target(path, local=local) as where,
        Show(quiet=as_json) as show,
        tempfile.TemporaryDirectory(prefix="inferfleet-") as work,
    ):
        job = Job(where.fleet, path.parent, Path(work) / "cdk.out", where.account, where.substitutions)
        planned = prepare(job, show, build=False).plan
    _draw(where.fleet, rollout.plan_fleet(where.fleet), svg)
    if as_json:
        print_json(planned.as_data())
    else:
        print(words.plan(planned))
    return 1 if planned.problems else 0


def _draw(fleet: ResolvedFleet, rollouts: list[Rollout], svg: Path | None) -> None:
    from inferfleet.deploy.plan import svg as drawing

    if svg is None:
        return
    try:
        svg.write_text(drawing.render(fleet, rollouts))
    except OSError as error:
        raise OutsideError(f"{svg}: cannot be written: {error.strerror}") from error
