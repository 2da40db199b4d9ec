"""Pictures of camera frames: a video frame that stays YUV until somebody asks for pixels, and a still."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, Literal

import numpy as np

from inferfleet.vision.types import U8

if TYPE_CHECKING:
    from av import VideoFrame
    from av.video.plane import VideoPlane

_QUARTER_TURN = 90
_CONVERSIONS = 8
_PLANAR = frozenset(("yuv420p", "yuvj420p", "yuv422p", "yuvj422p", "yuv444p", "yuvj444p"))
"""Pixel formats of three planes with a byte a pixel: what cameras send."""


class Scaler:
    """Scales and converts frames; each thread has its own buffers and contexts, kept for the sizes it met last.

    A camera's pictures share one scaler: swscale's set-up costs more than scaling a small picture.
    """

    def __init__(self) -> None:
        self._local = threading.local()

    def convert(self, frame: VideoFrame, width: int, height: int, layout: Literal["rgb24", "bgr24"]) -> U8:
        """Returns the frame as uint8 [height, width, 3], scaled bilinearly and converted."""
        conversions: dict[tuple[object, ...], _Conversion] = self._local.__dict__.setdefault("conversions", {})
        key = (frame.width, frame.height, frame.format.name, width, height, layout)
        conversion = conversions.pop(key, None)
        if conversion is None:
            conversion = _Conversion(frame, width, height, layout)
            if len(conversions) >= _CONVERSIONS:
                del conversions[next(iter(conversions))]
        conversions[key] = conversion
        return conversion(frame)


class _Conversion:
    """From one size and format to another.

    A frame of planes is scaled plane by plane, as OpenCV scales pictures, and only the small one is converted: a third
    of the work of swscale's scaling, and closer to the models' references, which all scale by OpenCV. Other formats
    are swscale's alone.
    """

    def __init__(self, frame: VideoFrame, width: int, height: int, layout: Literal["rgb24", "bgr24"]) -> None:
        from av import VideoFrame
        from av.video.reformatter import VideoReformatter

        self._reformatter = VideoReformatter()
        self._size = width, height
        self._layout = layout
        self._small: VideoFrame | None = None
        if (width, height) != (frame.width, frame.height) and frame.format.name in _PLANAR:
            self._small = VideoFrame(width, height, frame.format.name)
            self._targets = [_pixels(plane) for plane in self._small.planes]

    def __call__(self, frame: VideoFrame) -> U8:
        """Returns a frame as uint8 [height, width, 3]."""
        import cv2

        width, height = self._size
        if self._small is not None:
            for plane, target in zip(frame.planes, self._targets, strict=True):
                cv2.resize(_pixels(plane), target.shape[::-1], dst=target, interpolation=cv2.INTER_LINEAR)
            self._small.colorspace, self._small.color_range = frame.colorspace, frame.color_range
            frame = self._small
        plane = self._reformatter.reformat(
            frame, width, height, self._layout, interpolation="BILINEAR", threads=1
        ).planes[0]
        rows = np.frombuffer(memoryview(plane), np.uint8).reshape(-1, plane.line_size)[:height, : width * 3]
        return np.ascontiguousarray(rows).reshape(height, width, 3)


def _pixels(plane: VideoPlane) -> U8:
    """A plane of one byte a pixel as uint8 [height, width]; what is written to it is written to the frame."""
    return np.frombuffer(memoryview(plane), np.uint8).reshape(-1, plane.line_size)[: plane.height, : plane.width]


class VideoPicture:
    """A decoded video frame, turned the way its container asks for."""

    __slots__ = ("_bgr", "_frame", "_scaler", "_turns", "height", "width")

    def __init__(self, frame: VideoFrame, scaler: Scaler) -> None:
        """Wraps a frame; nothing is converted before it is asked for."""
        self._frame = frame
        self._scaler = scaler
        self._turns = round(frame.rotation / _QUARTER_TURN) % 4
        self._bgr: U8 | None = None
        self.width, self.height = self._swap(frame.width, frame.height)

    def scaled(self, width: int, height: int) -> U8:
        """Returns the whole picture as RGB, uint8 [height, width, 3], scaled bilinearly in one pass."""
        return self._turn(self._scaler.convert(self._frame, *self._swap(width, height), "rgb24"))

    def bgr(self) -> U8:
        """Returns the full-size picture as BGR, uint8 [height, width, 3]; converted once, not to be written to."""
        if self._bgr is None:
            picture = self._turn(self._scaler.convert(self._frame, self._frame.width, self._frame.height, "bgr24"))
            picture.flags.writeable = False
            self._bgr = picture
        return self._bgr

    def _swap(self, width: int, height: int) -> tuple[int, int]:
        return (height, width) if self._turns % 2 else (width, height)

    def _turn(self, pixels: U8) -> U8:
        return np.ascontiguousarray(np.rot90(pixels, self._turns)) if self._turns else pixels


class StillPicture:
    """A picture that was decoded to BGR already."""

    __slots__ = ("_bgr", "height", "width")

    def __init__(self, bgr: U8) -> None:
        """Wraps pixels: BGR, uint8 [height, width, 3]."""
        self._bgr = bgr
        self.height, self.width = bgr.shape[:2]

    def scaled(self, width: int, height: int) -> U8:
        """Returns the whole picture as RGB, uint8 [height, width, 3], scaled bilinearly."""
        import cv2

        pixels = self._bgr
        if (width, height) != (self.width, self.height):
            pixels = cv2.resize(pixels, (width, height), interpolation=cv2.INTER_LINEAR)
        rgb: U8 = cv2.cvtColor(pixels, cv2.COLOR_BGR2RGB)
        return rgb

    def bgr(self) -> U8:
        """Returns the full-size picture as BGR, uint8 [height, width, 3]; not to be written to."""
        return self._bgr
