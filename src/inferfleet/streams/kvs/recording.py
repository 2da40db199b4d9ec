"""A video file as a producer's fragments: its coded frames untouched, cut at key frames, stamped with capture times."""

from __future__ import annotations

import io
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

import msgspec

from inferfleet.errors import InputError
from inferfleet.streams.kvs import writer
from inferfleet.streams.kvs.fragments import Fragment, Frame, Track
from inferfleet.streams.kvs.matroska import Framing, MatroskaReader
from inferfleet.streams.kvs.put_media import Outgoing

if TYPE_CHECKING:
    from av.container import InputContainer, OutputContainer

_CODECS = ("h264", "hevc")
_MAX_FRAGMENT_NS = 20 * 10**9
"""The service's limit of a fragment's length."""
_MS = 1_000_000


@dataclass(frozen=True, slots=True)
class Recording:
    """A file cut into fragments.

    Attributes:
        tracks: Its one video track.
        groups: The frames of each fragment; timecodes count from the first frame, in nanoseconds.
        duration: Until the end of the last frame, in nanoseconds.
    """

    tracks: tuple[Track, ...]
    groups: tuple[tuple[Frame, ...], ...]
    duration: int

    def outgoing(self, start: float, *, loop: bool = False) -> Iterator[tuple[float, Outgoing]]:
        """The fragments to send.

        Args:
            start: Capture time of the first frame, in seconds since 1970.
            loop: Begin again at the end, for ever.

        Yields:
            When the fragment's last frame has been captured, in seconds since 1970, and the fragment.
        """
        base = round(start * 1000) * _MS
        while True:
            for index, frames in enumerate(self.groups):
                shifted = [msgspec.structs.replace(frame, timecode=frame.timecode + base) for frame in frames]
                rest = self.groups[index + 1][0].timecode if index + 1 < len(self.groups) else self.duration
                fragment = Outgoing(shifted[0].timecode // _MS, writer.cluster(shifted))
                yield (base + rest) / 1e9, fragment
            if not loop:
                return
            base += -(-self.duration // _MS) * _MS


def read(path: Path, *, fragment_s: float = 2.0, transcode: bool = False) -> Recording:
    """Reads a video file.

    Args:
        path: In any container that FFmpeg reads.
        fragment_s: Least length of a fragment; it ends with the next key frame.
        transcode: Encode it anew as H.264 with a key frame for each fragment, rather than send its frames as they are.

    Raises:
        InputError: It cannot be read, its codec is not the service's, or its key frames are too far apart.
    """
    from av.error import FFmpegError

    try:
        with _opened(path) as source:
            sink = _Sink()
            _remux(source, sink, path, fragment_s, transcode)
    except (FFmpegError, OSError, ValueError) as error:
        raise InputError(f"{path}: cannot be read as a video: {error}") from error
    fragments = sink.fragments()
    frames = [frame for fragment in fragments for frame in fragment.frames]
    if not frames:
        raise InputError(f"{path}: holds no video frame")
    return _cut(path, fragments[0].tracks, frames, fragment_s)


def _cut(path: Path, tracks: tuple[Track, ...], frames: list[Frame], fragment_s: float) -> Recording:
    first = frames[0].timecode
    frames = [msgspec.structs.replace(frame, timecode=frame.timecode - first) for frame in frames]
    if not frames[0].keyframe:
        raise InputError(f"{path}: does not begin with a key frame; use --transcode")
    groups: list[list[Frame]] = []
    for frame in frames:
        if not groups or (frame.keyframe and frame.timecode - groups[-1][0].timecode >= fragment_s * 1e9 - _MS):
            groups.append([])
        groups[-1].append(frame)
    last = max(frame.timecode for frame in frames)
    duration = last + last // max(1, len(frames) - 1)
    for group, following in zip(groups, [*groups[1:], None], strict=True):
        length = (following[0].timecode if following else duration) - group[0].timecode
        if length > _MAX_FRAGMENT_NS:
            raise InputError(
                f"{path}: {length / 1e9:.0f} s without a key frame at {group[0].timecode / 1e9:.0f} s; "
                "a fragment may have 20 s: use --transcode"
            )
    return Recording(tracks, tuple(map(tuple, groups)), duration)


class _Sink(io.RawIOBase):
    """Takes what FFmpeg's Matroska muxer writes, whose job it is to bring any H.264 and H.265 into Matroska's form."""

    def __init__(self) -> None:
        self._reader = MatroskaReader(Framing.PUT_MEDIA)
        self._items: list[Any] = []

    def writable(self) -> bool:
        return True

    def write(self, data: Any) -> int:
        self._items += self._reader.feed(bytes(data))
        return len(data)

    def fragments(self) -> list[Fragment]:
        """What came out, once all is written.

        Raises:
            InputError: The muxer wrote what no producer may send.
        """
        self._items += self._reader.finish()
        for item in self._items:
            if isinstance(item, Exception):
                raise InputError(str(item))
        return cast("list[Fragment]", self._items)


@contextmanager
def _opened(path: Path) -> Iterator[InputContainer]:
    import av

    with av.open(str(path), "r") as source:
        if not source.streams.video:
            raise InputError(f"{path}: holds no video")
        yield source


def _remux(source: InputContainer, sink: _Sink, path: Path, fragment_s: float, transcode: bool) -> None:
    import av

    stream = source.streams.video[0]
    with av.open(sink, "w", format="matroska", options={"live": "1"}) as target:
        if transcode:
            _encode(source, target, fragment_s)
            return
        if stream.codec_context.name not in _CODECS:
            raise InputError(
                f"{path}: its codec is {stream.codec_context.name}; the service takes H.264 and H.265: use --transcode"
            )
        out = target.add_stream_from_template(stream)
        for packet in source.demux(stream):
            if packet.dts is not None or packet.pts is not None:
                packet.stream = out
                target.mux(packet)


def _encode(source: InputContainer, target: OutputContainer, fragment_s: float) -> None:
    stream = source.streams.video[0]
    rate = stream.average_rate or Fraction(25)
    gop = max(1, round(rate * Fraction(fragment_s)))
    options = {"g": str(gop), "keyint_min": str(gop), "sc_threshold": "0", "preset": "veryfast", "bf": "0"}
    out = target.add_stream("libx264", rate=rate, options=options)
    out.width, out.height, out.pix_fmt = stream.width, stream.height, "yuv420p"
    for picture in source.decode(stream):
        target.mux(out.encode(picture))
    target.mux(out.encode(None))
