"""`inferfleet jobs`: gangs that recovery keeps alive: start, list, stop, retry."""

from __future__ import annotations

import json
import re
from typing import Annotated, Any

import typer

from inferfleet.cli.recovery import AsJson, Cluster, _known, _parts, _print, _table, told
from inferfleet.errors import InputError

_NAME = re.compile(r"^[A-Za-z0-9][A-Za-z0-9_-]{0,63}$")
"""Job ids become part of `startedBy`, which takes letters, digits, hyphens, underscores and slashes."""


def register(app: typer.Typer) -> None:
    """Adds the commands."""
    group = typer.Typer(help="Start, list and stop jobs that recovery keeps alive.", no_args_is_help=True)
    group.command("run")(told(run))
    group.command("list")(told(list_jobs))
    group.command("stop")(told(stop))
    group.command("retry")(told(retry))
    app.add_typer(group, name="jobs")


def run(
    name: Annotated[str, typer.Argument(help="Id of the job; letters, digits, - and _.")],
    task_definition: Annotated[str, typer.Option("--task-definition", "-t", help="Family, family:revision or ARN.")],
    size: Annotated[int, typer.Option(help="Tasks that run together or not at all.", min=1)] = 1,
    gpus: Annotated[int, typer.Option(help="GPUs of each task.", min=1)] = 8,
    container: Annotated[str, typer.Option(help="Container that gets INFERFLEET_JOB, _RANK, _SIZE, _GENERATION.")] = "",
    network: Annotated[str, typer.Option(help="awsvpc network configuration, as JSON.")] = "",
    cluster: Cluster = "",
    as_json: AsJson = False,
) -> None:
    """Register a gang of tasks and start it on nodes in service.

    Example: `inferfleet jobs run llm -t train:7 --size 16 --container trainer`
    """
    from inferfleet.recovery.core.observations import JobSubmitted

    if not _NAME.match(name):
        raise InputError(f'"{name}" cannot be a job\'s name; it takes up to 64 letters, digits, - and _')
    launch: dict[str, Any] = {"task_definition": task_definition, "container": container}
    if network:
        try:
            launch["network"] = json.loads(network)
        except ValueError as error:
            raise InputError(f"--network is not JSON: {error}") from None
    parts = _parts(cluster)
    if parts.recovery.store.view().job(name) is not None:
        raise InputError(f'there is a job "{name}" already; choose another name, or inferfleet jobs retry {name}')
    parts.recovery.observe(JobSubmitted(name, size, gpus, json.dumps(launch)))
    _show(parts, name, as_json)


def list_jobs(cluster: Cluster = "", as_json: AsJson = False) -> None:
    """All jobs and where they are."""
    from inferfleet.recovery.core.codec import encode

    found = sorted(_parts(cluster).recovery.store.scan("job"), key=lambda job: str(job.id))
    if as_json:
        _print(encode(found))
        return
    rows = [(j.id, j.phase, f"{j.running}/{j.size}", str(j.generation), str(j.attempts), j.reason) for j in found]
    _table(("job", "phase", "up", "start", "attempts", "reason"), rows)


def stop(
    name: Annotated[str, typer.Argument(help="Id of the job.")], cluster: Cluster = "", as_json: AsJson = False
) -> None:
    """Stop a job for good: recovery leaves it alone from then on."""
    _order("stop-job", name, cluster, as_json)


def retry(
    name: Annotated[str, typer.Argument(help="Id of the job.")], cluster: Cluster = "", as_json: AsJson = False
) -> None:
    """Start a stopped or given-up job again, with its attempts at 0."""
    _order("retry-job", name, cluster, as_json)


def _order(verb: str, name: str, cluster: str, as_json: bool) -> None:
    import getpass

    from inferfleet.recovery.core.observations import Command, Verb

    parts = _parts(cluster)
    _known(parts.recovery.store.view().job(name), "job", name)
    parts.recovery.observe(Command(Verb(verb), name, getpass.getuser()))
    _show(parts, name, as_json)


def _show(parts: Any, name: str, as_json: bool) -> None:
    from inferfleet.recovery.core.codec import encode

    job = parts.recovery.store.view().job(name)
    if as_json:
        _print(encode(job))
    else:
        typer.echo(f"{name} is {job.phase}: {job.running} of {job.size} tasks run, start {job.generation}")
