"""Reading text on crops, with the PP-OCR networks that the rapidocr package carries.

RapidOCR's own pipeline is not used: it enlarges every crop to 736 pixels and gives each its own size, so that time
and memory grow with variety. Here each network runs in a few fixed sizes on the same engines as everything else, and
nothing is ever downloaded.
"""

from __future__ import annotations

import importlib.util
from collections.abc import Sequence
from pathlib import Path

import cv2
import numpy as np

from inferfleet.errors import InputError
from inferfleet.vision.engines.base import Engine, Plan
from inferfleet.vision.families.base import Preprocessing
from inferfleet.vision.textlines import find_lines, spell, straighten
from inferfleet.vision.types import F32, U8, Text

_LOOK = Preprocessing(bgr=True, mean=(127.5, 127.5, 127.5), std=(127.5, 127.5, 127.5))
"""PP-OCR's normalisation: blue first, -1 to 1."""
_BLANK = 127
"""The byte that normalises to about 0, PP-OCR's padding of short lines."""
_LINE_HEIGHT = 48
_LINE_WIDTHS = (160, 320, 640)
_FIND_SIDES = (320, 640)
_FIND_SHRINK = 0.9
"""A crop may lose this much of its size rather than need the next larger input."""
_FIND_ENLARGE = 2.0
"""Small crops are enlarged by at most this much before lines are looked for: more adds no detail."""
_MOST_LINES = 32

_SINGLE_LINE = 2.5
"""A crop at least this many times as wide as high is read as one line first …"""
_SURE = 0.85
"""… and lines are only looked for when that reading is less sure than this."""


class TextReader:
    """Reads the text on crops; safe to call from any number of threads."""

    def __init__(self) -> None:
        """Loads the networks.

        Raises:
            InputError: The rapidocr package, or the models within it, are missing.
        """
        folder = _models_folder()
        recogniser = _model(folder, "rec")
        self._alphabet = _alphabet(recogniser)
        self._recogniser = _engine(recogniser, (None, _LINE_HEIGHT))
        self._finder = _engine(_model(folder, "det"), (None, None))

    def read(self, bgr: U8, *, single_line: bool | None = None) -> list[Text]:
        """Reads a crop.

        Args:
            bgr: BGR, uint8 [height, width, 3].
            single_line: Whether the crop is one line of text (a number plate cut out by a detector), which takes a
                third of the time; left out, a wide crop is tried as one line first.

        Returns:
            The lines in reading order, boxes in pixels of the crop; empty where there is no text.
        """
        height, width = bgr.shape[:2]
        if height < 1 or width < 1:
            return []
        if single_line or (single_line is None and width >= _SINGLE_LINE * height):
            box = np.array(((0, 0), (width, 0), (width, height), (0, height)), np.float32)
            value, confidence = self._read_line(bgr)
            if single_line or confidence >= _SURE:
                return [Text(value, confidence, box)] if value else []
        texts: list[Text] = []
        for box in self._find(bgr):
            value, confidence = self._read_line(straighten(bgr, box))
            if value.strip():
                texts.append(Text(value, confidence, box))
        return texts

    def _find(self, bgr: U8) -> list[F32]:
        """Finds the lines: their corners in pixels of the crop."""
        height, width = bgr.shape[:2]
        longest = max(height, width)
        side = next((side for side in _FIND_SIDES if longest * _FIND_SHRINK <= side), _FIND_SIDES[-1])
        ratio = min(side / longest, _FIND_ENLARGE)
        wide, high = max(1, round(width * ratio)), max(1, round(height * ratio))
        canvas = np.full((1, side, side, 3), _BLANK, np.uint8)
        canvas[0, :high, :wide] = _rgb(bgr, wide, high)
        probabilities = self._finder.run(canvas)[0][0, 0, :high, :wide]
        scale = np.array((width / wide, height / high), np.float32)
        limit = np.array((width, height), np.float32)
        return [np.clip(line.box * scale, 0, limit) for line in find_lines(probabilities, _MOST_LINES)]

    def _read_line(self, bgr: U8) -> tuple[str, float]:
        """Reads a level line, padded to the next width; one too long is squeezed."""
        height, width = bgr.shape[:2]
        wanted = max(1, round(_LINE_HEIGHT * width / height))
        bucket = next((one for one in _LINE_WIDTHS if wanted <= one), _LINE_WIDTHS[-1])
        wide = min(wanted, bucket)
        canvas = np.full((1, _LINE_HEIGHT, bucket, 3), _BLANK, np.uint8)
        canvas[0, :, :wide] = _rgb(bgr, wide, _LINE_HEIGHT)
        return spell(self._recogniser.run(canvas)[0][0], self._alphabet)


def _rgb(bgr: U8, width: int, height: int) -> U8:
    method = cv2.INTER_AREA if width < bgr.shape[1] and height < bgr.shape[0] else cv2.INTER_LINEAR
    return np.asarray(cv2.cvtColor(cv2.resize(bgr, (width, height), interpolation=method), cv2.COLOR_BGR2RGB), np.uint8)


def _models_folder() -> Path:
    """Finds the models inside the rapidocr package without importing it, which would set up its logging."""
    found = importlib.util.find_spec("rapidocr")
    if found is None or found.origin is None:
        raise InputError("reading text needs the package rapidocr; install `inferfleet[vision]`")
    return Path(found.origin).parent / "models"


def _model(folder: Path, kind: str) -> bytes:
    files = sorted(folder.glob(f"*_{kind}_*.onnx"))
    if not files:
        raise InputError(f"reading text: no *_{kind}_*.onnx in {folder}; install rapidocr 3.10 or a later 3.x again")
    return files[-1].read_bytes()


def _alphabet(model: bytes) -> Sequence[str]:
    import onnx

    metadata = {entry.key: entry.value for entry in onnx.load_model_from_string(model).metadata_props}
    if "character" not in metadata:
        raise InputError("reading text: rapidocr's recognition model does not hold its alphabet; install rapidocr 3.10")
    return ["", *metadata["character"].splitlines(), " "]


def _engine(model: bytes, size: tuple[int | None, int | None]) -> Engine:
    import onnx

    graph = onnx.load_model_from_string(model).graph
    plan = Plan(
        model=model,
        picture_input=graph.input[0].name,
        size=size,
        outputs=(graph.output[0].name,),
        preprocessing=_LOOK,
        constants={},
        batch_sizes=(1,),
        precision="auto",
        device="cpu",
    )
    try:
        from inferfleet.vision.engines.openvino import OpenVinoEngine

        return OpenVinoEngine(plan)
    except ImportError:
        from inferfleet.vision.engines.onnxruntime import OnnxRuntimeEngine

        return OnnxRuntimeEngine(plan, Path())
