"""A film whose every event is known beforehand, and a detector that costs nothing and never errs.

On black, a white square stands in one of 64 places for two seconds; three seconds later the next one stands in another.
Each square is one object, so each makes one event.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from onnx import TensorProto, helper

from inferfleet.streams.kvs import recording
from inferfleet.streams.kvs.recording import Recording
from tests.unit.vision.onnxmodels import constant, write

FPS = 5
PERIOD_SECONDS = 5
SHOWN_SECONDS = 2
GRID, CELL, SCALE = 8, 8, 2
SIDE = GRID * CELL * SCALE
"""Of the film, in pixels; the detector sees half of it."""


@dataclass(frozen=True, slots=True)
class Truth:
    """One square: it must make one event.

    Attributes:
        number: Counted from the film's beginning.
        box: Where it stands, x1, y1, x2, y2 in pixels.
    """

    number: int
    box: tuple[float, float, float, float]


def truths(seconds: int) -> list[Truth]:
    """All squares of a film."""
    return [Truth(number, _box(number)) for number in range(seconds // PERIOD_SECONDS)]


def film(path: Path, seconds: int) -> Recording:
    """Makes the film, a key frame each second."""
    import av

    with av.open(str(path), "w") as file:
        options = {"g": str(FPS), "keyint_min": str(FPS), "preset": "ultrafast", "bf": "0", "sc_threshold": "0"}
        video = file.add_stream("libx264", rate=FPS, options=options)
        video.width, video.height, video.pix_fmt = SIDE, SIDE, "yuv420p"
        for n in range(seconds * FPS):
            picture = np.zeros((SIDE, SIDE, 3), np.uint8)
            number, moment = divmod(n, PERIOD_SECONDS * FPS)
            if moment < SHOWN_SECONDS * FPS:
                x1, y1, x2, y2 = map(int, _box(number))
                picture[y1:y2, x1:x2] = 255
            file.mux(video.encode(av.VideoFrame.from_ndarray(picture, "rgb24")))
        file.mux(video.encode(None))
    return recording.read(path, fragment_s=1.0)


def detector(path: Path) -> Path:
    """Writes a detector in the layout of YOLOv8 that finds white squares: the brightness of each place is its score."""
    rows, columns = np.divmod(np.arange(GRID * GRID), GRID)
    half = CELL / 2
    places = np.stack([columns * CELL + half, rows * CELL + half, *np.full((2, GRID * GRID), CELL)]).astype(np.float32)
    nodes = [
        helper.make_node("AveragePool", ["images"], ["pooled"], kernel_shape=[CELL, CELL], strides=[CELL, CELL]),
        helper.make_node("ReduceMean", ["pooled"], ["grey"], axes=[1], keepdims=1),
        constant("shape", np.array([0, 1, GRID * GRID], np.int64)),
        helper.make_node("Reshape", ["grey", "shape"], ["scores"]),
        constant("zero", np.zeros(1, np.float32)),
        helper.make_node("Mul", ["scores", "zero"], ["nothing"]),
        constant("places", places[np.newaxis]),
        helper.make_node("Add", ["nothing", "places"], ["boxes"]),
        helper.make_node("Concat", ["boxes", "scores"], ["output0"], axis=1),
    ]
    side = GRID * CELL
    inputs = [helper.make_tensor_value_info("images", TensorProto.FLOAT, ["batch", 3, side, side])]
    outputs = [helper.make_tensor_value_info("output0", TensorProto.FLOAT, ["batch", 5, GRID * GRID])]
    return write(path, nodes, inputs, outputs, {"names": "{0: 'square'}"})


def _box(number: int) -> tuple[float, float, float, float]:
    """The place of a square; 27 is prime to 64, so a place comes again only after all others."""
    row, column = divmod(number * 27 % (GRID * GRID), GRID)
    side = CELL * SCALE
    return (column * side, row * side, (column + 1) * side, (row + 1) * side)
