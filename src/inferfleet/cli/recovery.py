"""`inferfleet recovery`: what recovery is doing, why, and the orders a person can give it; and the simulator."""

from __future__ import annotations

import functools
import json
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from inferfleet.errors import InputError, OutsideError

if TYPE_CHECKING:
    from inferfleet.recovery.aws.handlers import Parts
    from inferfleet.recovery.simulator.run import Outcome

AsJson = Annotated[bool, typer.Option("--json", help="Print JSON.")]
Cluster = Annotated[
    str,
    typer.Option("--cluster", envvar="ECS_CLUSTER_NAME", help="The cluster; its tables are named by the environment."),
]


def register(app: typer.Typer) -> None:
    """Adds the commands."""
    group = typer.Typer(help="See and steer GPU recovery.", no_args_is_help=True)
    for command in (status, incidents, explain, replay, drain, return_node, pause, resume):
        group.command("return" if command is return_node else command.__name__)(told(command))
    group.command("simulate")(simulate)
    app.add_typer(group, name="recovery")


def told(command: Callable[..., None]) -> Callable[..., None]:
    """A command whose troubles with AWS are told with the way out."""

    @functools.wraps(command)
    def run(**given: Any) -> None:
        with _troubles(given.get("cluster", "")):
            command(**given)

    return run


@contextmanager
def _troubles(cluster: str) -> Iterator[None]:
    """Turns what boto3 raises into errors that say what to do.

    Raises:
        InputError: No region is chosen, or recovery is not deployed for this cluster.
        OutsideError: AWS cannot be reached, or refuses.
    """
    try:
        import boto3
        from botocore.exceptions import ClientError, NoRegionError
    except ModuleNotFoundError:
        raise OutsideError("this command talks to AWS and needs boto3: pip install 'inferfleet[recovery]'") from None
    from inferfleet.deploy.operations import account

    region = boto3.session.Session().region_name or ""
    with account.told(region):
        try:
            yield
        except NoRegionError:
            raise InputError("no region: set AWS_REGION, or name a profile that has one with AWS_PROFILE") from None
        except ClientError as error:
            if account.code(error) != "ResourceNotFoundException":
                raise
            raise InputError(
                f'recovery is not deployed for the cluster "{cluster}" in {region}: one of its tables is not there; '
                "deploy EcsGpuRecoveryStack, or set TASK_TABLE_NAME, JOB_TABLE_NAME … to the names that it has"
            ) from error


def status(cluster: Cluster = "", as_json: AsJson = False) -> None:
    """Nodes that are not in service, jobs, budgets, and whether recovery acts."""
    from inferfleet.recovery.core.codec import encode

    store = _parts(cluster).recovery.store
    fleet = store.view().fleet
    nodes = [node for node in store.scan("node") if node.phase not in ("in-service", "retired")]
    jobs = list(store.scan("job"))
    if as_json:
        _print({"fleet": encode(fleet), "acting": fleet.acting, "nodes": encode(nodes), "jobs": encode(jobs)})
        return
    brake = (fleet.paused and f"paused {fleet.paused}") or (fleet.breaker and f"stopped: {fleet.breaker}") or "acting"
    typer.echo(f"{fleet.nodes} nodes, {fleet.fenced} fenced, {fleet.repairing} in repair; {brake}")
    _table(("node", "phase", "incident", "reason"), [(n.id, n.phase, n.incident, n.reason) for n in nodes])
    _table(
        ("job", "phase", "start", "up", "attempts", "reason"),
        [(j.id, j.phase, str(j.generation), f"{j.running}/{j.size}", str(j.attempts), j.reason) for j in jobs],
    )


def incidents(
    cluster: Cluster = "",
    open_only: Annotated[bool, typer.Option("--open", help="Only those that are not over.")] = False,
    as_json: AsJson = False,
) -> None:
    """All incidents, newest first."""
    from inferfleet.recovery.core.codec import encode

    found = sorted(_parts(cluster).recovery.store.scan("incident"), key=lambda item: -item.opened_at)
    found = [item for item in found if not open_only or item.closed_at is None]
    if as_json:
        _print(encode(found))
        return
    rows = [(item.id, item.subject, _when(item.opened_at), item.outcome or "open", item.cause) for item in found]
    _table(("incident", "subject", "opened", "outcome", "cause"), rows)


def explain(
    incident: Annotated[str, typer.Argument(help="Its id.")], cluster: Cluster = "", as_json: AsJson = False
) -> None:
    """Tell an incident's story: what was seen, decided and done, and why."""
    from inferfleet.recovery.core.codec import encode

    store = _parts(cluster).recovery.store
    found = _known(store.view().incident(incident), "incident", incident)
    decisions = store.decisions(incident)
    if as_json:
        _print({"incident": encode(found), "decisions": [encode(item) for item in decisions]})
        return
    typer.echo(f"{found.id}: {found.subject}\n{found.cause}\n")
    for step in found.steps:
        typer.echo(f"{_when(step.at)}  {step.text}")
    typer.echo(f"\noutcome: {found.outcome or 'open'}; {len(decisions)} decisions on record")


def replay(
    incident: Annotated[str, typer.Argument(help="Its id.")], cluster: Cluster = "", as_json: AsJson = False
) -> None:
    """Take an incident's decisions again from their recorded inputs, and say whether they come out the same."""
    from inferfleet.recovery.core.record import replay as take_again

    store = _parts(cluster).recovery.store
    _known(store.view().incident(incident), "incident", incident)
    rows = []
    for recorded in store.decisions(incident):
        decision, same = take_again(recorded)
        rows.append(
            {"at": recorded.now, "observation": recorded.observation, "same": same, "reasons": list(decision.reasons)}
        )
    if as_json:
        _print(rows)
    else:
        for row in rows:
            mark = "same" if row["same"] else "DIFFERENT"
            typer.echo(f"{_when(float(str(row['at'])))}  {row['observation']:<16} {mark}  {'; '.join(row['reasons'])}")  # type: ignore[arg-type]
    if not all(row["same"] for row in rows):
        raise typer.Exit(1)


def drain(
    node: Annotated[str, typer.Argument(help="EC2 instance id.")], cluster: Cluster = "", as_json: AsJson = False
) -> None:
    """Fence a node: nothing new starts there until it is returned."""
    _order_node("drain", node, cluster, as_json)


def return_node(
    node: Annotated[str, typer.Argument(help="EC2 instance id.")], cluster: Cluster = "", as_json: AsJson = False
) -> None:
    """Bring a fenced node back to service, by way of a passing diagnosis."""
    _order_node("return", node, cluster, as_json)


def pause(cluster: Cluster = "", as_json: AsJson = False) -> None:
    """Stop all automatic action; observing goes on."""
    _order("pause", "", cluster, as_json)


def resume(cluster: Cluster = "", as_json: AsJson = False) -> None:
    """Act again, after a pause or after the breaker has opened."""
    _order("resume", "", cluster, as_json)


def simulate(
    nodes: Annotated[int, typer.Option(help="Nodes.", min=2)] = 64,
    gpus_per_node: Annotated[int, typer.Option(help="GPUs of each.", min=1)] = 8,
    days: Annotated[float, typer.Option(help="Days to simulate.")] = 7.0,
    seed: Annotated[int, typer.Option(help="The same seed gives the same run.")] = 1,
    profile: Annotated[str, typer.Option(help="llama3, gentle or storm.")] = "llama3",
    events_lost: Annotated[float, typer.Option(help="Share of events that never arrive.")] = 0.0,
    duplicates: Annotated[float, typer.Option(help="Share of events that come twice.")] = 0.02,
    html: Annotated[Path | None, typer.Option(help="Write a report with plots there.")] = None,
    as_json: AsJson = False,
) -> None:
    """Play a fleet's failures through recovery's own core, and report how it fared. No AWS needed.

    Its limits are those of RECOVERY_POLICY, as for the Lambdas.

    Example: `inferfleet recovery simulate --nodes 2048 --days 54 --profile llama3 --html report.html`
    """
    import gc
    import os

    from inferfleet.recovery.aws.settings import policy_of
    from inferfleet.recovery.simulator.run import Settings
    from inferfleet.recovery.simulator.run import simulate as run

    try:
        limits = policy_of(os.environ)
        settings = Settings(nodes, gpus_per_node, days, seed, profile, events_lost, duplicates, limits)
    except ValueError as error:
        raise InputError(str(error)) from None
    gc.set_threshold(200_000, 50, 50)
    outcome = _with_progress(lambda on_progress: run(settings, on_progress))
    if html is not None:
        from inferfleet.recovery.simulator.html import page

        try:
            html.write_text(page(outcome), encoding="utf-8")
        except OSError as error:
            raise InputError(f"{html}: {error.strerror}; --html takes a file in a folder that can be written") from None
    if as_json:
        _print(outcome.summary())
    else:
        _print_outcome(outcome)
    if outcome.limits_broken:
        raise typer.Exit(1)


def _with_progress(work: Any) -> Outcome:
    from rich.console import Console
    from rich.progress import Progress

    with Progress(console=Console(stderr=True), transient=True) as bar:
        line = bar.add_task("simulating", total=1.0)
        outcome: Outcome = work(lambda share: bar.update(line, completed=share))
    return outcome


def _print_outcome(outcome: Outcome) -> None:
    def pair(seconds: tuple[float, float]) -> str:
        return ", ".join(f"{value:.0f} s" for value in seconds)

    rows = (
        ("GPUs, jobs", f"{outcome.gpus:,}, {outcome.jobs}"),
        ("faults, interruptions", f"{outcome.faults:,}, {outcome.interruptions:,}"),
        ("effective time", f"{outcome.effective_share:.2%}"),
        ("detected after (median, p95)", pair(outcome.detect)),
        ("fenced after", pair(outcome.fence)),
        ("repaired after", pair(outcome.repair)),
        ("reboots, of them false", f"{outcome.reboots:,}, {outcome.false_reboots}"),
        ("replacements", f"{outcome.replacements:,}"),
        ("jobs lost", str(outcome.jobs_lost)),
        ("people called", str(outcome.people_called)),
        ("limits broken", str(outcome.limits_broken)),
        ("events, of them lost", f"{outcome.events:,}, {outcome.events_lost:,}"),
        ("simulated in", f"{outcome.wall_seconds:.0f} s"),
    )
    for name, value in rows:
        typer.echo(f"{name:<30} {value}")
    for call in outcome.calls:
        typer.echo(f"  {call}")


def _order_node(verb: str, node: str, cluster: str, as_json: bool) -> None:
    parts = _parts(cluster)
    _known(parts.recovery.store.view().node(node), "node", node)
    _order(verb, node, cluster, as_json)


def _order(verb: str, target: str, cluster: str, as_json: bool) -> None:
    import getpass

    from inferfleet.recovery.core.codec import encode
    from inferfleet.recovery.core.observations import Command, Verb

    parts = _parts(cluster)
    parts.recovery.observe(Command(Verb(verb), target, getpass.getuser()))
    view = parts.recovery.store.view()
    after = view.node(target) if target else view.fleet
    if as_json:
        _print(encode(after))
    elif target:
        typer.echo(f"{target} is {getattr(after, 'phase', 'unknown')}")
    else:
        typer.echo("acting" if view.fleet.acting else f"paused {view.fleet.paused}")


def _parts(cluster: str) -> Parts:
    """Recovery as the command line uses it: the same code as in the Lambdas, with this machine's credentials."""
    import os

    import boto3

    from inferfleet.recovery.aws.handlers import assemble
    from inferfleet.recovery.aws.settings import settings_from

    if not cluster:
        raise InputError("no cluster: give --cluster, or set ECS_CLUSTER_NAME")
    try:
        settings = settings_from({**os.environ, "ECS_CLUSTER_NAME": cluster})
    except ValueError as error:
        raise InputError(str(error)) from None
    make_client: Any = boto3.client
    return assemble(settings, make_client)


def _known(found: Any, kind: str, key: str) -> Any:
    if found is None:
        raise InputError(
            f'there is no {kind} "{key}"; see inferfleet recovery {"incidents" if kind == "incident" else "status"}'
        )
    return found


def _when(at: float) -> str:
    from datetime import UTC, datetime

    return datetime.fromtimestamp(at, UTC).strftime("%Y-%m-%d %H:%M:%S")


def _table(head: tuple[str, ...], rows: Sequence[tuple[str, ...]]) -> None:
    from rich.console import Console
    from rich.table import Table

    if rows:
        table = Table(*head)
        for row in rows:
            table.add_row(*(str(cell) for cell in row))
        Console().print(table)


def _print(value: Any) -> None:
    typer.echo(json.dumps(value, indent=2))
