"""`inferfleet validate`: configuration, infrastructure and guides, checked before anything is deployed."""

from __future__ import annotations

import gc
import json
import sys
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer


class Format(StrEnum):
    """How findings are printed."""

    TEXT = "text"
    JSON = "json"
    SARIF = "sarif"


def register(app: typer.Typer) -> None:
    """Adds the command."""
    app.command("validate")(validate)


def validate(
    paths: Annotated[list[Path] | None, typer.Argument(help="Files and folders; the current folder if none.")] = None,
    select: Annotated[str, typer.Option(help="Only these rules or groups: `ecs,iam/wildcard-action`.")] = "",
    ignore: Annotated[str, typer.Option(help="Not these rules or groups.")] = "",
    output: Annotated[Format, typer.Option("--format", help="How to print what was found.")] = Format.TEXT,
    as_json: Annotated[bool, typer.Option("--json", help="The same as --format json.")] = False,
    explain: Annotated[str, typer.Option(metavar="RULE", help="Print why a rule exists and what to do.")] = "",
    rules: Annotated[bool, typer.Option("--rules", help="List all rules.")] = False,
) -> None:
    """Check `fleet.yaml` and `cameras.yaml`, and what you already have.

    ECS task definitions and services, IAM policies, CloudFormation templates, Kubernetes manifests, Dockerfiles,
    `.env` files, and the AWS commands in scripts and Markdown guides. Nothing is run and AWS is not called.

    Exits with 1 when there is an error among the findings.
    """
    from inferfleet.deploy.lint import engine, registry

    if explain:
        from inferfleet.deploy.formatters.explain import page

        print(page(registry.find(explain)))
        return
    if rules:
        for rule in registry.all_rules():
            print(f"{rule.id:44} {rule.severity.value:8} {rule.title}")
        return
    # What is read lives until the end, so the collector would only cost time.
    gc.disable()
    options = engine.Options(select=_words(select), ignore=_words(ignore))
    report = engine.lint_paths(paths or [Path()], options)
    _print(report, Format.JSON if as_json else output)
    raise typer.Exit(1 if report.failed else 0)


def _words(text: str) -> tuple[str, ...]:
    return tuple(word.strip() for word in text.split(",") if word.strip())


def _print(report: object, output: Format) -> None:
    from inferfleet.deploy.formatters import machine, text
    from inferfleet.deploy.lint.engine import Report

    assert isinstance(report, Report)
    if output is Format.TEXT:
        print(text.render(report, colour=sys.stdout.isatty()))
    else:
        print(json.dumps(machine.as_json(report) if output is Format.JSON else machine.as_sarif(report), indent=2))
