"""Video over HTTP: MJPEG, MPEG-TS, progressive MP4, and HLS.

Capture time is the arrival of the packet: none of these carries a clock that FFmpeg passes on.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from inferfleet.config.sources import HttpSource
from inferfleet.errors import InputError
from inferfleet.streams.sources.live import LiveReader
from inferfleet.streams.sources.opening import open_container, without_secrets

if TYPE_CHECKING:
    from av.container import InputContainer
    from av.video.stream import VideoStream

_PROTOCOLS = "http,https,httpproxy,tcp,tls,crypto"
"""What a playlist may lead to: never to files of this machine."""


class HttpReader(LiveReader):
    """Reads a video over HTTP. One with a known duration ends; everything else is live."""

    def __init__(self, camera: str, config: HttpSource, *, fps_target: float | None = None, threads: int = 1) -> None:
        """Prepares the source; see `open_source`."""
        what = f"camera {camera!r}: {without_secrets(config.url)}"
        super().__init__(camera, what, config.timeout, fps_target=fps_target, threads=threads)
        self._config = config
        headers = {name: value.get_secret_value() for name, value in config.headers.items()}
        for name, value in headers.items():
            if {"\r", "\n"} & set(name + value):
                raise InputError(
                    f"camera {camera!r}: the header {name!r} holds a line break; headers are one line each"
                )
        self._headers = "".join(f"{name}: {value}\r\n" for name, value in headers.items())

    def open(self) -> tuple[InputContainer, VideoStream]:
        """Sends the request and looks at what comes."""
        # With one request a connection, FFmpeg 8.1 reuses closed connections when it seeks, and loses the first frames.
        options = {"protocol_whitelist": _PROTOCOLS, "multiple_requests": "1"}
        if self._headers:
            options["headers"] = self._headers
        return open_container(self._config.url, what=self._what, options=options, timeout=self._config.timeout)
