"""What goes into a model and what comes out: pictures, detections, classifications and text.

These types are the whole vocabulary between `vision` and the parts built on it (`streams`, `serving`).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

U8 = NDArray[np.uint8]
F32 = NDArray[np.float32]


class Picture(Protocol):
    """A decoded picture that is converted only as far as somebody asks.

    A video frame keeps its YUV planes and scales and converts in one pass; a still holds BGR already.
    """

    @property
    def width(self) -> int:
        """Width in pixels, after any rotation the container or EXIF asks for."""

    @property
    def height(self) -> int:
        """Height in pixels."""

    def scaled(self, width: int, height: int) -> U8:
        """Returns the whole picture as RGB, uint8 [height, width, 3], scaled bilinearly in one pass."""

    def bgr(self) -> U8:
        """Returns the full-size picture as BGR, uint8 [self.height, self.width, 3]; the caller must not write to it."""


@dataclass(frozen=True, slots=True)
class Detections:
    """The objects found in one picture, best score first.

    Attributes:
        boxes: float32 [n, 4], x1 y1 x2 y2 in pixels of the original picture, clipped to it.
        scores: float32 [n], 0 to 1.
        class_ids: int32 [n], indices into the model's class names.
    """

    boxes: F32
    scores: F32
    class_ids: NDArray[np.int32]

    def __len__(self) -> int:
        """The number of objects."""
        return len(self.scores)

    @classmethod
    def none(cls) -> Detections:
        """No object at all."""
        return cls(np.empty((0, 4), np.float32), np.empty(0, np.float32), np.empty(0, np.int32))


@dataclass(frozen=True, slots=True)
class Classification:
    """The classes of one picture, most probable first.

    Attributes:
        class_ids: int32 [k], indices into the model's class names.
        scores: float32 [k], probabilities.
    """

    class_ids: NDArray[np.int32]
    scores: F32


@dataclass(frozen=True, slots=True)
class Text:
    """One line of text read from a picture.

    Attributes:
        value: What was read.
        confidence: 0 to 1, the mean over the characters.
        box: float32 [4, 2], the corners in pixels of the picture given, clockwise from the top left.
    """

    value: str
    confidence: float
    box: F32
