"""Still pictures of every kind come out upright, in colour, and are refused before they can do harm."""

from __future__ import annotations

import io
import struct
import zlib

import cv2
import numpy as np
import pytest
from PIL import Image

from inferfleet.errors import InputError
from inferfleet.vision.picture import Limits, PictureError, Still


def scene(width: int = 96, height: int = 64) -> np.ndarray:
    """A smooth BGR picture whose corners all differ, so that any turn or swapped channel shows."""
    x, y = np.meshgrid(np.linspace(0, 1, width), np.linspace(0, 1, height))
    return np.stack((x * 200 + 20, y * 200 + 20, (x * (1 - y)) * 200 + 20), axis=2).astype(np.uint8)


def encode(bgr: np.ndarray, ending: str, *parameters: int) -> bytes:
    done, data = cv2.imencode(ending, bgr, list(parameters))
    assert done
    return data.tobytes()


def pil(bgr: np.ndarray) -> Image.Image:
    return Image.fromarray(np.ascontiguousarray(bgr[..., ::-1]))


def saved(image: Image.Image, kind: str, **options) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, kind, **options)
    return buffer.getvalue()


def assert_close(actual: np.ndarray, expected: np.ndarray, most: float = 4.0):
    assert actual.shape == expected.shape
    assert np.abs(actual.astype(int) - expected).mean() < most


@pytest.mark.parametrize("ending", [".jpg", ".png", ".bmp", ".webp"])
def test_each_format_gives_its_pixels(ending):
    still = Still.decode(encode(scene(), ending))
    assert (still.width, still.height) == (96, 64)
    assert_close(still.bgr(), scene())
    assert_close(still.scaled(48, 32), cv2.resize(scene(), (48, 32))[..., ::-1])


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP"])
@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("fast", [False, True])
def test_exif_orientation_is_undone(kind, orientation, fast):
    exif = Image.Exif()
    exif[0x0112] = orientation
    still = Still.decode(saved(pil(scene()), kind, exif=exif.tobytes()), fast=fast)
    turns = {
        1: lambda a: a,
        2: lambda a: a[:, ::-1],
        3: lambda a: a[::-1, ::-1],
        4: lambda a: a[::-1],
        5: lambda a: a.swapaxes(0, 1),
        6: lambda a: np.rot90(a, -1),
        7: lambda a: np.rot90(a, 2).swapaxes(0, 1),
        8: lambda a: np.rot90(a, 1),
    }
    expected = np.ascontiguousarray(turns[orientation](scene()))
    assert (still.height, still.width) == expected.shape[:2]
    wide, high = expected.shape[1] // 2, expected.shape[0] // 2
    assert_close(still.scaled(wide, high), cv2.resize(expected, (wide, high))[..., ::-1])
    assert_close(still.bgr(), expected)


def test_grey_becomes_colour():
    grey = scene()[..., 0]
    for ending in (".jpg", ".png"):
        still = Still.decode(encode(grey, ending))
        assert_close(still.bgr(), np.repeat(grey[..., None], 3, axis=2))
        assert_close(still.scaled(96, 64), np.repeat(grey[..., None], 3, axis=2))


def test_cmyk_becomes_colour():
    still = Still.decode(saved(pil(scene()).convert("CMYK"), "JPEG", quality=95))
    assert_close(still.bgr(), scene(), 6)
    assert_close(still.scaled(96, 64), scene()[..., ::-1], 6)


def test_sixteen_bits_become_eight():
    still = Still.decode(encode(scene().astype(np.uint16) * 257, ".png"))
    assert_close(still.bgr(), scene(), 1)


def test_transparency_is_dropped():
    with_alpha = np.dstack((scene(), np.zeros(scene().shape[:2], np.uint8)))
    assert_close(Still.decode(encode(with_alpha, ".png")).bgr(), scene(), 1)


def test_a_palette_becomes_colour():
    few = (scene() // 64) * 64
    image = pil(few).quantize(64)
    assert_close(Still.decode(saved(image, "PNG")).bgr(), np.asarray(image.convert("RGB"))[..., ::-1], 1)


def test_a_large_jpeg_is_decoded_small_when_speed_is_asked_for():
    large = scene(1920, 1080)
    still = Still.decode(encode(large, ".jpg"), fast=True)
    assert_close(still.scaled(320, 180), cv2.resize(large, (320, 180), interpolation=cv2.INTER_AREA)[..., ::-1])
    assert still._bgr is None  # the full picture was never decoded
    assert still.bgr().shape == (1080, 1920, 3)


def test_enlarging_works_too():
    assert Still.decode(encode(scene(), ".jpg"), fast=True).scaled(300, 200).shape == (200, 300, 3)


@pytest.mark.parametrize("ending", [".jpg", ".png", ".webp", ".bmp"])
@pytest.mark.parametrize("share", [0.02, 0.3, 0.9])
def test_a_file_that_is_cut_off_is_refused(ending, share):
    noisy = np.random.default_rng(0).integers(0, 255, (64, 96, 3), np.uint8)
    data = encode(noisy, ending)
    with pytest.raises(PictureError) as error:
        Still.decode(data[: int(len(data) * share)], name="gate.jpg").bgr()
    assert error.value.problem in ("damaged", "unsupported")
    assert str(error.value).startswith("gate.jpg: ")


def test_stray_bytes_in_a_jpeg_do_no_harm():
    data = encode(scene(), ".jpg")
    quantisation = data.index(b"\xff\xdb")
    assert_close(Still.decode(data[:quantisation] + b"\x00\x00" + data[quantisation:]).bgr(), scene())


@pytest.mark.parametrize(
    "data", [b"", b"GIF89a", b"hello world", b"%PDF-1.7", b"\xff\xd8", b"RIFF\x00\x00\x00\x00WEBP"]
)
def test_what_is_no_picture_is_refused(data):
    with pytest.raises(PictureError) as error:
        Still.decode(data)
    assert error.value.problem == "unsupported"


def bomb(kind: str) -> bytes:
    """A few bytes that claim to be 60,000 x 60,000 pixels."""
    side = 60_000
    if kind == "png":
        body = b"IHDR" + struct.pack(">IIBBBBB", side, side, 8, 2, 0, 0, 0)
        return b"\x89PNG\r\n\x1a\n" + struct.pack(">I", 13) + body + struct.pack(">I", zlib.crc32(body))
    if kind == "bmp":
        return (
            b"BM" + struct.pack("<IHHI", 54, 0, 0, 54) + struct.pack("<IiiHHIIiiII", 40, side, -side, 1, 24, *[0] * 6)
        )
    if kind == "webp":
        low = (side - 1).to_bytes(3, "little")
        return b"RIFF" + struct.pack("<I", 22) + b"WEBPVP8X" + struct.pack("<I", 10) + bytes(4) + low + low
    data = bytearray(encode(scene(), ".jpg"))
    at = data.index(b"\xff\xc0") + 5
    data[at : at + 4] = struct.pack(">HH", side, side)
    return bytes(data)


@pytest.mark.parametrize("kind", ["png", "bmp", "webp", "jpeg"])
def test_a_picture_of_too_many_pixels_is_refused_before_decoding(kind):
    with pytest.raises(PictureError, match="60000x60000 pixels; at most 100000000") as error:
        Still.decode(bomb(kind))
    assert error.value.problem == "too-large"


def test_a_file_of_too_many_bytes_is_refused():
    with pytest.raises(PictureError, match="at most 10 are accepted") as error:
        Still.decode(encode(scene(), ".png"), limits=Limits(bytes=10))
    assert error.value.problem == "too-large"


def test_a_missing_file_is_named(tmp_path):
    with pytest.raises(InputError, match=r"gone\.jpg: cannot be read: No such file"):
        Still.open(tmp_path / "gone.jpg")


@pytest.mark.parametrize("ending", [".jpg", ".png", ".webp", ".bmp"])
def test_damaged_bytes_never_end_in_anything_but_a_picture_error(ending):
    random = np.random.default_rng(7)
    data = encode(scene(32, 24), ending)
    for _ in range(150):
        broken = bytearray(data)
        for at in random.integers(0, len(data), 6):
            broken[at] = random.integers(256)
        try:
            still = Still.decode(bytes(broken), limits=Limits(pixels=1_000_000))
            assert still.bgr().shape == (still.height, still.width, 3)
        except PictureError:
            pass
