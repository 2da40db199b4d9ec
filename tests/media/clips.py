"""Clips made with real encoders. Every picture holds its own number, so that a test can tell what it was given."""

from __future__ import annotations

import io
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
from numpy.typing import NDArray

from inferfleet.vision.types import Picture

BITS = 12
_BRIGHT, _DARK = 210, 40
TIME_BASE = Fraction(1, 90_000)


@dataclass(frozen=True)
class Clip:
    """How a clip is encoded.

    Attributes:
        codec: FFmpeg's encoder.
        frames: How many.
        fps: Frames a second.
        gop: Frames from one key frame to the next.
        b_frames: Frames between two references.
        size: Width and height.
        first: Number in the first picture.
        options: Further options of the encoder.
        times: Time of each frame in seconds, for an uneven rate.
    """

    codec: str = "libx264"
    frames: int = 60
    fps: int = 25
    gop: int = 12
    b_frames: int = 2
    size: tuple[int, int] = (192, 128)
    first: int = 0
    options: dict[str, str] = field(default_factory=dict)
    times: Sequence[float] | None = None

    def time(self, index: int) -> float:
        """Time of a frame in seconds."""
        return self.times[index] if self.times is not None else index / self.fps


def draw(number: int, size: tuple[int, int]) -> NDArray[np.uint8]:
    """Returns an RGB picture with the number in its upper half, as bright and dark bars, and something that moves."""
    width, height = size
    picture = np.full((height, width, 3), 120, np.uint8)
    bar = width // BITS
    for bit in range(BITS):
        picture[: height // 2, bit * bar : (bit + 1) * bar] = _BRIGHT if number >> bit & 1 else _DARK
    at = number * 5 % (width - 16)
    picture[height // 2 + 8 : height // 2 + 24, at : at + 16] = (200, 60, 30)
    return picture


def number_in(picture: Picture) -> int:
    """Reads the number in a picture of any size."""
    row = picture.bgr()[picture.height // 8 : picture.height * 3 // 8].mean(axis=(0, 2))
    bar = picture.width // BITS
    middles = [row[bit * bar + bar // 4 : (bit + 1) * bar - bar // 4].mean() for bit in range(BITS)]
    return sum(1 << bit for bit, value in enumerate(middles) if value > (_BRIGHT + _DARK) / 2)


def packets(clip: Clip) -> Iterator[av.Packet]:
    """Encodes the clip: packets in the order of decoding, with time stamps in 1/90000 s."""
    context = av.CodecContext.create(clip.codec, "w")
    context.width, context.height = clip.size
    context.pix_fmt = "yuvj420p" if clip.codec == "mjpeg" else "yuv420p"
    # MPEG-2 and MPEG-4 have no finer clock than their frame rate.
    context.time_base = Fraction(1, clip.fps) if clip.codec in ("mpeg2video", "mpeg4") else TIME_BASE
    context.framerate = Fraction(clip.fps)
    context.gop_size = clip.gop
    context.max_b_frames = clip.b_frames
    context.bit_rate = 800_000
    context.thread_count = 1
    context.options = _options(clip)
    for index in range(clip.frames):
        frame = av.VideoFrame.from_ndarray(draw(clip.first + index, clip.size), "rgb24").reformat(
            format=context.pix_fmt
        )
        frame.pts = round(clip.time(index) / TIME_BASE)
        frame.time_base = TIME_BASE
        yield from map(_stamp, context.encode(frame))
    yield from map(_stamp, context.encode(None))


def _stamp(packet: av.Packet) -> av.Packet:
    scale = packet.time_base / TIME_BASE
    packet.pts, packet.dts = round((packet.pts or 0) * scale), round((packet.dts or 0) * scale)
    packet.time_base = TIME_BASE
    return packet


def _options(clip: Clip) -> dict[str, str]:
    extra: dict[str, str] = {}
    if clip.codec == "libx264":
        extra = {"preset": "ultrafast", "x264-params": f"keyint={clip.gop}:min-keyint={clip.gop}:scenecut=0"}
        extra["x264-params"] += f":bframes={clip.b_frames}:b-adapt=0:repeat-headers=1"
    elif clip.codec == "libx265":
        extra = {"preset": "ultrafast"}
        extra["x265-params"] = f"log-level=none:keyint={clip.gop}:min-keyint={clip.gop}:scenecut=0:repeat-headers=1"
        extra["x265-params"] += f":bframes={clip.b_frames}:b-adapt=0:pools=1:frame-threads=1"
    elif clip.codec == "mjpeg":
        extra = {"qscale": "2", "flags": "+qscale", "qmin": "2", "qmax": "4"}
    return {**extra, **clip.options}


def mux(target: Path | io.BytesIO, *clips: Clip, format: str | None = None, gap: float = 0.0, **metadata: str) -> None:
    """Writes clips one after the other into one video stream: a change of size or codec if they differ.

    Args:
        target: File to write.
        clips: Played one after the other.
        format: FFmpeg's name of the container, where the file's name does not say it.
        gap: Seconds between two clips.
        metadata: Of the container, such as `creation_time`.
    """
    where = str(target) if isinstance(target, Path) else target
    with av.open(where, "w", format=format) as container:
        container.metadata.update(metadata)
        streams = {}
        offset = 0
        for clip in clips:
            if clip.codec not in streams:
                streams[clip.codec] = container.add_stream(clip.codec, rate=clip.fps)
                _describe(streams[clip.codec], clip)
        for clip in clips:
            length = 0
            for packet in packets(clip):
                packet.stream = streams[clip.codec]
                length = max(length, packet.pts or 0)
                packet.pts = (packet.pts or 0) + offset
                packet.dts = (packet.dts or 0) + offset
                container.mux(packet)
            offset += length + round((1 / clip.fps + gap) / TIME_BASE)


def _describe(stream: av.VideoStream, clip: Clip) -> None:
    stream.width, stream.height = clip.size
    stream.pix_fmt = "yuvj420p" if clip.codec == "mjpeg" else "yuv420p"
    stream.codec_context.time_base = Fraction(1, clip.fps) if clip.codec in ("mpeg2video", "mpeg4") else TIME_BASE
    stream.time_base = TIME_BASE
    stream.codec_context.max_b_frames = clip.b_frames
    stream.codec_context.gop_size = clip.gop
    stream.codec_context.options = _options(clip)


def write(path: Path, clip: Clip | None = None, **metadata: str) -> Path:
    """Writes a clip and returns its path; the name's ending says the container."""
    mux(path, clip or Clip(), **metadata)
    return path


def jpegs(clip: Clip) -> list[bytes]:
    """The clip as JPEG pictures."""
    return [bytes(packet) for packet in packets(Clip(**{**clip.__dict__, "codec": "mjpeg", "b_frames": 0}))]


def transport_stream(*clips: Clip) -> bytes:
    """The clips as one MPEG transport stream."""
    buffer = io.BytesIO()
    mux(buffer, *clips, format="mpegts")
    return buffer.getvalue()
