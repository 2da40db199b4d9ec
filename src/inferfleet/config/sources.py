"""Where a camera's frames come from: the `source` of a camera in `cameras.yaml`."""

from __future__ import annotations

import re
from datetime import datetime
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Field, PositiveFloat, SecretStr

from inferfleet.config.base import Model


class FileSource(Model):
    """A video file, in any container and codec that FFmpeg reads."""

    type: Literal["file"] = "file"
    path: Path
    """The file; relative to the configuration's folder."""
    loop: bool = False
    """Begin again at the end, for ever."""
    pace: Literal["fast", "realtime"] = "fast"
    """`realtime` plays the file at its own speed, as a camera would; `fast` reads as fast as it is processed."""
    start_time: datetime | None = None
    """Capture time of the first frame; the file's creation time (its metadata, else 1970) when left out."""


class RtspSource(Model):
    """An IP camera or a media server."""

    type: Literal["rtsp"] = "rtsp"
    url: str = Field(pattern=r"^rtsps?://")
    """`rtsp://host:port/path`. Credentials belong into `username` and `password`, not here."""
    transport: Literal["tcp", "udp"] = "tcp"
    """`tcp` loses nothing; `udp` has less delay on a good network."""
    username: str | None = None
    """User name, usually `${RTSP_USERNAME}`."""
    password: SecretStr | None = None
    """Password, usually `${RTSP_PASSWORD}`; it never shows in a log."""
    ca_file: Path | None = None
    """For `rtsps://`: certificates that the camera's must be signed by (PEM); relative to the configuration's folder.
    Without it the camera's certificate is not checked, as cameras come with one that nobody has signed."""
    timeout: PositiveFloat = 10.0
    """Seconds without data after which the connection counts as stalled and is made anew."""


class HttpSource(Model):
    """A stream or file over HTTP: MJPEG, MPEG-TS, progressive MP4, or HLS (`.m3u8`)."""

    type: Literal["http"] = "http"
    url: str = Field(pattern=r"^https?://")
    """The address."""
    headers: dict[str, SecretStr] = {}
    """Extra request headers, such as `Authorization: Bearer ${TOKEN}`."""
    timeout: PositiveFloat = 10.0
    """Seconds without data after which the connection counts as stalled and is made anew."""


class KvsSource(Model):
    """A stream of Amazon Kinesis Video Streams."""

    type: Literal["kvs"] = "kvs"
    stream: str = Field(pattern=r"^[a-zA-Z0-9_.-]{1,256}$")
    """Name of the stream. Credentials come from the ordinary AWS chain: a task role, a profile, the environment."""
    region: str | None = None
    """AWS region; from the environment when left out."""
    endpoint_url: str | None = None
    """Address of the control plane, for another than AWS's; from the environment when left out."""
    via: Literal["media", "hls"] = "media"
    """`media` (GetMedia): least delay, three readers a stream. `hls`: seconds later, more readers, needs retention."""
    start: Literal["now", "earliest"] | datetime = "now"
    """Where to begin when there is no checkpoint; a time is the producer's."""
    max_lag: PositiveFloat = 60.0
    """For `live` cameras: seconds behind the newest fragment at which reading jumps to now."""
    max_clock_skew: PositiveFloat = 86_400.0
    """Seconds between the producer's clock and the server's beyond which frames are stamped with the server's."""
    timeout: PositiveFloat = 30.0
    """Seconds without data after which the connection counts as stalled and is made anew."""


class DeviceSource(Model):
    """A camera on this machine (Video4Linux)."""

    type: Literal["device"] = "device"
    path: Path
    """For example `/dev/video0`."""
    format: str = "v4l2"
    """FFmpeg's name of the input device."""
    size: tuple[int, int] | None = None
    """Width and height to ask the camera for."""
    fps: PositiveFloat | None = None
    """Frame rate to ask the camera for."""
    timeout: PositiveFloat = 10.0
    """Seconds without a frame after which the device is opened anew."""


class ImagesSource(Model):
    """A folder of pictures, in the order of their names."""

    type: Literal["images"] = "images"
    path: Path
    """The folder; relative to the configuration's folder."""
    pattern: str = "*"
    """Which files of the folder, as a shell pattern; files that are no pictures are skipped and counted."""
    fps: PositiveFloat = 1.0
    """How many pictures make a second of capture time."""
    loop: bool = False
    """Begin again at the end, for ever."""
    pace: Literal["fast", "realtime"] = "fast"
    """`realtime` delivers `fps` pictures a second; `fast` as fast as they are processed."""
    start_time: datetime | None = None
    """Capture time of the first picture; 1970 when left out."""


def _from_text(value: Any) -> Any:
    """Understands the short forms: an address, a device, a folder (with a final `/`), or else a file."""
    if isinstance(value, Path):
        value = str(value)
    if isinstance(value, dict) and "type" not in value:
        kind = "kvs" if "stream" in value else _guess_type(str(value.get("url") or value.get("path") or ""))
        return {**value, "type": kind}
    if not isinstance(value, str):
        return value
    kind = _guess_type(value)
    if kind == "kvs":
        return {"type": kind, "stream": value.removeprefix("kvs://")}
    return {"type": kind, "url" if kind in ("rtsp", "http") else "path": value}


def _guess_type(address: str) -> str:
    if re.match(r"rtsps?://", address):
        return "rtsp"
    if address.startswith("kvs://"):
        return "kvs"
    if re.match(r"https?://", address):
        return "http"
    if address.startswith("/dev/"):
        return "device"
    return "images" if address.endswith("/") else "file"


Source = Annotated[
    Annotated[
        FileSource | RtspSource | HttpSource | KvsSource | DeviceSource | ImagesSource,
        Field(discriminator="type"),
    ],
    BeforeValidator(_from_text),
]
"""Any source; a plain string is understood as its short form."""
