"""Opening a container with PyAV, and telling what went wrong without giving away a password."""

from __future__ import annotations

import errno
import re
import time
from collections.abc import Mapping
from urllib.parse import urlsplit

import av
from av.container import InputContainer
from av.error import FFmpegError
from av.video.stream import VideoStream

from inferfleet.streams.sources.base import SourceError, StalledError

_NEEDS_CREDENTIALS = (401, 403)


def without_secrets(url: str) -> str:
    """Returns an address without user, password and query, for messages and logs."""
    parts = urlsplit(url)
    if not parts.scheme or not parts.netloc:
        return url
    return f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}{parts.path}"


def open_container(
    target: str,
    *,
    what: str,
    format: str | None = None,
    options: Mapping[str, str] | None = None,
    timeout: float | None = None,
) -> tuple[InputContainer, VideoStream]:
    """Opens a container and finds its video.

    Args:
        target: File, address or device.
        what: How to call it in errors; `target` itself never shows in them.
        format: FFmpeg's name of the format, where it cannot be guessed.
        options: For FFmpeg's protocol and demuxer.
        timeout: Seconds for connecting, and for each read.

    Raises:
        SourceError: It cannot be opened, or holds no video that can be decoded.
        StalledError: Nothing came within the timeout.
    """
    began = time.monotonic()
    try:
        container = av.open(
            target, "r", format=format, options=dict(options or {}), timeout=timeout, metadata_errors="replace"
        )
    except (FFmpegError, OSError, ValueError) as error:
        if timeout is not None and time.monotonic() - began >= timeout:
            # Some demuxers report their own confusion instead of the read that timed out.
            raise StalledError(f"{what} gave no answer for {timeout:g} s") from None
        raise source_error(error, what, timeout) from None
    stream = next((s for s in container.streams.video if s.codec_context is not None), None)
    if stream is None:
        container.close()
        raise SourceError(f"{what} has no video that can be decoded")
    return container, stream


def source_error(error: Exception, what: str, timeout: float | None = None) -> SourceError:
    """Tells what a failed read or open means. FFmpeg's own words may hold the address with its password."""
    if isinstance(error, av.error.ExitError):
        return StalledError(f"{what} gave nothing for {timeout:g} s" if timeout else f"{what} gave nothing in time")
    reason = getattr(error, "strerror", None) or type(error).__name__
    code = re.search(r"\b([45]\d\d)\b", reason)
    hint = ""
    if code is not None and int(code[1]) in _NEEDS_CREDENTIALS:
        hint = "; check its user name and password"
    elif getattr(error, "errno", None) == errno.EIO:
        reason = "the connection broke, or the other side closed it"
    elif isinstance(error, av.error.InvalidDataError):
        reason = "it holds nothing that FFmpeg can read as video"
    return SourceError(f"{what} cannot be read: {reason}{hint}")
