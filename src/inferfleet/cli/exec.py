"""`inferfleet exec`: a command in a running task."""

from __future__ import annotations

import subprocess
import sys
from typing import Annotated

import typer

from inferfleet.cli.target import DEFAULT_FLEET, AsJson, FleetFile, Local


def register(app: typer.Typer) -> None:
    """Adds the command."""
    app.command("exec", context_settings={"ignore_unknown_options": True, "allow_interspersed_args": False})(execute)


def execute(
    service: Annotated[str, typer.Argument(help="The service.")],
    command: Annotated[list[str] | None, typer.Argument(help="The command; a shell if none.")] = None,
    fleet: FleetFile = DEFAULT_FLEET,
    local: Local = False,
    task: Annotated[str, typer.Option(help="The task whose id begins so; the newest if none.")] = "",
    container: Annotated[str, typer.Option(help="The container, where a task has several.")] = "",
    as_json: AsJson = False,
) -> None:
    """Run a command in a task and end with its exit code; options stand before the service.

    On AWS this is ECS Exec: write `exec: true` at the service in fleet.yaml and install AWS's session-manager-plugin.
    With --json the output is collected and nothing is typed.

    Example: `inferfleet exec --local api python -c "import openvino; print(openvino.__version__)"`
    """
    from inferfleet.cli.target import print_json, target
    from inferfleet.deploy.operations import execute as running
    from inferfleet.deploy.operations.service import read_service, read_tasks
    from inferfleet.errors import InputError

    with target(fleet, local=local) as where:
        chosen = where.on_ecs(service, "exec -it deployment/{} -- sh")
        if not chosen.spec.exec and not where.account.is_local:
            raise InputError(f"service {chosen.key} does not allow it; write `exec: true` in fleet.yaml and deploy")
        name = read_service(where.account, where.fleet.cluster, chosen.names.service).name
        found = running.choose(read_tasks(where.account, where.fleet.cluster, service=name), task)
        inside = running.container_of(found, container)
        terminal = sys.stdin.isatty() and sys.stdout.isatty() and not as_json
        line = running.command_line(
            where.account, where.fleet.cluster, found, inside, command or ["/bin/sh"], terminal=terminal
        )
    done = subprocess.run(line, check=False, capture_output=as_json, text=True)
    if as_json:
        print_json(
            {
                "task": found.id, "container": inside, "exit_code": done.returncode, "stdout": done.stdout,
                "stderr": done.stderr,
            }
        )  # fmt: skip
    raise typer.Exit(done.returncode)
