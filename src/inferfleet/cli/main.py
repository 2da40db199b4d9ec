"""The front door: finds the command by its name and imports only that one.

`inferfleet --help` must answer at once, so the table below holds each command's one-line help, and nothing of a
command is imported before it is asked for.
"""

from __future__ import annotations

import importlib
import sys
from typing import Annotated

import typer

from inferfleet import __version__
from inferfleet.errors import InferfleetError

COMMANDS: dict[str, str] = {
    "run": "Run cameras through models and deliver events.",
    "serve": "Serve models over HTTP.",
    "detect": "Find objects in pictures.",
    "models": "Inspect, quantize and export model files.",
    "init": "Write the first files of a fleet.",
    "validate": "Check fleets, cameras, infrastructure files, scripts and guides.",
    "show": "Print a fleet with everything that it does not say.",
    "doctor": "Say whether a deployment can work, and what to do where it cannot.",
    "plan": "Say what a deployment will do.",
    "deploy": "Build, push, plan, deploy a fleet, and say how it ended.",
    "status": "Show what runs of a fleet.",
    "logs": "Print what a fleet's tasks print.",
    "exec": "Run a command in a task.",
    "rollback": "Bring a service's earlier version back.",
    "scale": "Change how many tasks a service has.",
    "restart": "Replace a service's tasks by new ones.",
    "destroy": "Remove a fleet, and say what is left.",
    "render": "Write a fleet as files for ECS, Kubernetes or a pipeline.",
    "kvs": "Put video into Kinesis Video Streams, get it out, list streams.",
    "local": "AWS on this machine: start it, stop it, use it.",
    "workers": "Show which worker holds which camera.",
    "policy": "Print the IAM policy that a cameras.yaml needs.",
    "recovery": "See and steer GPU recovery, or simulate it.",
    "jobs": "Start, list and stop jobs that recovery keeps alive.",
    "schema": "Print the JSON Schema of a file that you write.",
    "demo": "Render four cameras, run the worker, compare with the truth.",
}
"""Command and its one-line help. The module `inferfleet.cli.<command>` holds `register(app)`."""

INTERRUPTED = 130


def main() -> None:
    """Runs the command line and exits: 0 done, 1 input, 2 usage, 3 the outside world, 130 interrupted."""
    wanted = next((argument for argument in sys.argv[1:] if not argument.startswith("-")), None)
    try:
        build(wanted)()
    except InferfleetError as error:
        print(f"inferfleet: {error}", file=sys.stderr)
        sys.exit(error.exit_code)
    except KeyboardInterrupt:
        sys.exit(INTERRUPTED)


def build(wanted: str | None) -> typer.Typer:
    """Builds the command line with `wanted` in full and every other command as its line in the overview."""
    app = typer.Typer(
        name="inferfleet",
        help="Vision models on AWS containers: cameras to events, models to HTTP APIs.",
        no_args_is_help=True,
        add_completion=False,
        pretty_exceptions_enable=False,
        rich_markup_mode="markdown",
        context_settings={"help_option_names": ["-h", "--help"]},
    )
    app.callback()(_options)
    for name, summary in COMMANDS.items():
        if name == wanted:
            importlib.import_module(f"inferfleet.cli.{name}").register(app)
        else:
            app.command(name, help=summary)(_overview_only)
    return app


def _overview_only() -> None:
    """Stands for a command that was not asked for."""


def _print_version(wanted: bool) -> None:
    if wanted:
        print(f"inferfleet {__version__}")
        raise typer.Exit


def _options(
    version: Annotated[
        bool, typer.Option("--version", help="Print the version and exit.", callback=_print_version, is_eager=True)
    ] = False,
) -> None:
    """Holds the options that come before any command."""
