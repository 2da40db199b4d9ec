"""Where events go: the `sinks` of `cameras.yaml`."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, Field, PositiveInt, field_validator, model_validator

from inferfleet.config.base import Model

_PLACEHOLDERS = frozenset(
    ("camera", "date", "year", "month", "day", "hour", "time", "id", "type", "kind", "ext"),
)
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
            value.format(**dict.fromkeys(_PLACEHOLDERS, "x"))
        except (KeyError, IndexError, ValueError, AttributeError) as error:
            known = ", ".join(sorted(_PLACEHOLDERS))
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


Settings = FileSink | StdoutSink | SnapshotsSink
"""The settings of any kind of sink."""

_SHORT = {"file": "path", "snapshots": "folder"}
"""The setting that a kind's short form gives: `- file: events.jsonl`."""


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
            return {
                key: {}
                if inner is None
                else {_SHORT[key]: inner}
                if isinstance(inner, str) and key in _SHORT
                else inner
                for key, inner in value.items()
            }
        return value

    @model_validator(mode="after")
    def _exactly_one(self) -> Sink:
        given = [kind for kind in type(self).model_fields if getattr(self, kind) is not None]
        if len(given) != 1:
            raise ValueError(f"a sink is exactly one of {', '.join(type(self).model_fields)}; found {given or 'none'}")
        return self

    @property
    def kind(self) -> str:
        """The kind of sink: the key it is written under."""
        return next(kind for kind in type(self).model_fields if getattr(self, kind) is not None)

    @property
    def settings(self) -> Settings:
        """The settings of that kind."""
        settings: Settings = getattr(self, self.kind)
        return settings


def sink_names(sinks: Iterable[Sink]) -> tuple[str, ...]:
    """Returns the sinks' names, in order: those given, else the kind, with `-2`, `-3` … for further ones of a kind."""
    names: list[str] = []
    counts: dict[str, int] = {}
    for sink in sinks:
        if sink.settings.name is not None:
            names.append(sink.settings.name)
            continue
        counts[sink.kind] = counts.get(sink.kind, 0) + 1
        names.append(sink.kind if counts[sink.kind] == 1 else f"{sink.kind}-{counts[sink.kind]}")
    return tuple(names)


def _distinct(sinks: tuple[Sink, ...]) -> tuple[Sink, ...]:
    names = sink_names(sinks)
    twice = next((name for name in names if names.count(name) > 1), None)
    if twice is not None:
        raise ValueError(f"two sinks have the name {twice!r}; give one of them another `name`")
    files = [sink.file.path for sink in sinks if sink.file is not None]
    shared = next((path for path in files if files.count(path) > 1), None)
    if shared is not None:
        raise ValueError(f"two file sinks write to {shared}; give each its own `path`")
    if sum(sink.stdout is not None for sink in sinks) > 1:
        raise ValueError("there is one standard output; keep one `stdout` sink")
    return sinks


Sinks = Annotated[tuple[Sink, ...], Field(min_length=1), AfterValidator(_distinct)]
"""All sinks of a worker. Each gets every event; their names differ."""
