"""Text is read on crops of any size and shape, in a few fixed sizes, without a network or a log line."""

from __future__ import annotations

import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor

import cv2
import numpy as np
import pytest

from inferfleet.vision.text import TextReader
from inferfleet.vision.textlines import Line, find_lines, in_reading_order, spell, straighten


@pytest.fixture(scope="module")
def reader() -> TextReader:
    return TextReader()


def plate(text: str, height: int = 40) -> np.ndarray:
    """A number plate: dark letters on white."""
    wide = cv2.getTextSize(text, cv2.FONT_HERSHEY_SIMPLEX, 1.5, 4)[0][0]
    picture = np.full((70, wide + 30, 3), 240, np.uint8)
    cv2.putText(picture, text, (15, 52), cv2.FONT_HERSHEY_SIMPLEX, 1.5, (20, 20, 20), 4, cv2.LINE_AA)
    return cv2.resize(picture, (round(picture.shape[1] * height / 70), height), interpolation=cv2.INTER_AREA)


def on_car(*plates: tuple[np.ndarray, int, int], size: tuple[int, int] = (400, 300)) -> np.ndarray:
    """A dull red surface with plates at given places (left, top)."""
    picture = np.full((size[1], size[0], 3), (60, 60, 120), np.uint8)
    for one, left, top in plates:
        picture[top : top + one.shape[0], left : left + one.shape[1]] = one
    return picture


def words(texts) -> list[str]:
    return [text.value.replace(" ", "") for text in texts]


@pytest.mark.parametrize("height", [24, 48, 120])
def test_a_single_line_is_read(reader, height):
    texts = reader.read(plate("KTR 4821", height))
    assert words(texts) == ["KTR4821"]
    assert texts[0].confidence > 0.8


def test_a_plate_is_found_on_what_carries_it_and_its_place_is_told(reader):
    one = plate("KTR 4821")
    texts = reader.read(on_car((one, 120, 200)))
    assert words(texts) == ["KTR4821"]
    low, high = texts[0].box.min(axis=0), texts[0].box.max(axis=0)
    centre = (low + high) / 2
    np.testing.assert_allclose(centre, (120 + one.shape[1] / 2, 220), atol=8)
    assert high[0] - low[0] > one.shape[1] * 0.6


def test_lines_come_in_reading_order(reader):
    picture = on_car((plate("RIGHT 22"), 220, 40), (plate("LEFT 11"), 20, 44), (plate("BELOW 33"), 100, 180))
    assert words(reader.read(picture)) == ["LEFT11", "RIGHT22", "BELOW33"]


def test_a_turned_plate_is_read(reader):
    picture = on_car((plate("KTR 4821", 48), 100, 130))
    turned = cv2.warpAffine(picture, cv2.getRotationMatrix2D((200, 150), 20, 1), (400, 300), borderValue=(60, 60, 120))
    assert words(reader.read(turned)) == ["KTR4821"]


def test_nothing_is_read_where_there_is_nothing(reader):
    assert reader.read(np.full((200, 300, 3), 128, np.uint8)) == []
    assert reader.read(np.zeros((0, 10, 3), np.uint8)) == []
    assert reader.read(np.zeros((10, 0, 3), np.uint8)) == []


@pytest.mark.parametrize("shape", [(1, 1), (1, 500), (500, 1), (3, 7), (20, 3000), (3000, 20)])
def test_odd_shapes_do_no_harm(reader, shape):
    random = np.random.default_rng(0).integers(0, 255, (*shape, 3), np.uint8)
    for text in reader.read(random):
        assert 0 <= text.confidence <= 1


def test_many_threads_read_their_own_crops(reader):
    expected = [f"ABC{number}" for number in range(1000, 1012)]
    with ThreadPoolExecutor(4) as pool:
        found = list(pool.map(lambda text: words(reader.read(plate(f"{text[:3]} {text[3:]}"))), expected))
    assert found == [[text] for text in expected]


def test_the_networks_only_ever_see_a_few_sizes(monkeypatch):
    reader = TextReader()
    seen = set()
    for engine in (reader._finder, reader._recogniser):
        run = engine.run

        def watched(batch, run=run):
            seen.add(batch.shape)
            return run(batch)

        monkeypatch.setattr(engine, "run", watched)
    random = np.random.default_rng(5)
    for _ in range(25):
        wide, high = random.integers(150, 900, 2)
        reader.read(on_car((plate("KTR 4821", int(random.integers(20, 60))), 2, 2), size=(int(wide) + 200, int(high))))
    assert len(seen) <= 5


def test_a_line_that_is_read_says_nothing_and_asks_no_network():
    """No log line of rapidocr's, which would go to a terminal, and no import of what could download."""
    code = (
        "import socket, sys, numpy as np\n"
        "def refuse(*_): raise AssertionError('a connection was tried')\n"
        "socket.socket.connect = refuse\n"
        "from inferfleet.vision.text import TextReader\n"
        "TextReader().read(np.full((48, 200, 3), 200, np.uint8))\n"
        "assert 'rapidocr' not in sys.modules\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=120, check=False)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


def test_letters_are_spelled_by_ctc():
    alphabet = ["", "a", "b", " "]
    steps = [1, 1, 0, 1, 2, 2, 0, 0, 3, 2]
    probabilities = np.full((len(steps), 4), 0.05, np.float32)
    probabilities[np.arange(len(steps)), steps] = 0.85
    assert spell(probabilities, alphabet) == ("aab b", pytest.approx(0.85))
    blank = np.tile(np.array([0.97, 0.01, 0.01, 0.01], np.float32), (5, 1))
    assert spell(blank, alphabet) == ("", 0.0)


def test_a_line_in_the_map_is_grown_back_to_the_size_of_its_letters():
    probabilities = np.zeros((100, 200), np.float32)
    probabilities[40:50, 30:130] = 0.9  # 100 x 10: grown by 1.6 * area / perimeter = 1.6 * 1000 / 220 on each side
    (line,) = find_lines(probabilities, 10)
    growth = 1.6 * 1000 / 220
    np.testing.assert_allclose(line.box[0], (30 - growth, 40 - growth), atol=1.5)
    np.testing.assert_allclose(line.box[2], (130 + growth, 50 + growth), atol=1.5)
    assert line.score > 0.5
    assert find_lines(probabilities * 0.4, 10) == []  # seen, but not sure enough


def test_reading_order_survives_slightly_different_heights():
    def line(x: float, y: float) -> Line:
        return Line(np.array([[x, y], [x + 10, y], [x + 10, y + 10], [x, y + 10]], np.float32), 1.0)

    lines = [line(50, 2), line(0, 0), line(0, 20), line(30, 18)]
    ordered = [tuple(one.box[0]) for one in in_reading_order(lines)]
    assert ordered == [(0, 0), (50, 2), (0, 20), (30, 18)]


def test_an_upright_line_is_laid_level():
    box = np.array([[10, 10], [20, 10], [20, 60], [10, 60]], np.float32)
    assert straighten(np.zeros((100, 100, 3), np.uint8), box).shape == (10, 50, 3)
