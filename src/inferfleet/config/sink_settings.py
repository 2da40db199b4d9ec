"""What can be said about each kind of sink that needs nothing but this machine, and what all sinks have in common."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field, PositiveInt, field_validator

from inferfleet.config.base import Model

PLACEHOLDERS = ("camera", "date", "year", "month", "day", "hour", "time", "id", "type", "kind", "ext")
"""What a template of paths may name."""

SinkName = Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9_-]{0,31}$")]


class SinkSettings(Model):
    """What every sink has."""

    name: SinkName | None = None
    """Its name in the status, the metrics and the spool; its kind when left out (`file`, a second one `file-2`)."""


class PictureSettings(SinkSettings):
    """What sinks of pictures have in common."""

    template: str = "{camera}/{date}/{time}-{id}-{kind}.{ext}"
    """Path of a picture, from: camera, date (2026-01-31), year, month, day, hour, time (083000-000000), id (of the
    event), type (`zone.enter`), kind (full or crop), ext. Times are UTC."""
    format: Literal["jpeg", "png"] = "jpeg"
    """File format."""
    quality: Annotated[int, Field(ge=1, le=100)] = 85
    """JPEG quality."""
    full: bool = True
    """Write the whole picture, annotated."""
    crops: bool = False
    """Write the event's object alone, unannotated."""

    @field_validator("template")
    @classmethod
    def _usable(cls, value: str) -> str:
        try:
            value.format(**dict.fromkeys(PLACEHOLDERS, "x"))
        except (KeyError, IndexError, ValueError, AttributeError) as error:
            known = ", ".join(PLACEHOLDERS)
            raise ValueError(f"unknown placeholder {error} in the template; known: {known}") from error
        if "{id}" not in value or "{kind}" not in value:
            raise ValueError("the template must hold {id} and {kind}, or pictures would overwrite each other")
        if value.startswith("/") or ".." in value.split("/"):
            raise ValueError("the template must lead to a place below the folder: no leading `/`, no `..`")
        return value


class FileSink(SinkSettings):
    """Events as JSON lines, fsynced, rotated by size."""

    type: Literal["file"] = "file"
    path: Path
    """The file that is written to; full ones are renamed to `<name>.1`, `.2` …"""
    max_bytes: PositiveInt = 64 * 1024 * 1024
    """Size in bytes at which the file is rotated."""
    keep: PositiveInt = 10
    """How many rotated files are kept."""


class StdoutSink(SinkSettings):
    """Events as JSON lines on standard output."""

    type: Literal["stdout"] = "stdout"


class SnapshotsSink(PictureSettings):
    """Annotated pictures of events, and crops of their objects, as files."""

    type: Literal["snapshots"] = "snapshots"
    folder: Path
    """Where the pictures go."""
