"""Writes Matroska as Kinesis Video Streams takes it and gives it: a header with tracks, Clusters, Tags."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from inferfleet.streams.kvs.ebml import UNKNOWN_SIZE, Id, element, float64, opening, text, uint
from inferfleet.streams.kvs.fragments import Frame, Track

_APP = "inferfleet"
_KEYFRAME = 0x80
_VIDEO = 1
_SHORT = range(-(2**15), 2**15)


def header(tracks: Iterable[Track], scale: int = 1_000_000) -> bytes:
    """EBML header, Segment of unknown size, Info and Tracks.

    Args:
        tracks: The tracks that follow.
        scale: Nanoseconds a unit of timecode.
    """
    ebml = element(
        Id.EBML,
        uint(Id.EBML_VERSION, 1)
        + uint(Id.EBML_READ_VERSION, 1)
        + uint(Id.EBML_MAX_ID_LENGTH, 4)
        + uint(Id.EBML_MAX_SIZE_LENGTH, 8)
        + text(Id.DOC_TYPE, "matroska")
        + uint(Id.DOC_TYPE_VERSION, 4)
        + uint(Id.DOC_TYPE_READ_VERSION, 2),
    )
    info = uint(Id.TIMECODE_SCALE, scale) + text(Id.MUXING_APP, _APP) + text(Id.WRITING_APP, _APP)
    entries = b"".join(element(Id.TRACK_ENTRY, _track(track)) for track in tracks)
    return ebml + opening(Id.SEGMENT) + element(Id.INFO, info) + element(Id.TRACKS, entries)


def tags(values: Mapping[str, str]) -> bytes:
    """A Tags element; nothing at all for no tags."""
    if not values:
        return b""
    simple = (element(Id.SIMPLE_TAG, text(Id.TAG_NAME, k) + text(Id.TAG_STRING, v)) for k, v in values.items())
    return element(Id.TAGS, element(Id.TAG, b"".join(simple)))


def cluster(frames: Iterable[Frame], scale: int = 1_000_000, *, sized: bool = True) -> bytes:
    """A Cluster of SimpleBlocks that begins at the first frame's timecode.

    Args:
        frames: At least one.
        scale: Nanoseconds a unit of timecode.
        sized: Whether it says its size.

    Raises:
        ValueError: There is no frame, or one is too far from the first (a block's timecode has 16 bits).
    """
    listed = list(frames)
    if not listed:
        raise ValueError("a Cluster needs a frame")
    base = max(0, listed[0].timecode) // scale
    parts: list[bytes | memoryview] = [uint(Id.TIMECODE, base)]
    for frame in listed:
        timecode = round(frame.timecode / scale) - base
        if timecode not in _SHORT:
            raise ValueError(
                f"a frame {timecode} units from its Cluster; a block reaches {_SHORT.start} to {_SHORT.stop - 1}"
            )
        head = opening(Id.SIMPLE_BLOCK, len(frame.data) + _head_length(frame.track))
        flags = _KEYFRAME if frame.keyframe else 0
        parts += (
            head,
            _track_number(frame.track),
            timecode.to_bytes(2, "big", signed=True),
            bytes((flags,)),
            frame.data,
        )
    body = b"".join(parts)
    return opening(Id.CLUSTER, len(body) if sized else UNKNOWN_SIZE) + body


def _head_length(track: int) -> int:
    return len(_track_number(track)) + 3


def _track_number(track: int) -> bytes:
    return bytes((0x80 | track,)) if track < 0x7F else (0x4000 | track).to_bytes(2, "big")  # noqa: PLR2004 - 7 bits


def _track(track: Track) -> bytes:
    parts = [
        uint(Id.TRACK_NUMBER, track.number),
        uint(Id.TRACK_UID, track.number),
        uint(Id.TRACK_TYPE, track.kind),
        text(Id.CODEC_ID, track.codec),
    ]
    if track.name:
        parts.append(text(Id.TRACK_NAME, track.name))
    if track.private:
        parts.append(element(Id.CODEC_PRIVATE, track.private))
    if track.kind == _VIDEO:
        parts.append(element(Id.VIDEO, uint(Id.PIXEL_WIDTH, track.width) + uint(Id.PIXEL_HEIGHT, track.height)))
    else:
        rate = float64(Id.SAMPLING_FREQUENCY, track.sample_rate)
        parts.append(element(Id.AUDIO, rate + uint(Id.CHANNELS, max(1, track.channels))))
    return b"".join(parts)
