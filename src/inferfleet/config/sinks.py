"""Where events go: the `sinks` of `cameras.yaml`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import Field, PositiveInt, field_validator, model_validator

from inferfleet.config.base import Model

_PLACEHOLDERS = {"camera", "date", "time", "id", "type", "kind", "ext"}


class FileSink(Model):
    """Events as JSON lines, fsynced, rotated by size."""

    type: Literal["file"] = "file"
    path: Path
    """The file that is written to; full ones are renamed to `<name>.1`, `.2` …"""
    max_bytes: PositiveInt = 64 * 1024 * 1024
    """Size in bytes at which the file is rotated."""
    keep: PositiveInt = 10
    """How many rotated files are kept."""


class StdoutSink(Model):
    """Events as JSON lines on standard output."""

    type: Literal["stdout"] = "stdout"


class SnapshotsSink(Model):
    """Annotated pictures of events, and crops of their objects, as files."""

    type: Literal["snapshots"] = "snapshots"
    folder: Path
    """Where the pictures go."""
    template: str = "{camera}/{date}/{time}-{id}-{kind}.{ext}"
    """Path of a picture below `folder`, from: camera, date, time, id (of the event), type, kind (full or crop), ext."""
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
    def _known_placeholders(cls, value: str) -> str:
        try:
            value.format(**dict.fromkeys(_PLACEHOLDERS, "x"))
        except (KeyError, IndexError, ValueError) as error:
            known = ", ".join(sorted(_PLACEHOLDERS))
            raise ValueError(f"unknown placeholder {error} in the template; known: {known}") from error
        if "{id}" not in value or "{kind}" not in value:
            raise ValueError("the template must hold {id} and {kind}, or pictures would overwrite each other")
        return value


class Sink(Model):
    """One sink, written as `- file: {…}`, `- stdout: {}` or `- snapshots: {…}`."""

    file: FileSink | None = None
    """JSON lines in a file."""
    stdout: StdoutSink | None = None
    """JSON lines on standard output."""
    snapshots: SnapshotsSink | None = None
    """Pictures of the events."""

    @model_validator(mode="before")
    @classmethod
    def _shorthand(cls, value: Any) -> Any:
        if isinstance(value, str):
            return {value: {}}
        if isinstance(value, dict):
            short = {"file": "path", "snapshots": "folder"}
            return {
                key: {} if inner is None else {short[key]: inner} if isinstance(inner, str) and key in short else inner
                for key, inner in value.items()
            }
        return value

    @model_validator(mode="after")
    def _exactly_one(self) -> Sink:
        given = [name for name in type(self).model_fields if getattr(self, name) is not None]
        if len(given) != 1:
            raise ValueError(f"a sink is exactly one of {', '.join(type(self).model_fields)}; found {given or 'none'}")
        return self

    @property
    def name(self) -> str:
        """The kind of sink: the key it is written under."""
        return next(name for name in type(self).model_fields if getattr(self, name) is not None)

    @property
    def settings(self) -> FileSink | StdoutSink | SnapshotsSink:
        """The settings of that kind."""
        settings: FileSink | StdoutSink | SnapshotsSink = getattr(self, self.name)
        return settings
