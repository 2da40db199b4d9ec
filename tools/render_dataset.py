"""Renders random street scenes into one array file that training reads without decoding anything.

Writes `frames.npy` (uint8 [n, 360, 640, 3], blue, green, red) and `labels.npz` (see `Labels`) into a folder.
"""

from __future__ import annotations

import argparse
import json
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

import cv2
import numpy as np
from numpy.lib.format import open_memmap

from inferfleet.demo.figure import CLASSES
from inferfleet.demo.random_scenes import SECONDS, random_scene
from inferfleet.demo.scene import render
from inferfleet.demo.truth import TruthObject

WIDTH, HEIGHT = 640, 360
SHRINK = 2.0


def label_rows(objects: list[TruthObject]) -> np.ndarray:
    """Truth as rows [n, 7]: class number, box in pixels of the full picture, visible share, exposed share."""
    shown = [item for item in objects if item.visible >= 0.02]
    rows = [(CLASSES.index(item.label), *item.box, item.visible, item.exposed) for item in shown]
    return np.array(rows, np.float32).reshape(-1, 7)


def compress(frame: np.ndarray, quality: int) -> np.ndarray:
    """The frame after a trip through JPEG."""
    done, data = cv2.imencode(".jpg", frame, [cv2.IMWRITE_JPEG_QUALITY, quality])
    if not done:
        raise RuntimeError(f"OpenCV could not encode a frame of shape {frame.shape} as JPEG")
    return cv2.imdecode(data, cv2.IMREAD_COLOR)


def render_one(task: tuple[int, int]) -> tuple[np.ndarray, list[np.ndarray]]:
    """The frames [m, 360, 640, 3] and label rows of one scene."""
    seed, count = task
    cv2.setNumThreads(1)
    scene = random_scene(seed)
    random = np.random.default_rng((seed, 9))
    frames, labels = [], []
    for t in random.uniform(0.0, SECONDS, count):
        frame, objects = render(scene, float(t))
        if random.random() < 0.6:
            frame = compress(frame, int(random.integers(25, 90)))
        kernel = cv2.INTER_AREA if random.random() < 0.5 else cv2.INTER_LINEAR
        frames.append(cv2.resize(frame, (WIDTH, HEIGHT), interpolation=kernel))
        rows = label_rows(objects)
        rows[:, 1:5] /= SHRINK
        labels.append(rows)
    return np.stack(frames), labels


def main() -> None:
    """Renders the scenes of consecutive seeds."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", type=Path, required=True, help="folder to write to")
    parser.add_argument("--first-seed", type=int, default=0)
    parser.add_argument("--scenes", type=int, default=1300)
    parser.add_argument("--frames", type=int, default=4, help="frames per scene")
    parser.add_argument("--processes", type=int, default=2)
    options = parser.parse_args()
    options.out.mkdir(parents=True, exist_ok=True)
    total = options.scenes * options.frames
    store = open_memmap(options.out / "frames.npy", "w+", np.uint8, (total, HEIGHT, WIDTH, 3))
    rows: list[np.ndarray] = []
    tasks = [(options.first_seed + index, options.frames) for index in range(options.scenes)]
    with ProcessPoolExecutor(options.processes) as pool:
        for number, (frames, labels) in enumerate(pool.map(render_one, tasks, chunksize=4), start=1):
            store[(number - 1) * options.frames : number * options.frames] = frames
            rows += labels
            if number % 100 == 0:
                print(f"{number}/{options.scenes} scenes", flush=True)
    store.flush()
    starts = np.cumsum([0] + [len(part) for part in rows])
    np.savez(options.out / "labels.npz", rows=np.concatenate(rows), starts=starts)
    about = {"first_seed": options.first_seed, "scenes": options.scenes, "frames": options.frames}
    (options.out / "about.json").write_text(json.dumps(about) + "\n")


if __name__ == "__main__":
    main()
