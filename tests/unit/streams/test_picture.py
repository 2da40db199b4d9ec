"""Pictures of frames: sizes, colours, threads."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import av
import cv2
import numpy as np
import pytest
from av.video.reformatter import ColorRange, Colorspace

from inferfleet.streams.picture import Scaler, StillPicture, VideoPicture
from inferfleet.vision.types import Picture
from tests.media.clips import draw, number_in

SIZE = (192, 128)


def video(number: int, scaler: Scaler | None = None, size: tuple[int, int] = SIZE) -> VideoPicture:
    frame = av.VideoFrame.from_ndarray(draw(number, size), "rgb24").reformat(format="yuv420p")
    return VideoPicture(frame, scaler or Scaler())


def pictures(number: int) -> list[Picture]:
    return [video(number), StillPicture(np.ascontiguousarray(draw(number, SIZE)[..., ::-1]))]


@pytest.mark.parametrize("kind", [0, 1])
def test_full_size_is_bgr_and_converted_once(kind: int) -> None:
    picture = pictures(1234)[kind]
    assert (picture.width, picture.height) == SIZE
    assert picture.bgr().shape == (128, 192, 3)
    assert picture.bgr() is picture.bgr()
    assert number_in(picture) == 1234
    assert np.abs(picture.bgr().astype(int) - draw(1234, SIZE)[..., ::-1]).mean() < 6


@pytest.mark.parametrize("kind", [0, 1])
@pytest.mark.parametrize("size", [(96, 64), (416, 416), (641, 333), (50, 30), SIZE])
def test_scaled_is_rgb_of_the_size_asked_for(kind: int, size: tuple[int, int]) -> None:
    scaled = pictures(777)[kind].scaled(*size)
    assert scaled.shape == (size[1], size[0], 3)
    assert scaled.dtype == np.uint8
    assert scaled.flags.c_contiguous
    again = StillPicture(np.ascontiguousarray(scaled[..., ::-1]))
    assert number_in(again) == 777
    # The moving square is red: channel 0 of RGB, and the first of the two orders that a mistake would swap.
    lower = scaled[scaled.shape[0] * 5 // 8 :].reshape(-1, 3).astype(int)
    assert (lower[:, 0] - lower[:, 2]).max() > 80


def test_threads_share_a_scaler_and_sizes_may_change() -> None:
    scaler = Scaler()

    def work(number: int) -> bool:
        size = (192 + number % 5 * 24, 128 + number % 3 * 32)
        picture = video(number, scaler, size)
        scaled = StillPicture(np.ascontiguousarray(picture.scaled(240 + number % 12 * 12, 160)[..., ::-1]))
        return number_in(picture) == number == number_in(scaled)

    with ThreadPoolExecutor(4) as pool:
        assert all(pool.map(work, range(200)))


def test_the_full_size_picture_of_a_frame_cannot_be_written_to() -> None:
    with pytest.raises(ValueError, match="read-only"):
        video(1).bgr()[0, 0, 0] = 1


@pytest.mark.parametrize("layout", ["yuv420p", "yuv422p", "yuv444p"])
@pytest.mark.parametrize("size", [(96, 64), (641, 333), (151, 99)])
def test_planes_are_scaled_as_the_references_scale_pictures(layout: str, size: tuple[int, int]) -> None:
    frame = av.VideoFrame.from_ndarray(draw(777, SIZE), "rgb24").reformat(format=layout)
    reference = cv2.resize(frame.to_ndarray(format="rgb24"), size, interpolation=cv2.INTER_LINEAR).astype(int)
    assert np.abs(VideoPicture(frame, Scaler()).scaled(*size) - reference).mean() < 2.5


@pytest.mark.parametrize("space", ["ITU709", "ITU601"])
@pytest.mark.parametrize("shades", ["MPEG", "JPEG"])
def test_scaling_keeps_to_the_colours_that_the_video_says(space: str, shades: str) -> None:
    frame = av.VideoFrame.from_ndarray(np.full((128, 192, 3), (200, 60, 30), np.uint8), "rgb24").reformat(
        format="yuv420p", dst_colorspace=space, dst_color_range=shades
    )
    frame.colorspace, frame.color_range = Colorspace[space], ColorRange[shades]
    assert np.abs(VideoPicture(frame, Scaler()).scaled(96, 64).astype(int) - (200, 60, 30)).max() <= 4
