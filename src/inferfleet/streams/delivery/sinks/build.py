"""From the `sinks` of a configuration to sinks. Each kind's module, and what it needs, is imported only when used."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from inferfleet.config import sink_aws as aws
from inferfleet.config import sink_settings as local
from inferfleet.config import sinks as config
from inferfleet.streams.delivery.sinks.base import Sink


def open_sinks(sinks: Iterable[config.Sink], base: Path) -> list[Sink]:
    """Makes the sinks of a configuration, each with its name; `Delivery` connects them.

    Args:
        sinks: The configuration.
        base: The folder that relative paths start from.
    """
    configured = tuple(sinks)
    names = config.sink_names(configured)
    return [_make(name, sink.settings, base) for name, sink in zip(names, configured, strict=True)]


def _make(name: str, settings: config.Settings, base: Path) -> Sink:
    if isinstance(settings, aws.AnySink):
        return _make_on_aws(name, settings)
    match settings:
        case local.FileSink():
            from inferfleet.streams.delivery.sinks.file import FileSink

            return FileSink(name, base / settings.path, settings.max_bytes, settings.keep)
        case local.StdoutSink():
            from inferfleet.streams.delivery.sinks.stdout import StdoutSink

            return StdoutSink(name)
        case local.SnapshotsSink():
            from inferfleet.streams.delivery.sinks.folder import FolderSink

            return FolderSink(name, base / settings.folder)


def _make_on_aws(name: str, settings: aws.AnySink) -> Sink:
    match settings:
        case aws.KinesisSink():
            from inferfleet.streams.delivery.sinks.kinesis import KinesisSink

            return KinesisSink(name, settings)
        case aws.S3Sink():
            from inferfleet.streams.delivery.sinks.s3 import S3Sink

            return S3Sink(name, settings)
        case aws.DynamoDbSink():
            from inferfleet.streams.delivery.sinks.dynamodb import DynamoDbSink

            return DynamoDbSink(name, settings)
        case aws.EventBridgeSink():
            from inferfleet.streams.delivery.sinks.eventbridge import EventBridgeSink

            return EventBridgeSink(name, settings)
        case aws.SnsSink():
            from inferfleet.streams.delivery.sinks.sns import SnsSink

            return SnsSink(name, settings)
