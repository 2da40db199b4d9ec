"""A folder that one process has to itself."""

from __future__ import annotations

import contextlib
import fcntl
import os
from pathlib import Path

from inferfleet.errors import InputError


class FolderLock:
    """Holds a folder until it is released or the process ends, however it ends."""

    def __init__(self, folder: Path) -> None:
        """Takes the folder.

        Raises:
            InputError: Another process has it.
            OSError: The lock file cannot be written.
        """
        self._file = os.open(folder / "lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
        try:
            fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            owner = os.pread(self._file, 32, 0).decode(errors="replace").strip() or "unknown"
            os.close(self._file)
            raise InputError(
                f"the spool {folder} is in use by another worker (process {owner}); "
                "stop that one, or give this one its own `spool.path`"
            ) from None
        os.ftruncate(self._file, 0)
        os.pwrite(self._file, f"{os.getpid()}\n".encode(), 0)

    def release(self) -> None:
        """Gives the folder up."""
        with contextlib.suppress(OSError):
            os.close(self._file)
