"""Applies a changed `cameras.yaml` to a running worker: when the file changes, or on SIGHUP."""

from __future__ import annotations

import threading
from collections.abc import Callable
from pathlib import Path

import structlog
from watchfiles import watch

from inferfleet.config.base import read
from inferfleet.config.cameras import CamerasFile
from inferfleet.errors import InferfleetError

_log = structlog.get_logger(__name__)


class Reloader:
    """Watches the configuration's folder, so that editors and config maps that swap the file are noticed too."""

    def __init__(self, path: Path, apply: Callable[[CamerasFile], list[str]]) -> None:
        """Prepares to watch; `apply` gets each new configuration and returns the cameras that changed."""
        self._path = path
        self._apply = apply
        self._stop = threading.Event()
        self._lock = threading.Lock()
        self._text = _bytes(path)
        self._thread = threading.Thread(target=self._watch, name="reload", daemon=True)

    def start(self) -> None:
        """Starts watching."""
        self._thread.start()

    def stop(self) -> None:
        """Stops watching."""
        self._stop.set()
        self._thread.join()

    def reload(self) -> None:
        """Reads the file and applies it; a broken one changes nothing and is logged with its mistakes."""
        with self._lock:
            self._text = _bytes(self._path)
            try:
                changed = self._apply(read(self._path, CamerasFile))
            except InferfleetError as error:
                _log.error("the new configuration is not used; the old one stays in force", error=str(error))
            else:
                _log.info("configuration applied", cameras_changed=changed)

    def _watch(self) -> None:
        for _ in watch(self._path.parent, stop_event=self._stop, recursive=False, rust_timeout=500):
            if _bytes(self._path) != self._text:
                self.reload()


def _bytes(path: Path) -> bytes | None:
    try:
        return path.read_bytes()
    except OSError:
        return None
