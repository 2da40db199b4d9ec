"""`inferfleet local`: AWS on this machine, with Kinesis Video Streams and its faults."""

from __future__ import annotations

import json
import shlex
import sys
import urllib.request
from typing import TYPE_CHECKING, Annotated, Any

import typer

from inferfleet.errors import InputError

if TYPE_CHECKING:
    from inferfleet.localcloud.cloud import Cloud

AsJson = Annotated[bool, typer.Option("--json", help="Print JSON.")]


def register(app: typer.Typer) -> None:
    """Adds the commands."""
    group = typer.Typer(help="AWS on this machine: start it, stop it, use it.", no_args_is_help=True)
    group.command("up")(up)
    group.command("down")(down)
    group.command("status")(status)
    group.command("env")(env)
    app.add_typer(group, name="local")


def up(
    host: Annotated[str, typer.Option(help="Address to listen at; 0.0.0.0 lets others in.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(help="Port of the AWS services; 0 for any that is free.")] = 4566,
    kvs_port: Annotated[int, typer.Option(help="Port of Kinesis Video Streams; 0 for any that is free.")] = 4567,
    region: Annotated[str, typer.Option(help="The region that it plays.")] = "us-east-1",
    fault: Annotated[
        list[str] | None,
        typer.Option(
            help="A fault of Kinesis Video Streams, such as `cut:after=30s` or `throttle:call=GetMedia,times=5`."
        ),
    ] = None,
    only_kvs: Annotated[bool, typer.Option("--only-kvs", help="Kinesis Video Streams alone.")] = False,
    stay: Annotated[bool, typer.Option("--stay", help="Stay until told to stop, and stop it then.")] = False,
) -> None:
    """Start MiniStack and Kinesis Video Streams; they go on in the background.

    Faults: cut, end, stall, slow, error, truncate, throttle, busy, expired-endpoint, expired-token, broken; each with
    after=30s, after=2MB or after=3f (fragments), rate=50KB, id=5000, times=N (0: for ever), stream=NAME, call=NAME.

    Example: `inferfleet local up && eval "$(inferfleet local env)"`
    """
    from inferfleet.localcloud import cloud

    home = cloud.folder()
    running = cloud.find(home)
    if running is not None:
        for spec in fault or ():
            _inject(running.services["kvs"].url, spec)
        print("already running" + (f"; {len(fault)} faults added" if fault else ""), file=sys.stderr)
    else:
        running = cloud.start(
            home, host=host, port=port, kvs_port=kvs_port, region=region, faults=fault or (), only_kvs=only_kvs
        )
    for service in running.services.values():
        print(f"{service.name:<22} {service.url}", file=sys.stderr)
    print('use it: eval "$(inferfleet local env)"', file=sys.stderr)
    if stay:
        _stay(running)


def _stay(running: Cloud) -> None:
    """Returns on SIGTERM or Ctrl-C, with the cloud stopped.

    Raises:
        OutsideError: One of its servers has ended by itself.
    """
    import signal
    import threading

    from inferfleet.errors import OutsideError
    from inferfleet.localcloud import cloud

    stop = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stop.set())
    try:
        while not stop.wait(1):
            for service in running.services.values():
                if not service.process.is_alive:
                    raise OutsideError(f"{service.name} has ended; its log is {service.log}")
    finally:
        cloud.stop(cloud.folder())


def down() -> None:
    """Stop it. What was in it is gone."""
    from inferfleet.localcloud import cloud

    print("stopped" if cloud.stop(cloud.folder()) else "nothing runs", file=sys.stderr)


def status(as_json: AsJson = False) -> None:
    """Tell what runs, what is in Kinesis Video Streams, and which faults wait. Exit code 1 when nothing runs."""
    from inferfleet.localcloud import cloud

    running = cloud.find(cloud.folder())
    if running is None:
        if as_json:
            print(json.dumps({"running": False}))
        raise InputError("the local cloud does not run; start it with `inferfleet local up`")
    healthy = {service.name: service.is_healthy for service in running.services.values()}
    kvs = running.services["kvs"]
    inside = _inside(kvs.url) if healthy[kvs.name] else {"streams": {}, "faults": [], "injected": {}}
    if as_json:
        services = {
            s.name: {"url": s.url, "healthy": healthy[s.name], "log": str(s.log)} for s in running.services.values()
        }
        print(json.dumps({"running": True, "region": running.region, "services": services, "kvs": inside}))
        return
    from rich.console import Console
    from rich.table import Table

    table = Table("service", "address", "state", "log", box=None)
    for service in running.services.values():
        table.add_row(service.name, service.url, "up" if healthy[service.name] else "DOWN", str(service.log))
    console = Console()
    console.print(table)
    streams = Table("stream", "fragments", "MB", "readers", "writers", box=None)
    for name, stream in inside["streams"].items():
        size = f"{stream['bytes'] / 1e6:.1f}"
        streams.add_row(name, str(stream["fragments"]), size, str(stream["readers"]), str(stream["writers"]))
    if inside["streams"]:
        console.print(streams)
    console.print(f"{len(inside['faults'])} faults wait, injected so far: {inside['injected'] or 'none'}")


def env(as_json: AsJson = False) -> None:
    """Print the exports that make boto3, the AWS command line and inferfleet use it.

    Example: `eval "$(inferfleet local env)"`
    """
    from inferfleet.localcloud import cloud

    running = cloud.find(cloud.folder())
    if running is None:
        raise InputError("the local cloud does not run; start it with `inferfleet local up`")
    variables = running.environment()
    if as_json:
        print(json.dumps(variables))
        return
    for name, value in variables.items():
        print(f"export {name}={shlex.quote(value)}")


def _inject(url: str, spec: str) -> None:
    from inferfleet.localcloud.kvs import faults

    faults.parse(spec)
    request = urllib.request.Request(f"{url}/_inferfleet/faults", spec.encode(), method="POST")
    with urllib.request.urlopen(request, timeout=5):
        pass


def _inside(url: str) -> dict[str, Any]:
    with urllib.request.urlopen(f"{url}/_inferfleet/state", timeout=5) as answer:
        return dict(json.loads(answer.read()))
