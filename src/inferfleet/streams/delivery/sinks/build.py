"""From the `sinks` of a configuration to sinks."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

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
    match settings:
        case config.FileSink():
            from inferfleet.streams.delivery.sinks.file import FileSink

            return FileSink(name, base / settings.path, settings.max_bytes, settings.keep)
        case config.StdoutSink():
            from inferfleet.streams.delivery.sinks.stdout import StdoutSink

            return StdoutSink(name)
        case config.SnapshotsSink():
            from inferfleet.streams.delivery.sinks.folder import FolderSink

            return FolderSink(name, base / settings.folder)
