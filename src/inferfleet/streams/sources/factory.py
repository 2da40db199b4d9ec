"""From a camera's configuration to its source. Each kind is imported only where a camera has it."""

from __future__ import annotations

from pathlib import Path

from inferfleet.config import sources as config
from inferfleet.config.cameras import Camera
from inferfleet.streams.sources.base import Source


def open_source(camera: Camera, base: Path, decoder_threads: int = 1) -> Source:
    """Makes the source of a camera; nothing is opened before its `frames` is read.

    Args:
        camera: Whose source to make.
        base: The folder that relative paths of the configuration start from.
        decoder_threads: Threads for the decoder: 1 where many cameras share the cores, 0 (as many as there are
            cores) for a camera alone.
    """
    source = camera.source
    match source:
        case config.FileSource():
            from inferfleet.streams.sources.file import FileReader

            return FileReader(camera.id, source, base, fps_target=camera.fps_target, threads=decoder_threads)
        case config.ImagesSource():
            from inferfleet.streams.sources.images import ImagesReader

            return ImagesReader(camera.id, source, base, fps_target=camera.fps_target)
        case config.RtspSource():
            from inferfleet.streams.sources.rtsp import RtspReader

            return RtspReader(camera.id, source, base=base, fps_target=camera.fps_target, threads=decoder_threads)
        case config.HttpSource():
            from inferfleet.streams.sources.http import HttpReader

            return HttpReader(camera.id, source, fps_target=camera.fps_target, threads=decoder_threads)
        case config.KvsSource():
            from inferfleet.streams.kvs.source import KvsReader

            return KvsReader(
                camera.id,
                source,
                is_complete=camera.is_complete,
                fps_target=camera.fps_target,
                threads=decoder_threads,
            )
        case config.DeviceSource():
            from inferfleet.streams.sources.device import DeviceReader

            return DeviceReader(camera.id, source, fps_target=camera.fps_target, threads=decoder_threads)
