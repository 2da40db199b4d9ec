"""Disk space kept back, so that a full disk still lets the spool note what is delivered and so get free again."""

from __future__ import annotations

import contextlib
import os
import shutil
from pathlib import Path

RESERVE_BYTES = 16 * 1024**2
"""SQLite's log grows to 4 MiB and one transaction before it is folded into the file, which then grows by as much."""


class Reserve:
    """A file of a few megabytes that is given up when the disk is full."""

    def __init__(self, path: Path, size: int = RESERVE_BYTES) -> None:
        self.path = path
        self.size = size

    def fill(self) -> None:
        """Takes the space, if the disk has it."""
        with contextlib.suppress(OSError):
            file = os.open(self.path, os.O_WRONLY | os.O_CREAT | os.O_CLOEXEC, 0o644)
            try:
                os.posix_fallocate(file, 0, self.size)
            except OSError:
                self.release()
            finally:
                os.close(file)

    def release(self) -> None:
        """Gives the space up."""
        with contextlib.suppress(OSError):
            self.path.unlink(missing_ok=True)

    def has_room(self, size: int) -> bool:
        """Whether the disk has `size` bytes and those of the reserve besides."""
        return shutil.disk_usage(self.path.parent).free >= size + self.size
