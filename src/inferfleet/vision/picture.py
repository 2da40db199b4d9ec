"""Still pictures: JPEG, PNG, WebP and BMP bytes, checked before and decoded no further than somebody asks."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import cv2
import numpy as np
import simplejpeg

from inferfleet.errors import InputError
from inferfleet.vision import header
from inferfleet.vision.types import U8

Problem = Literal["too-large", "unsupported", "damaged"]


class PictureError(InputError):
    """A picture cannot be used.

    Attributes:
        problem: `too-large`, `unsupported` (no known format) or `damaged`.
    """

    def __init__(self, problem: Problem, message: str) -> None:
        super().__init__(message)
        self.problem = problem


@dataclass(frozen=True, slots=True)
class Limits:
    """What is refused before decoding.

    Attributes:
        bytes: The largest file.
        pixels: The largest width times height: a decoded pixel takes three bytes.
    """

    bytes: int = 64 * 1024 * 1024
    pixels: int = 100_000_000


class Still:
    """A still picture, upright: EXIF orientation is undone, and grey, CMYK, 16 bits and alpha become plain colour.

    Transparency is dropped, as every family's reference does. It implements `inferfleet.vision.types.Picture`.
    """

    def __init__(self, bgr: U8) -> None:
        """Takes a decoded picture: BGR, uint8 [height, width, 3]."""
        self.height, self.width = bgr.shape[:2]
        self._bgr: U8 | None = bgr
        self._jpeg: _Jpeg | None = None
        self._fast = False

    @classmethod
    def decode(cls, data: bytes, *, name: str = "picture", limits: Limits | None = None, fast: bool = False) -> Still:
        """Opens a picture file that is in memory.

        Args:
            data: The file's bytes.
            name: What to call it in messages.
            limits: What to refuse; the usual limits when left out.
            fast: Lets a JPEG that is wanted small be decoded small, which takes a fraction of the time. Pixels then
                differ slightly from decoding in full and scaling afterwards.

        Raises:
            PictureError: It is too large, no known format, or damaged. Damage within a JPEG's pixels shows when they
                are asked for.
        """
        limits = limits or Limits()
        if len(data) > limits.bytes:
            raise PictureError("too-large", f"{name}: {len(data)} bytes; at most {limits.bytes} are accepted")
        found = header.parse(data)
        if found is None:
            raise PictureError("unsupported", f"{name}: is not a JPEG, PNG, WebP or BMP picture")
        jpeg = _Jpeg(data, name) if found.format == "jpeg" else None
        width, height = (jpeg.width, jpeg.height) if jpeg else (found.width, found.height)
        if width * height > limits.pixels:
            raise PictureError(
                "too-large", f"{name}: {width}x{height} pixels; at most {limits.pixels} in all are accepted"
            )
        if jpeg is None:
            return cls(_imdecode(data, name, cv2.IMREAD_COLOR))
        still = cls.__new__(cls)
        still.width, still.height, still._bgr, still._jpeg, still._fast = width, height, None, jpeg, fast
        return still

    @classmethod
    def open(cls, path: Path, *, limits: Limits | None = None) -> Still:
        """Opens a picture file; see `decode`."""
        try:
            data = path.read_bytes()
        except OSError as error:
            raise InputError(f"{path}: cannot be read: {error.strerror}") from error
        return cls.decode(data, name=str(path), limits=limits)

    def scaled(self, width: int, height: int) -> U8:
        """Returns the whole picture as RGB, uint8 [height, width, 3]; see `Picture.scaled`."""
        if self._fast and self._bgr is None and self._jpeg is not None:
            small = self._jpeg.decode("RGB", width, height)
            return _resize(small, width, height)
        return np.asarray(cv2.cvtColor(_resize(self.bgr(), width, height), cv2.COLOR_BGR2RGB))

    def bgr(self) -> U8:
        """Returns the full-size picture as BGR, uint8 [height, width, 3]; the caller must not write to it."""
        if self._bgr is None:
            assert self._jpeg is not None
            self._bgr = self._jpeg.decode("BGR", 0, 0)
        return self._bgr


class _Jpeg:
    """A JPEG file that has not been decoded; width and height are those of the upright picture."""

    def __init__(self, data: bytes, name: str) -> None:
        self._data = data
        self._name = name
        try:
            height, width, self._colours, _ = simplejpeg.decode_jpeg_header(data, strict=False)
        except (ValueError, KeyError) as error:  # KeyError: a colour space that simplejpeg does not know
            raise PictureError("damaged", f"{name}: is not a readable JPEG: {error}") from error
        self._orientation = header.jpeg_orientation(data)
        self.width, self.height = (height, width) if self._orientation > 4 else (width, height)  # noqa: PLR2004

    def decode(self, order: Literal["RGB", "BGR"], least_width: int, least_height: int) -> U8:
        """Decodes to at least the given size (0 is full size), upright, channels in the given order."""
        if self._orientation > 4:  # noqa: PLR2004 (these lie on their side)
            least_width, least_height = least_height, least_width
        if self._colours in ("CMYK", "YCCK"):
            stored = self._tolerant(order)
        else:
            stored = self._decode(order, least_width, least_height)
        return _upright(stored, self._orientation)

    def _decode(self, order: str, least_width: int, least_height: int) -> U8:
        # Only halves are worth it: the other scales have no fast inverse transform in libjpeg-turbo.
        size = {"min_width": least_width, "min_height": least_height, "min_factor": 2 if least_width else 1}
        try:
            pixels: U8 = simplejpeg.decode_jpeg(self._data, order, strict=True, **size)
            return pixels
        except (ValueError, KeyError) as error:
            if "premature end" in str(error).lower():
                raise PictureError("damaged", f"{self._name}: the JPEG is cut off") from error
        # Cameras write stray bytes and odd tables that harm nothing; OpenCV's decoder steps over them.
        return self._tolerant(order)

    def _tolerant(self, order: str) -> U8:
        stored = _imdecode(self._data, self._name, cv2.IMREAD_COLOR | cv2.IMREAD_IGNORE_ORIENTATION)
        return np.ascontiguousarray(stored[..., ::-1]) if order == "RGB" else stored


def _imdecode(data: bytes, name: str, flags: int) -> U8:
    try:
        pixels: Any = cv2.imdecode(np.frombuffer(data, np.uint8), flags)
    except cv2.error as error:
        raise PictureError("damaged", f"{name}: cannot be decoded: {error.err}") from error
    if pixels is None:
        raise PictureError("damaged", f"{name}: is damaged or cut off")
    return np.asarray(pixels, np.uint8)


def _upright(pixels: U8, orientation: int) -> U8:
    """Undoes the eight EXIF orientations (CIPA DC-008, tag 274)."""
    if orientation == 1:
        return pixels
    if orientation > 4:  # noqa: PLR2004
        pixels = pixels.swapaxes(0, 1)
    rows = -1 if orientation in (3, 4, 7, 8) else 1
    columns = -1 if orientation in (2, 3, 6, 7) else 1
    return np.ascontiguousarray(pixels[::rows, ::columns])


def _resize(pixels: U8, width: int, height: int) -> U8:
    if pixels.shape[:2] == (height, width):
        return pixels
    return np.asarray(cv2.resize(pixels, (width, height), interpolation=cv2.INTER_LINEAR), np.uint8)
