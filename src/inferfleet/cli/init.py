"""`inferfleet init`: the first files of a fleet."""

from __future__ import annotations

import sys
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from inferfleet.deploy.start import Start


class Template(StrEnum):
    """What a fleet can begin as."""

    CAMERAS = "kvs-infer"
    API = "ml-inference"
    RECOVERY = "gpu-recovery"


def register(app: typer.Typer) -> None:
    """Adds the command."""
    app.command("init")(init)


def init(
    folder: Annotated[Path, typer.Argument(help="Where to write.")] = Path(),
    template: Annotated[
        Template | None, typer.Option(help="kvs-infer: cameras on a GPU; ml-inference: an API on Fargate.")
    ] = None,
    name: Annotated[str, typer.Option(help="Name of the fleet; the template's if none.")] = "",
    region: Annotated[str, typer.Option(help="AWS region.")] = "us-east-1",
    from_env: Annotated[Path | None, typer.Option(help="Make the fleet from this .env file.")] = None,
    force: Annotated[bool, typer.Option("--force", help="Overwrite files that exist.")] = False,
) -> None:
    """Write the first fleet.yaml, and cameras.yaml where there are cameras.

    Example: `inferfleet init --template ml-inference --name cats`, or `inferfleet init --from-env deployment/ecs/.env`
    """
    from inferfleet.config import fleet_env
    from inferfleet.deploy import start

    if from_env is not None:
        made = start.from_env(fleet_env.read(from_env), str(from_env))
    else:
        chosen = template or _asked_template()
        asked = name or (_asked("Name of the fleet", chosen.value) if template is None else chosen.value)
        made = start.from_template(start.Template(chosen.value), asked, region)
    _write(made, folder, force=force)


def _asked_template() -> Template:
    """Asks a person; a program has to say it."""
    if not sys.stdin.isatty():
        return Template.CAMERAS
    choices = ", ".join(item.value for item in Template)
    return Template(_asked(f"Begin as ({choices})", Template.CAMERAS.value))


def _asked(question: str, default: str) -> str:
    if not sys.stdin.isatty():
        return default
    answer: str = typer.prompt(question, default=default, err=True)
    return answer


def _write(made: Start, folder: Path, *, force: bool) -> None:
    from inferfleet.errors import InputError, OutsideError

    there = [name for name in made.files if (folder / name).exists()]
    if there and not force:
        raise InputError(f"{folder / there[0]} exists already; add --force to overwrite it, or name another folder")
    for name, text in made.files.items():
        try:
            folder.mkdir(parents=True, exist_ok=True)
            (folder / name).write_text(text)
        except OSError as error:
            raise OutsideError(f"{folder / name}: cannot be written: {error.strerror}") from error
        print(folder / name)
    for note in made.notes:
        print(f"note: {note}", file=sys.stderr)
