"""Reloads a model when its file, or its file of names, changes on disk."""

from __future__ import annotations

from pathlib import Path

import structlog
from watchfiles import awatch

from inferfleet.config.serve import ServedModel, ServeFile
from inferfleet.errors import InferfleetError
from inferfleet.serving.registry import Registry

_log = structlog.get_logger(__name__)

Stamp = tuple[int, int, int]


async def watch_files(config: ServeFile, registry: Registry) -> None:
    """Watches the folders of local files, so that files swapped by a rename or a link are noticed too."""
    files = {name: local_files(model) for name, model in config.models.items()} if config.watch else {}
    folders = {file.parent for known in files.values() for file in known}
    if not folders:
        return
    stamps = {name: _stamps(known) for name, known in files.items()}
    async for _ in awatch(*folders, recursive=False, rust_timeout=500, debounce=400):
        for name, known in files.items():
            present = _stamps(known)
            if present != stamps[name] and None not in present:
                stamps[name] = present
                _log.info("model file changed", model=name)
                try:
                    await registry.reload(name)
                except InferfleetError:
                    continue  # told by the registry; the next change of the file tries again


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
