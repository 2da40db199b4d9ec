"""Pictures are fitted into a model's input, and boxes brought back, as each family's own code does it."""

from __future__ import annotations

import cv2
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from inferfleet.vision.geometry import fit, place
from inferfleet.vision.picture import Still

SIZES = [(768, 432), (333, 401), (401, 333), (333, 217), (1279, 719), (640, 640), (64, 640), (5, 3), (1920, 1080)]


def noise(width: int, height: int) -> np.ndarray:
    return np.random.default_rng(width * height).integers(0, 255, (height, width, 3), np.uint8)


def ultralytics_letterbox(bgr: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    """Written from the published LetterBox(auto=False, center=True)."""
    height, width = bgr.shape[:2]
    ratio = min(size[1] / height, size[0] / width)
    unpadded = max(round(width * ratio), 1), max(round(height * ratio), 1)
    right_left, top_bottom = (size[0] - unpadded[0]) / 2, (size[1] - unpadded[1]) / 2
    if (width, height) != unpadded:
        bgr = cv2.resize(bgr, unpadded, interpolation=cv2.INTER_LINEAR)
    top, bottom = round(top_bottom - 0.1), round(top_bottom + 0.1)
    left, right = round(right_left - 0.1), round(right_left + 0.1)
    return cv2.copyMakeBorder(bgr, top, bottom, left, right, cv2.BORDER_CONSTANT, value=(114, 114, 114))


def yolox_preproc(bgr: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    """Written from YOLOX's published preproc."""
    padded = np.full((size[1], size[0], 3), 114, np.uint8)
    ratio = min(size[1] / bgr.shape[0], size[0] / bgr.shape[1])
    wide, high = int(bgr.shape[1] * ratio), int(bgr.shape[0] * ratio)
    padded[:high, :wide] = cv2.resize(bgr, (wide, high), interpolation=cv2.INTER_LINEAR)
    return padded


@pytest.mark.parametrize("size", [(640, 640), (416, 256), (320, 320)])
@pytest.mark.parametrize(("width", "height"), SIZES)
def test_a_letterboxed_picture_equals_the_reference_in_every_pixel(width, height, size):
    bgr = noise(width, height)
    prepared = place(Still(bgr), size, "letterbox", 114)
    np.testing.assert_array_equal(prepared.pixels[..., ::-1], ultralytics_letterbox(bgr, size))


@pytest.mark.parametrize(("width", "height"), SIZES)
def test_a_yolox_input_equals_the_reference_in_every_pixel(width, height):
    bgr = noise(width, height)
    prepared = place(Still(bgr), (416, 416), "top-left", 114)
    np.testing.assert_array_equal(prepared.pixels[..., ::-1], yolox_preproc(bgr, (416, 416)))


@pytest.mark.parametrize(("width", "height"), SIZES)
def test_a_stretched_picture_fills_the_input(width, height):
    bgr = noise(width, height)
    prepared = place(Still(bgr), (320, 192), "stretch", 114)
    np.testing.assert_array_equal(prepared.pixels[..., ::-1], cv2.resize(bgr, (320, 192)))


@pytest.mark.parametrize(
    ("how", "share", "width", "height"),
    [("centre", 1.0, 640, 480), ("centre", 1.0, 333, 501), ("crop", 0.875, 640, 480), ("crop", 0.875, 333, 501)],
)
def test_the_centre_is_cut_out_as_torchvision_does(how, share, width, height):
    bgr = noise(width, height)
    shorter = round(224 / share)
    wide, high = (
        (shorter, int(shorter * height / width)) if width < height else (int(shorter * width / height), shorter)
    )
    scaled = cv2.resize(bgr, (wide, high))
    top, left = round((high - 224) / 2.0), round((wide - 224) / 2.0)
    prepared = place(Still(bgr), (224, 224), how, 114)
    np.testing.assert_array_equal(prepared.pixels[..., ::-1], scaled[top : top + 224, left : left + 224])


@given(
    width=st.integers(2, 4000),
    height=st.integers(2, 4000),
    how=st.sampled_from(["letterbox", "top-left", "stretch"]),
    corners=st.tuples(*[st.floats(0, 1)] * 4),
)
def test_a_box_that_went_into_the_input_comes_back_to_where_it_was(width, height, how, corners):
    geometry = fit(width, height, (640, 384), how)
    xs, ys = sorted((corners[0] * width, corners[2] * width)), sorted((corners[1] * height, corners[3] * height))
    box = np.array([[xs[0], ys[0], xs[1], ys[1]]])
    inside = box * np.array(geometry.scale * 2) + np.array(geometry.offset * 2)
    assert inside.min() >= -1e-6
    assert (inside[:, 2:] <= np.array([640, 384]) + 1e-6).all()
    back = geometry.to_picture(inside.astype(np.float32))
    step = 1e-6 * max(width, height) / min(*geometry.scale, 1)
    np.testing.assert_allclose(back, box, atol=max(1e-3, 700 * step))


def test_boxes_are_clipped_to_the_picture():
    geometry = fit(100, 50, (64, 64), "letterbox")
    boxes = geometry.to_picture(np.array([[-40, -40, 200, 200]], np.float32))
    np.testing.assert_array_equal(boxes, [[0, 0, 100, 50]])
