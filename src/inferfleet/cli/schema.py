"""`inferfleet schema`: JSON Schemas for editors and other programs."""

from __future__ import annotations

import json
from enum import StrEnum
from typing import Annotated

import typer


class Subject(StrEnum):
    """What there are schemas of."""

    CAMERAS = "cameras"
    EVENT = "event"
    FLEET = "fleet"
    SERVE = "serve"


def register(app: typer.Typer) -> None:
    """Adds the command."""
    app.command("schema")(schema)


def schema(
    subject: Annotated[
        Subject,
        typer.Argument(help="cameras: cameras.yaml; fleet: fleet.yaml; serve: serve.yaml; event: what sinks get."),
    ],
) -> None:
    """Print the JSON Schema of a file that you write, or of the events that come out.

    Example: `inferfleet schema cameras > cameras.schema.json`, then begin cameras.yaml with
    `# yaml-language-server: $schema=cameras.schema.json`.
    """
    if subject is Subject.CAMERAS:
        from inferfleet.config.cameras import CamerasFile

        print(json.dumps(CamerasFile.model_json_schema(), indent=2))
    elif subject is Subject.FLEET:
        from inferfleet.config.fleet import FleetFile

        print(json.dumps(FleetFile.model_json_schema(), indent=2))
    elif subject is Subject.SERVE:
        from inferfleet.config.serve import ServeFile

        print(json.dumps(ServeFile.model_json_schema(), indent=2))
    else:
        from inferfleet.streams.event import json_schema

        print(json.dumps(json_schema(), indent=2))
