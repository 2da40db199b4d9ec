"""`inferfleet render`: a fleet as files for those who deploy by other means."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer


class Format(StrEnum):
    """What can be rendered."""

    ECS = "ecs"
    CLOUDFORMATION = "cloudformation"
    KUBERNETES = "kubernetes"
    CI = "ci"
    GRAFANA = "grafana"


def register(app: typer.Typer) -> None:
    """Adds the command."""
    app.command("render")(render)


def render(
    fleet: Annotated[Path, typer.Argument(help="The fleet.yaml.")] = Path("fleet.yaml"),
    kind: Annotated[Format, typer.Option("--format", help="What to write.")] = Format.ECS,
    out: Annotated[Path | None, typer.Option(help="Folder to write to; `out/<format>` if none.")] = None,
) -> None:
    """Write a fleet as files for other tools. AWS is not called.

    ecs: task definition, service, IAM policies with the reason of each statement, and .env.example, for `aws ecs`.
    cloudformation: the templates of the CDK stacks. kubernetes: manifests and a kustomization.yaml.
    ci: a GitHub Actions workflow and an AWS CodeBuild buildspec. grafana: a dashboard, and alerts for Prometheus.

    Example: `inferfleet render fleet.yaml --format ecs --out out/ecs`
    """
    from inferfleet.config.fleet import read_fleet
    from inferfleet.deploy import render as rendering
    from inferfleet.deploy.resolve import resolve
    from inferfleet.errors import OutsideError

    folder = out or Path("out") / kind.value
    resolved = resolve(read_fleet(fleet))
    for name, text in rendering.files(resolved, rendering.Format(kind.value), fleet.parent).items():
        target = folder / name
        try:
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_text(text)
        except OSError as error:
            raise OutsideError(f"{target}: cannot be written: {error.strerror}") from error
        print(target)
