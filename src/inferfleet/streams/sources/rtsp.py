"""IP cameras and media servers over RTSP.

Capture time is the camera's own clock once its first RTCP sender report has come (FFmpeg attaches it to each packet),
and the arrival of the packet before that.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import quote, urlsplit, urlunsplit

from inferfleet.config.sources import RtspSource
from inferfleet.errors import InputError
from inferfleet.streams.sources.live import LiveReader
from inferfleet.streams.sources.opening import open_container, without_secrets

if TYPE_CHECKING:
    from av.container import InputContainer
    from av.video.stream import VideoStream


class RtspReader(LiveReader):
    """Reads an RTSP stream, over TCP unless the configuration says otherwise."""

    has_clock = True

    def __init__(
        self,
        camera: str,
        config: RtspSource,
        *,
        base: Path = Path(),
        fps_target: float | None = None,
        threads: int = 1,
    ) -> None:
        """Prepares the source; see `open_source`.

        Raises:
            InputError: The file of certificates is not there.
        """
        what = f"camera {camera!r}: {without_secrets(config.url)}"
        super().__init__(camera, what, config.timeout, fps_target=fps_target, threads=threads)
        self._config = config
        self._ca_file = None if config.ca_file is None else base / config.ca_file
        if self._ca_file is not None and not self._ca_file.is_file():
            raise InputError(f"{what}: the `ca_file` {self._ca_file} is not there")

    def open(self) -> tuple[InputContainer, VideoStream]:
        """Connects and asks for the video alone."""
        options = {"rtsp_transport": self._config.transport, "allowed_media_types": "video"}
        if self._ca_file is not None:
            options |= {"tls_verify": "1", "ca_file": str(self._ca_file)}
        return open_container(
            _with_credentials(self._config),
            what=self._what,
            format="rtsp",
            options=options,
            timeout=self._config.timeout,
        )


def _with_credentials(config: RtspSource) -> str:
    if config.username is None:
        return config.url
    user = quote(config.username, safe="")
    if config.password is not None:
        user += ":" + quote(config.password.get_secret_value(), safe="")
    parts = urlsplit(config.url)
    host = parts.netloc.rpartition("@")[2]
    return urlunsplit(parts._replace(netloc=f"{user}@{host}"))
