"""Random views of rendered frames: other scales and places, other light, blur, noise and compression."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np

FILL = 114
AHEAD = 4
HIDDEN = 0.25
"""Objects of which others leave less than this to be seen are neither to be found nor to be punished for."""
STUB = 24.0
"""Nor those mostly outside the view, unless the shorter side of what is inside has so many input pixels."""
TINY = 7.0
"""Nor those whose shorter side is less than this many input pixels."""


class Frames:
    """A folder that `render_dataset.py` wrote.

    Attributes:
        pictures: Frames [n, height, width, 3], blue, green, red.
    """

    def __init__(self, folder: Path) -> None:
        self.pictures = np.load(folder / "frames.npy", mmap_mode="r")
        stored = np.load(folder / "labels.npz")
        self._rows, self._starts = stored["rows"], stored["starts"]

    def __len__(self) -> int:
        return len(self.pictures)

    def labels(self, index: int) -> np.ndarray:
        """Rows [m, 7] of a frame: class, box in its pixels, visible share, exposed share."""
        return self._rows[self._starts[index] : self._starts[index + 1]].copy()


@dataclass(frozen=True)
class Window:
    """What a view shows.

    Attributes:
        height: Its height in pixels.
        width: Its width in pixels.
        full: Height and width of the model's input: at zoom 1 a view shows things as large as they are there.
        zoom: Least and greatest zoom.
    """

    height: int
    width: int
    full: tuple[int, int]
    zoom: tuple[float, float]


def random_view(
    picture: np.ndarray, rows: np.ndarray, window: Window, random: np.random.Generator
) -> tuple[np.ndarray, np.ndarray]:
    """A random view of a frame.

    Args:
        picture: The frame [h, w, 3].
        rows: Its labels [n, 7].
        window: Size and zoom of the view.
        random: Source of chance.

    Returns:
        The view [height, width, 3], blue, green, red, and rows [m, 6]: class, box in its pixels, 1 to find or 0 to
        leave alone.
    """
    height, width = window.height, window.width
    base = min(window.full[1] / picture.shape[1], window.full[0] / picture.shape[0])
    zoom = base * (1.0 if random.random() < 0.25 else float(np.exp(random.uniform(*np.log(window.zoom)))))
    stretch = float(random.uniform(0.92, 1.08))
    sx, sy = zoom * stretch, zoom / stretch
    slack = np.array([width - sx * picture.shape[1], height - sy * picture.shape[0]])
    shift = slack * random.uniform(0.0, 1.0, 2)
    mirror = random.random() < 0.5
    matrix = np.array([[-sx if mirror else sx, 0.0, width - shift[0] if mirror else shift[0]], [0.0, sy, shift[1]]])
    matrix[:, 2] += matrix[:, :2] @ np.array([0.5, 0.5]) - 0.5
    view = cv2.warpAffine(picture, matrix, (width, height), flags=cv2.INTER_LINEAR, borderValue=(FILL, FILL, FILL))
    return relight(view, random), _place(rows, (sx, sy), shift, window, mirror=mirror)


def _place(
    rows: np.ndarray, scale: tuple[float, float], shift: np.ndarray, window: Window, *, mirror: bool
) -> np.ndarray:
    """Labels as they lie in a view; what is cut or small is marked to be left alone."""
    height, width = window.height, window.width
    boxes = rows[:, 1:5] * np.tile(scale, 2) + np.tile(shift, 2)
    if mirror:
        boxes[:, [0, 2]] = width - boxes[:, [2, 0]]
    cut = np.clip(boxes, 0.0, np.array([width, height, width, height]))
    area = np.prod(boxes[:, 2:] - boxes[:, :2], axis=1)
    sides = cut[:, 2:] - cut[:, :2]
    visible = rows[:, 5] * np.prod(sides, axis=1) / np.maximum(area, 1e-6)
    shorter = sides.min(axis=1, initial=np.inf)
    find = (rows[:, 6] >= HIDDEN) & (shorter >= TINY) & ((visible >= HIDDEN) | (shorter >= STUB))
    placed = np.concatenate([rows[:, :1], cut, find[:, None]], axis=1)
    return placed[shorter > 1.0].astype(np.float32)


def relight(view: np.ndarray, random: np.random.Generator) -> np.ndarray:
    """A picture in other light, and at times grey, blurred, noisy or compressed."""
    gain = random.uniform(0.7, 1.35) * random.uniform(0.92, 1.08, 3)
    curve = (np.arange(256)[:, None] / 255.0) ** random.uniform(0.75, 1.3) * gain * 255.0 + random.uniform(-14, 14)
    table = np.clip(curve, 0, 255).astype(np.uint8)[None]
    view = cv2.LUT(view, table)
    if random.random() < 0.04:
        view = cv2.cvtColor(cv2.cvtColor(view, cv2.COLOR_BGR2GRAY), cv2.COLOR_GRAY2BGR)
    if random.random() < 0.2:
        view = cv2.GaussianBlur(view, (0, 0), float(random.uniform(0.4, 1.1)))
    if random.random() < 0.25:
        noise = random.standard_normal((view.shape[0], view.shape[1], 1), dtype=np.float32) * random.uniform(2, 9)
        view = np.clip(view + noise, 0, 255).astype(np.uint8)
    if random.random() < 0.2:
        _, data = cv2.imencode(".jpg", view, [cv2.IMWRITE_JPEG_QUALITY, int(random.integers(35, 90))])
        view = cv2.imdecode(data, cv2.IMREAD_COLOR)
    return view


@dataclass(frozen=True)
class Share:
    """One worker's share of each step's pictures.

    Attributes:
        seed: Decides the order and the views.
        batch: Pictures a step for this worker.
        worker: Its number, from 0.
        workers: How many there are.
    """

    seed: int
    batch: int
    worker: int
    workers: int


def batches(
    frames: Frames, window: Callable[[int], Window], steps: range, share: Share
) -> Iterator[tuple[np.ndarray, list[np.ndarray]]]:
    """Yields batches made in the background; a step's batch depends on the share and the step alone.

    Yields:
        Views [batch, height, width, 3] in red, green, blue and their rows.
    """
    per_epoch = len(frames) // (share.batch * share.workers)

    def make(step: int) -> tuple[np.ndarray, list[np.ndarray]]:
        epoch, place = divmod(step, per_epoch)
        order = np.random.default_rng((share.seed, 1, epoch)).permutation(len(frames))
        random = np.random.default_rng((share.seed, 2, step, share.worker))
        views, labels = [], []
        start = (place * share.workers + share.worker) * share.batch
        for index in order[start : start + share.batch]:
            view, rows = random_view(frames.pictures[index], frames.labels(index), window(step), random)
            views.append(view[..., ::-1])
            labels.append(rows)
        return np.stack(views), labels

    with ThreadPoolExecutor(1) as pool:
        waiting = [pool.submit(make, step) for step in steps[:AHEAD]]
        for step in steps:
            done = waiting.pop(0)
            following = step + AHEAD
            if following in steps:
                waiting.append(pool.submit(make, following))
            yield done.result()
