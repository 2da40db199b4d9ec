"""Where events go: the `sinks` of `cameras.yaml`."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Annotated, Any

from pydantic import AfterValidator, Field, model_validator

from inferfleet.config.base import Model
from inferfleet.config.sink_aws import AnySink, DynamoDbSink, EventBridgeSink, KinesisSink, S3Sink, SnsSink
from inferfleet.config.sink_settings import FileSink, SnapshotsSink, StdoutSink

Settings = FileSink | StdoutSink | SnapshotsSink | AnySink
"""The settings of any kind of sink."""

_SHORT = {
    "file": "path",
    "snapshots": "folder",
    "kinesis": "stream",
    "s3": "bucket",
    "dynamodb": "table",
    "eventbridge": "bus",
    "sns": "topic",
}
"""The setting that a kind's short form gives: `- file: events.jsonl`."""


class Sink(Model):
    """One sink, written as `- <kind>: {…}`, for example `- file: {path: events.jsonl}` or `- stdout`."""

    file: FileSink | None = None
    """JSON lines in a file."""
    stdout: StdoutSink | None = None
    """JSON lines on standard output."""
    snapshots: SnapshotsSink | None = None
    """Pictures of the events, in a folder."""
    kinesis: KinesisSink | None = None
    """Records of a Kinesis data stream."""
    s3: S3Sink | None = None
    """Pictures of the events, in an S3 bucket."""
    dynamodb: DynamoDbSink | None = None
    """Items of a DynamoDB table."""
    eventbridge: EventBridgeSink | None = None
    """Events on an EventBridge bus."""
    sns: SnsSink | None = None
    """Messages of an SNS topic."""

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
