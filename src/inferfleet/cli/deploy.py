"""`inferfleet deploy`: from a fleet.yaml to a running fleet, on AWS or on this machine."""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from inferfleet.cli.target import DEFAULT_FLEET, AsJson, FleetArgument, Local, Timeout, Yes
from inferfleet.errors import InputError

if TYPE_CHECKING:
    from inferfleet.cli.target import Target
    from inferfleet.deploy.operations.deploy import Result
    from inferfleet.deploy.operations.plan import Plan


def register(app: typer.Typer) -> None:
    """Adds the command."""
    app.command("deploy")(deploy)


def deploy(
    fleet: FleetArgument = DEFAULT_FLEET,
    local: Local = False,
    yes: Yes = False,
    image: Annotated[
        list[str] | None,
        typer.Option(metavar="NAME=IMAGE", help="Take an image of the Docker engine instead of building NAME; repeat."),
    ] = None,
    accept_losses: Annotated[
        bool, typer.Option("--accept-losses", help="With --yes, also when tables, buckets or balancers are replaced.")
    ] = False,
    timeout: Timeout = 60.0,
    as_json: AsJson = False,
) -> None:
    """Check, build, push, show the plan, ask, deploy, and say what really happened.

    Exits with 0 when every service runs the new version, 1 when one was rolled back or failed, 3 when AWS failed, and
    4 when something is not decided yet. Interrupted at any moment, the same command finishes the job.

    With --local it all happens in the local cloud, which is started if none runs; what this machine does not have is
    replaced, and each replacement is told.

    Example: `inferfleet deploy examples/ml-inference/fleet.yaml --local`
    """
    from inferfleet.cli.target import Show, confirm, print_json, target
    from inferfleet.deploy.operations import words
    from inferfleet.deploy.operations.deploy import Job, carry_out, prepare

    with (
        target(fleet, local=local, start=True) as where,
        Show(quiet=as_json) as show,
        tempfile.TemporaryDirectory(prefix="inferfleet-") as work,
    ):
        show.step(f"checking {fleet}")
        _examine(where, fleet.parent)
        _validate(where)
        job = Job(
            where.fleet, fleet.parent, Path(work) / "cdk.out", where.account, where.substitutions, _given(image or [])
        )
        prepared = prepare(job, show)
        if not as_json:
            print(words.plan(prepared.plan), flush=True)
        if not prepared.plan.changes_nothing:
            _may_begin(prepared.plan, yes=yes, accept_losses=accept_losses, as_json=as_json)
            confirm("Deploy this?", yes=yes, as_json=as_json)
        result = carry_out(job, prepared, show, timeout=60 * timeout)
    if as_json:
        print_json({"plan": prepared.plan.as_data(), "result": result.as_data()})
    else:
        _tell(result)
    raise typer.Exit(result.exit_code)


def _given(pairs: list[str]) -> dict[str, str]:
    given = {}
    for pair in pairs:
        name, separator, reference = pair.partition("=")
        if not separator or not name or not reference:
            raise InputError(f"--image {pair}: write NAME=IMAGE, such as --image api=my-api:1.2")
        given[name] = reference
    return given


def _examine(where: Target, folder: Path) -> None:
    from inferfleet.deploy.operations import doctor, words
    from inferfleet.errors import OutsideError

    found = doctor.examine(where.account, where.fleet, folder)
    bad = [check for check in found if check.level is not doctor.Level.OK]
    if bad:
        print(words.checks(bad), file=sys.stderr)
    if any(check.level is doctor.Level.FAILED for check in found):
        raise OutsideError("this cannot be deployed from here as it is; `inferfleet doctor` checks again")


def _validate(where: Target) -> None:
    """Asks the rules. The local cloud runs a fleet that they refuse too: it is where one tries."""
    from inferfleet.deploy.formatters import text
    from inferfleet.deploy.lint import engine
    from inferfleet.deploy.lint.finding import Severity

    report = engine.lint_paths([where.path])
    if report.count(Severity.ERROR) or report.count(Severity.WARNING):
        print(text.render(report, colour=sys.stderr.isatty()), file=sys.stderr)
    if report.failed and not where.account.is_local:
        raise InputError(f"{where.path} has mistakes; correct them, or say in a comment why each is none")


def _may_begin(plan: Plan, *, yes: bool, accept_losses: bool, as_json: bool) -> None:
    from inferfleet.deploy.operations import words

    if as_json and (plan.problems or plan.losses):
        print(words.plan(plan), file=sys.stderr)
    if plan.problems:
        raise InputError("this plan cannot end well; see above why, and what to do first")
    if yes and plan.losses and not accept_losses:
        raise InputError("this plan takes away what holds data or traffic; look at it, and add --accept-losses")


def _tell(result: Result) -> None:
    from inferfleet.deploy.operations import words

    print()
    for item in result.verdicts:
        print(words.verdict(item))
    for error in result.errors:
        print(f"CloudFormation: {error}")
    for service, url in result.addresses.items():
        print(f"{service}: {url}")
    ends = {0: "done", 1: "the new version does not run", 3: "AWS failed", 4: "not decided yet; inferfleet status"}
    print(f"{result.fleet}: {ends[result.exit_code]} after {result.seconds:.0f} s")
