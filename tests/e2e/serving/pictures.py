"""Pictures for the server's tests: of every kind that it takes, and such as hurt other servers."""

from __future__ import annotations

import io
import struct
import zlib
from collections.abc import Iterator

import cv2
import numpy as np
from PIL import Image

WIDTH, HEIGHT = 60, 40


def colour(red: int, green: int, blue: int, width: int = WIDTH, height: int = HEIGHT) -> np.ndarray:
    """A picture of one colour, BGR."""
    return np.full((height, width, 3), (blue, green, red), np.uint8)


def encoded(suffix: str = ".jpg", picture: np.ndarray | None = None) -> bytes:
    """A reddish picture in a format of OpenCV's."""
    done, data = cv2.imencode(suffix, colour(200, 60, 20) if picture is None else picture)
    assert done
    return data.tobytes()


def by_pillow(mode: str, kind: str, fill: object, **options: object) -> bytes:
    """A picture in a mode and format of Pillow's."""
    target = io.BytesIO()
    Image.new(mode, (WIDTH, HEIGHT), fill).save(target, kind, **options)
    return target.getvalue()


def turned() -> bytes:
    """A JPEG whose EXIF orientation says that it stands on its side."""
    exif = Image.Exif()
    exif[274] = 6
    return by_pillow("RGB", "JPEG", (200, 60, 20), exif=exif)


def png(width: int, height: int, data: bytes) -> bytes:
    """A PNG file that claims a size, whatever is in it."""

    def chunk(kind: bytes, body: bytes) -> bytes:
        return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))

    head = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + chunk(b"IDAT", data) + chunk(b"IEND", b"")


def hostile() -> Iterator[tuple[str, bytes]]:
    """Pictures that are none, or not what they say."""
    whole = {suffix: encoded(suffix) for suffix in (".jpg", ".png", ".webp", ".bmp")}
    for suffix, data in whole.items():
        for share in (0.1, 0.5, 0.9):
            yield f"cut off at {share}{suffix}", data[: int(len(data) * share)]
        yield f"signature alone{suffix}", data[:8]
        broken = bytearray(data)
        broken[len(data) // 3 : len(data) // 3 + 40] = bytes(40)
        yield f"zeros inside{suffix}", bytes(broken)
    yield "a bomb", png(60_000, 60_000, zlib.compress(bytes(100_000)))
    yield "a picture without rows", png(0, 0, b"")
    yield "pixels missing", png(64, 64, zlib.compress(b"\0"))
    yield "no picture", b"GIF89a" + bytes(100)
    yield "noise", np.random.default_rng(1).bytes(5000)
    yield "one byte", b"\xff"
    jpeg = whole[".jpg"]
    scan = jpeg[jpeg.index(b"\xff\xda") : -2]
    yield "thousands of scans", jpeg[:-2] + scan * 2000 + b"\xff\xd9"
    at = jpeg.index(b"\xff\xc0") + 5
    yield "a JPEG of 65535 x 65535", jpeg[:at] + b"\xff\xff\xff\xff" + jpeg[at + 4 :]
