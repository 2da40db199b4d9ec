"""The byte grammar below Matroska: element ids, sizes, and the values that leaf elements hold.

An element is an id (1 to 4 bytes), a size (1 to 8 bytes) and that many bytes. Source: RFC 8794 (EBML) and
RFC 9559 (Matroska), from which the ids below are taken.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from enum import IntEnum

UNKNOWN_SIZE = -1
"""Stands for "until an element comes that cannot be inside"."""


class Id(IntEnum):
    """The elements that the reader or the writer knows by name."""

    EBML = 0x1A45DFA3
    EBML_VERSION = 0x4286
    EBML_READ_VERSION = 0x42F7
    EBML_MAX_ID_LENGTH = 0x42F2
    EBML_MAX_SIZE_LENGTH = 0x42F3
    DOC_TYPE = 0x4282
    DOC_TYPE_VERSION = 0x4287
    DOC_TYPE_READ_VERSION = 0x4285
    SEGMENT = 0x18538067
    SEEK_HEAD = 0x114D9B74
    INFO = 0x1549A966
    TIMECODE_SCALE = 0x2AD7B1
    MUXING_APP = 0x4D80
    WRITING_APP = 0x5741
    TRACKS = 0x1654AE6B
    TRACK_ENTRY = 0xAE
    TRACK_NUMBER = 0xD7
    TRACK_UID = 0x73C5
    TRACK_TYPE = 0x83
    TRACK_NAME = 0x536E
    CODEC_ID = 0x86
    CODEC_PRIVATE = 0x63A2
    CONTENT_ENCODINGS = 0x6D80
    VIDEO = 0xE0
    PIXEL_WIDTH = 0xB0
    PIXEL_HEIGHT = 0xBA
    AUDIO = 0xE1
    SAMPLING_FREQUENCY = 0xB5
    CHANNELS = 0x9F
    CLUSTER = 0x1F43B675
    TIMECODE = 0xE7
    SIMPLE_BLOCK = 0xA3
    BLOCK_GROUP = 0xA0
    BLOCK = 0xA1
    REFERENCE_BLOCK = 0xFB
    CUES = 0x1C53BB6B
    CHAPTERS = 0x1043A770
    ATTACHMENTS = 0x1941A469
    TAGS = 0x1254C367
    TAG = 0x7373
    SIMPLE_TAG = 0x67C8
    TAG_NAME = 0x45A3
    TAG_STRING = 0x4487
    VOID = 0xEC
    CRC_32 = 0xBF


ID_LENGTH = bytes(next((n for n in range(1, 5) if byte >> (8 - n)), 0) for byte in range(256))
"""Length of an id by its first byte; 0 where none begins so."""

SIZE_LENGTH = bytes(next((n for n in range(1, 9) if byte >> (8 - n)), 0) for byte in range(256))
"""Length of a size by its first byte; 0 where none begins so."""

SIZE_MASK = (0, *((1 << 7 * n) - 1 for n in range(1, 9)))
"""The bits of an n-byte size that are its value; all of them set means unknown."""

Buffer = bytes | bytearray | memoryview


class Malformed(Exception):
    """The bytes are not EBML; the reader turns it into damage with its place."""


def read_size(data: Buffer, at: int, stop: int) -> tuple[int, int]:
    """Reads a size (or any other variable-length integer) at `at`, which ends by `stop`.

    Returns:
        The value, or UNKNOWN_SIZE, and the number of bytes it took.

    Raises:
        Malformed: No size begins so, or the data end within it.
    """
    if at >= stop or not (length := SIZE_LENGTH[data[at]]) or at + length > stop:
        raise Malformed("a size is cut off or begins with a zero byte")
    mask = SIZE_MASK[length]
    value = int.from_bytes(data[at : at + length], "big") & mask
    return (UNKNOWN_SIZE if value == mask else value), length


def children(data: Buffer, start: int, stop: int) -> Iterator[tuple[int, int, int]]:
    """Walks the children of the master element whose body is `data[start:stop]`, all of it there.

    Yields:
        Each child's id, and where its body starts and stops.

    Raises:
        Malformed: A child is no element, or is larger than its parent.
    """
    at = start
    while at < stop:
        id_length = ID_LENGTH[data[at]]
        if not id_length or at + id_length >= stop:
            raise Malformed("no element begins here")
        size, size_length = read_size(data, at + id_length, stop)
        body = at + id_length + size_length
        if size == UNKNOWN_SIZE or body + size > stop:
            raise Malformed("an element is larger than its parent")
        yield int.from_bytes(data[at : at + id_length], "big"), body, body + size
        at = body + size


def as_uint(body: Buffer) -> int:
    """The value of an unsigned-integer element (0 to 8 bytes)."""
    if len(body) > 8:  # noqa: PLR2004 - RFC 8794 section 7.2
        raise Malformed(f"an integer of {len(body)} bytes")
    return int.from_bytes(body, "big")


def as_float(body: Buffer) -> float:
    """The value of a float element (0, 4 or 8 bytes)."""
    formats = {0: "", 4: ">f", 8: ">d"}
    if len(body) not in formats:
        raise Malformed(f"a float of {len(body)} bytes")
    return float(struct.unpack(formats[len(body)], body)[0]) if len(body) else 0.0


def as_text(body: Buffer) -> str:
    """The value of a string element: UTF-8 up to its first zero byte; what is not UTF-8 is replaced."""
    return bytes(body).split(b"\0", 1)[0].decode(errors="replace")


def element(ident: int, body: bytes) -> bytes:
    """Writes an element."""
    return _id(ident) + _size(len(body)) + body


def uint(ident: int, value: int) -> bytes:
    """Writes an unsigned-integer element."""
    return element(ident, value.to_bytes(max(1, (value.bit_length() + 7) // 8), "big"))


def float64(ident: int, value: float) -> bytes:
    """Writes a float element of eight bytes."""
    return element(ident, struct.pack(">d", value))


def text(ident: int, value: str) -> bytes:
    """Writes a string element."""
    return element(ident, value.encode())


def opening(ident: int, size: int = UNKNOWN_SIZE) -> bytes:
    """Writes the id and the size of a master element whose body is written by itself."""
    return _id(ident) + (b"\x01" + b"\xff" * 7 if size == UNKNOWN_SIZE else _size(size))


def _id(ident: int) -> bytes:
    return ident.to_bytes((ident.bit_length() + 7) // 8, "big")


def _size(size: int) -> bytes:
    length = next(n for n in range(1, 9) if size < SIZE_MASK[n])
    return (size | 1 << 7 * length).to_bytes(length, "big")
