"""The metadata elements of a segment: what Info, Tracks and Tags say, read from bytes that are all there."""

from __future__ import annotations

from collections.abc import Iterator

from inferfleet.streams.kvs.ebml import Buffer, Id, Malformed, as_float, as_text, as_uint, children
from inferfleet.streams.kvs.fragments import Track

DEFAULT_TIMECODE_SCALE = 1_000_000
"""Nanoseconds a unit of timecode where Info does not say: milliseconds (RFC 9559, section 5.1.2.9)."""


def timecode_scale(data: Buffer, start: int, stop: int) -> int:
    """Nanoseconds a unit of timecode, from the body of Info.

    Raises:
        Malformed: It is no sequence of elements, or the scale is zero.
    """
    for ident, begin, end in children(data, start, stop):
        if ident == Id.TIMECODE_SCALE:
            if scale := as_uint(data[begin:end]):
                return scale
            raise Malformed("a timecode scale of zero")
    return DEFAULT_TIMECODE_SCALE


def tracks(data: Buffer, start: int, stop: int) -> tuple[Track, ...]:
    """The tracks, from the body of Tracks.

    Raises:
        Malformed: It is no sequence of elements, or a track has no number or is compressed.
    """
    entries = children(data, start, stop)
    return tuple(_track(data, begin, end) for ident, begin, end in entries if ident == Id.TRACK_ENTRY)


def _track(data: Buffer, start: int, stop: int) -> Track:
    found: dict[int, Buffer] = {}
    for ident, begin, end in children(data, start, stop):
        if ident in (Id.VIDEO, Id.AUDIO):
            found |= {inner: data[b:e] for inner, b, e in children(data, begin, end)}
        else:
            found[ident] = data[begin:end]
    number = as_uint(found.get(Id.TRACK_NUMBER, b""))
    if not number:
        raise Malformed("a track without a number")
    if Id.CONTENT_ENCODINGS in found:
        raise Malformed(f"track {number} is compressed (ContentEncodings), which Kinesis Video Streams does not take")
    return Track(
        number=number,
        kind=as_uint(found.get(Id.TRACK_TYPE, b"")),
        codec=as_text(found.get(Id.CODEC_ID, b"")),
        private=bytes(found.get(Id.CODEC_PRIVATE, b"")),
        name=as_text(found.get(Id.TRACK_NAME, b"")),
        width=as_uint(found.get(Id.PIXEL_WIDTH, b"")),
        height=as_uint(found.get(Id.PIXEL_HEIGHT, b"")),
        sample_rate=as_float(found.get(Id.SAMPLING_FREQUENCY, b"")),
        channels=as_uint(found.get(Id.CHANNELS, b"")),
    )


def tags(data: Buffer, start: int, stop: int) -> Iterator[tuple[str, str]]:
    """Each tag's name and value, from the body of Tags.

    Raises:
        Malformed: It is no sequence of elements.
    """
    for ident, begin, end in children(data, start, stop):
        if ident == Id.TAG:
            for inner, b, e in children(data, begin, end):
                if inner == Id.SIMPLE_TAG:
                    found = {leaf: as_text(data[x:y]) for leaf, x, y in children(data, b, e)}
                    yield found.get(Id.TAG_NAME, ""), found.get(Id.TAG_STRING, "")
