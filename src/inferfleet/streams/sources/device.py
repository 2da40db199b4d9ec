"""Cameras on this machine. Capture time is the arrival of the packet."""

from __future__ import annotations

from typing import TYPE_CHECKING

from inferfleet.config.sources import DeviceSource
from inferfleet.streams.sources.live import LiveReader
from inferfleet.streams.sources.opening import open_container

if TYPE_CHECKING:
    from av.container import InputContainer
    from av.video.stream import VideoStream


class DeviceReader(LiveReader):
    """Reads an input device through FFmpeg (Video4Linux unless the configuration says otherwise)."""

    def __init__(self, camera: str, config: DeviceSource, *, fps_target: float | None = None, threads: int = 1) -> None:
        """Prepares the source; see `open_source`."""
        what = f"camera {camera!r}: the device {config.path}"
        super().__init__(camera, what, config.timeout, fps_target=fps_target, threads=threads)
        self._config = config

    def open(self) -> tuple[InputContainer, VideoStream]:
        """Opens the device with the size and rate asked for."""
        options = {}
        if self._config.size is not None:
            options["video_size"] = f"{self._config.size[0]}x{self._config.size[1]}"
        if self._config.fps is not None:
            options["framerate"] = f"{self._config.fps:g}"
        return open_container(
            str(self._config.path),
            what=self._what,
            format=self._config.format,
            options=options,
            timeout=self._config.timeout,
        )
