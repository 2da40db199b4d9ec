"""What the first bytes of a picture file say: its format, size and orientation, before anything is decoded."""

from __future__ import annotations

import struct
from dataclasses import dataclass
from typing import Literal

Format = Literal["jpeg", "png", "webp", "bmp"]

_ORIENTATION_TAG = 0x0112
_EXIF = b"Exif\x00\x00"


@dataclass(frozen=True, slots=True)
class Header:
    """A picture file's format and stored size (before any rotation).

    Attributes:
        format: The kind of file.
        width: In pixels; 0 for JPEG, whose decoder tells.
        height: In pixels; 0 for JPEG.
    """

    format: Format
    width: int
    height: int


def parse(data: bytes) -> Header | None:
    """Reads a file's header; None when it is no picture that is known, or its header is cut off."""
    try:
        if data.startswith(b"\xff\xd8\xff"):
            return Header("jpeg", 0, 0)
        if data.startswith(b"\x89PNG\r\n\x1a\n") and data[12:16] == b"IHDR":
            return Header("png", *struct.unpack_from(">II", data, 16))
        if data.startswith(b"RIFF") and data[8:12] == b"WEBP":
            return _webp(data)
        if data.startswith(b"BM"):
            return _bmp(data)
    except struct.error:
        return None
    return None


def _bmp(data: bytes) -> Header:
    (size,) = struct.unpack_from("<I", data, 14)
    width, height = struct.unpack_from("<HH" if size == 12 else "<ii", data, 18)  # noqa: PLR2004
    return Header("bmp", abs(width), abs(height))


def _webp(data: bytes) -> Header | None:
    """The three kinds of WebP: extended, lossless, lossy (developers.google.com/speed/webp/docs/riff_container)."""
    kind = data[12:16]
    if kind == b"VP8X":
        low = struct.unpack_from("<HBHB", data, 24)
        return Header("webp", (low[0] | low[1] << 16) + 1, (low[2] | low[3] << 16) + 1)
    if kind == b"VP8L":
        (bits,) = struct.unpack_from("<I", data, 21)
        return Header("webp", (bits & 0x3FFF) + 1, (bits >> 14 & 0x3FFF) + 1)
    if kind == b"VP8 ":
        width, height = struct.unpack_from("<HH", data, 26)
        return Header("webp", width & 0x3FFF, height & 0x3FFF)
    return None


def jpeg_orientation(data: bytes) -> int:
    """Reads the EXIF orientation of a JPEG file, 1 to 8; 1 (upright) when there is none or it makes no sense."""
    at = 2
    try:
        while data[at] == 0xFF:  # noqa: PLR2004
            marker, length = struct.unpack_from(">BH", data, at + 1)
            if marker == 0xDA:  # noqa: PLR2004 (the pixels start; no header follows)
                break
            if marker == 0xE1 and data[at + 4 : at + 10] == _EXIF:  # noqa: PLR2004
                return _orientation(data[at + 10 : at + 2 + length])
            at += 2 + length
    except (struct.error, IndexError):
        pass
    return 1


def _orientation(tiff: bytes) -> int:
    order = {b"II": "<", b"MM": ">"}.get(tiff[:2])
    if order is None:
        return 1
    (directory,) = struct.unpack_from(order + "I", tiff, 4)
    (entries,) = struct.unpack_from(order + "H", tiff, directory)
    for index in range(entries):
        tag, _, _, value = struct.unpack_from(order + "HHIH", tiff, directory + 2 + 12 * index)
        if tag == _ORIENTATION_TAG:
            return value if 1 <= value <= 8 else 1  # noqa: PLR2004
    return 1
