"""How a picture is fitted into a model's input, and how boxes find their way back.

A fit is an affine map without rotation: a point of the picture times a scale plus an offset is its place in the
input. Rounding follows each family's published preprocessing, so that both directions agree with it to the pixel.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from inferfleet.config.model import FitName
from inferfleet.vision.types import F32, U8, Picture

_CROP_SHARE = 0.875
"""The part of the shorter side that a centre crop keeps: 224 of 256, the ImageNet evaluation protocol."""


@dataclass(frozen=True, slots=True)
class Geometry:
    """Where a picture lies in a model's input.

    Attributes:
        width: Width of the original picture in pixels.
        height: Its height.
        scale: (x, y): input pixels for one pixel of the picture.
        offset: (x, y): the place of the picture's top left corner in the input; negative where it is cut off.
        resized: (width, height) of the whole picture after scaling.
    """

    width: int
    height: int
    scale: tuple[float, float]
    offset: tuple[int, int]
    resized: tuple[int, int]

    def to_picture(self, boxes: F32) -> F32:
        """Maps boxes (x1 y1 x2 y2 in input pixels, [n, 4]) to pixels of the picture, clipped to it."""
        scale = np.array(self.scale * 2, np.float32)
        offset = np.array(self.offset * 2, np.float32)
        limit = np.array((self.width, self.height) * 2, np.float32)
        placed: F32 = np.clip((boxes - offset) / scale, np.float32(0), limit)
        return placed


@dataclass(frozen=True, slots=True)
class Prepared:
    """A picture in a model's input size.

    Attributes:
        pixels: RGB, uint8 [height, width, 3], contiguous.
        geometry: How to undo the fit.
    """

    pixels: U8
    geometry: Geometry


def fit(width: int, height: int, size: tuple[int, int], how: FitName) -> Geometry:
    """Computes where a picture of `width` x `height` lies in an input of `size` (width, height).

    `letterbox` is Ultralytics' LetterBox(auto=False) and scale_boxes: both sides rounded, each with the scale that this
    makes, the odd pixel of padding on the right and below. `top-left` is YOLOX's preproc: sides truncated, padding on
    the right and below only. `centre` and `crop` are torchvision's Resize of the shorter side and CenterCrop.
    """
    wide, high = size
    if how == "stretch":
        return Geometry(width, height, (wide / width, high / height), (0, 0), size)
    if how in ("centre", "crop"):
        return _crop(width, height, size, _CROP_SHARE if how == "crop" else 1.0)
    ratio = min(high / height, wide / width)
    if how == "top-left":
        return Geometry(
            width, height, (ratio, ratio), (0, 0), (max(1, int(width * ratio)), max(1, int(height * ratio)))
        )
    resized = max(1, round(width * ratio)), max(1, round(height * ratio))
    left, top = round((wide - resized[0]) / 2 - 0.1), round((high - resized[1]) / 2 - 0.1)
    return Geometry(width, height, (resized[0] / width, resized[1] / height), (left, top), resized)


def _crop(width: int, height: int, size: tuple[int, int], share: float) -> Geometry:
    wide, high = round(size[0] / share), round(size[1] / share)
    if wide * height >= high * width:
        resized = wide, int(wide * height / width)
    else:
        resized = int(high * width / height), high
    left, top = round((resized[0] - size[0]) / 2), round((resized[1] - size[1]) / 2)
    return Geometry(width, height, (resized[0] / width, resized[1] / height), (-left, -top), resized)


def place(picture: Picture, size: tuple[int, int], how: FitName, padding: int) -> Prepared:
    """Scales a picture in one pass and sets it into an input of `size` (width, height).

    Args:
        picture: Any picture.
        size: Width and height of the model's input.
        how: The fit.
        padding: The grey value around the picture, 0 to 255.
    """
    geometry = fit(picture.width, picture.height, size, how)
    wide, high = geometry.resized
    scaled = picture.scaled(wide, high)
    if (wide, high) == size:
        return Prepared(np.ascontiguousarray(scaled), geometry)
    left, top = geometry.offset
    if how in ("centre", "crop"):
        window = scaled[-top : size[1] - top, -left : size[0] - left]
        return Prepared(np.ascontiguousarray(window), geometry)
    pixels = np.empty((size[1], size[0], 3), np.uint8)
    pixels[:top] = padding
    pixels[top + high :] = padding
    pixels[top : top + high, :left] = padding
    pixels[top : top + high, left + wide :] = padding
    pixels[top : top + high, left : left + wide] = scaled
    return Prepared(pixels, geometry)
