"""Pictures of events as files below a folder, each whole or not there at all."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Sequence
from pathlib import Path

from inferfleet.streams.delivery.item import Attachment, Item
from inferfleet.streams.delivery.paths import safe_path
from inferfleet.streams.delivery.sinks.base import Failure, SinkError


class FolderSink:
    """Writes the pictures that are meant for it, under a temporary name first."""

    batch_size = 32

    def __init__(self, name: str, folder: Path) -> None:
        self.name = name
        self.folder = folder

    def open(self) -> None:
        """Checks that files can be made in the folder.

        Raises:
            SinkError: They cannot.
        """
        probe = self.folder / f".inferfleet-{os.getpid()}"
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
            probe.write_bytes(b"")
            probe.unlink()
        except OSError as error:
            raise SinkError(f"the folder {self.folder} of snapshots cannot be written: {error.strerror}") from error

    def deliver(self, batch: Sequence[Item]) -> Sequence[Failure]:
        """Writes the pictures; one that is there already is replaced by its equal."""
        folders = {self._write(attachment) for item in batch for attachment in item.attachments}
        for folder in folders:
            _sync(folder)
        return ()

    def close(self) -> None:
        """Has nothing to let go of."""

    def _write(self, attachment: Attachment) -> Path:
        path = self.folder / safe_path(attachment.path)
        path.parent.mkdir(parents=True, exist_ok=True)
        temporary = path.with_name(f".{path.name}.part")
        try:
            with temporary.open("wb") as file:
                file.write(attachment.data)
                file.flush()
                os.fsync(file.fileno())
            temporary.replace(path)
        except OSError:
            with contextlib.suppress(OSError):
                temporary.unlink()
            raise
        return path.parent


def _sync(folder: Path) -> None:
    file = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(file)
    finally:
        os.close(file)
