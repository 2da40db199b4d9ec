"""Pictures of camera frames: a video frame that stays YUV until somebody asks for pixels, and a still."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, Literal

import numpy as np

from inferfleet.vision.types import U8

if TYPE_CHECKING:
    from av import VideoFrame
    from av.video.reformatter import VideoReformatter

_QUARTER_TURN = 90
_CONTEXTS = 8


class Scaler:
    """Scales and converts frames; each thread has its own swscale contexts, kept for the sizes it met last.

    A camera's pictures share one scaler: swscale's set-up costs more than scaling a small picture.
    """

    def __init__(self) -> None:
        self._local = threading.local()

    def convert(self, frame: VideoFrame, width: int, height: int, layout: Literal["rgb24", "bgr24"]) -> U8:
        """Returns the frame as uint8 [height, width, 3], scaled and converted in one pass."""
        contexts = self._contexts()
        key = (frame.width, frame.height, frame.format.name, width, height, layout)
        context = contexts.pop(key, None)
        if context is None:
            from av.video.reformatter import VideoReformatter

            context = VideoReformatter()
            if len(contexts) >= _CONTEXTS:
                del contexts[next(iter(contexts))]
        contexts[key] = context
        plane = context.reformat(frame, width, height, layout, interpolation="BILINEAR", threads=1).planes[0]
        rows = np.frombuffer(memoryview(plane), np.uint8).reshape(-1, plane.line_size)[:height, : width * 3]
        return np.ascontiguousarray(rows).reshape(height, width, 3)

    def _contexts(self) -> dict[tuple[object, ...], VideoReformatter]:
        contexts: dict[tuple[object, ...], VideoReformatter] | None = getattr(self._local, "contexts", None)
        if contexts is None:
            contexts = self._local.contexts = {}
        return contexts


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
