"""Reloads a model when its file, or its file of names, changes on disk."""

from __future__ import annotations

import asyncio
import contextlib
from pathlib import Path

import structlog

from inferfleet.config.serve import ServedModel, ServeFile
from inferfleet.errors import InferfleetError
from inferfleet.serving.registry import Registry

_log = structlog.get_logger(__name__)

_INTERVAL_SECONDS = 0.5

Stamp = tuple[int, int, int]


class FileWatch:
    """Looks at local files again and again, which misses nothing, not even on network mounts or while models load."""

    def __init__(self, config: ServeFile) -> None:
        """Notes what the files are like; make it before they are loaded."""
        files = {name: local_files(model) for name, model in config.models.items()} if config.watch else {}
        self._files = {name: known for name, known in files.items() if known}
        self._loaded = {name: _stamps(known) for name, known in self._files.items()}

    async def run(self, registry: Registry) -> None:
        """Reloads each model whose files are others than were loaded, once they have stopped changing."""
        before = self._loaded
        while self._files:
            await asyncio.sleep(_INTERVAL_SECONDS)
            present = {name: _stamps(known) for name, known in self._files.items()}
            for name, stamps in present.items():
                if stamps != self._loaded[name] and stamps == before[name] and None not in stamps:
                    self._loaded = {**self._loaded, name: stamps}
                    _log.info("model file changed", model=name)
                    with contextlib.suppress(InferfleetError):  # told by the registry; the next change tries again
                        await registry.reload(name)
            before = present


def local_files(model: ServedModel) -> tuple[Path, ...]:
    """The files of a model that are on this machine and may change."""
    if "://" in model.path or model.path.startswith("zoo:"):
        return ()
    files = [Path(model.path).expanduser().absolute()]
    if isinstance(model.names, str) and Path(model.names).expanduser().is_file():
        files.append(Path(model.names).expanduser().absolute())
    return tuple(files)


def _stamps(files: tuple[Path, ...]) -> tuple[Stamp | None, ...]:
    return tuple(_stamp(file) for file in files)


def _stamp(file: Path) -> Stamp | None:
    try:
        found = file.stat()
    except OSError:
        return None
    return found.st_ino, found.st_size, found.st_mtime_ns
