"""Measures an exported street detector with ONNX Runtime on scenes whose seeds training never saw."""

from __future__ import annotations

import argparse
import ast
import json
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

import cv2
import numpy as np
import onnxruntime
from render_dataset import compress, label_rows
from street.metrics import Found, Truth, average_precision, suppress

from inferfleet.demo.random_scenes import SECONDS, random_scene
from inferfleet.demo.scene import render

FILL = 114
HIDDEN = 0.25
TINY = 8.0
STUB = 24.0
LEAST_SCORE = 0.01
SUPPRESS_AT = 0.6


def render_scene(task: tuple[int, int]) -> list[tuple[np.ndarray, np.ndarray]]:
    """Frames of one scene after JPEG at quality 70, and their label rows."""
    seed, count = task
    cv2.setNumThreads(1)
    scene = random_scene(seed)
    moments = np.random.default_rng((seed, 11)).uniform(0.0, SECONDS, count)
    drawn = [render(scene, float(t)) for t in moments]
    return [(compress(frame, 70), label_rows(objects)) for frame, objects in drawn]


def letterbox(frame: np.ndarray, size: tuple[int, int]) -> tuple[np.ndarray, float, tuple[float, float]]:
    """A frame [h, w, 3] as model input [1, 3, height, width], with the scale and the left and top margins used."""
    height, width = size
    scale = min(height / frame.shape[0], width / frame.shape[1])
    rows, columns = round(frame.shape[0] * scale), round(frame.shape[1] * scale)
    top, left = (height - rows) // 2, (width - columns) // 2
    canvas = np.full((height, width, 3), FILL, np.uint8)
    canvas[top : top + rows, left : left + columns] = cv2.resize(frame, (columns, rows), interpolation=cv2.INTER_LINEAR)
    return canvas[..., ::-1].transpose(2, 0, 1)[None].astype(np.float32) / 255.0, scale, (left, top)


def decode(output: np.ndarray, scale: float, margin: tuple[float, float]) -> Found:
    """Predictions [4 + classes, cells] as detections in pixels of the frame, overlapping ones dropped."""
    scores = output[4:].max(axis=0)
    kept = scores >= LEAST_SCORE
    middle, half = output[:2, kept].T, output[2:4, kept].T / 2
    boxes = (np.concatenate([middle - half, middle + half], axis=1) - np.tile(margin, 2)) / scale
    return suppress(Found(boxes, scores[kept], output[4:, kept].argmax(axis=0)), SUPPRESS_AT)


def as_truth(rows: np.ndarray, scale: float) -> Truth:
    """Label rows [n, 7] as truth.

    Ignored are objects that others hide but for a quarter, that are less than 8 input pixels high or wide, or of which
    less than a quarter is visible and less than 24 input pixels stick into the frame.
    """
    shorter = ((rows[:, 3:5] - rows[:, 1:3]) * scale).min(axis=1, initial=np.inf)
    ignored = (rows[:, 6] < HIDDEN) | (shorter < TINY) | ((rows[:, 5] < HIDDEN) & (shorter < STUB))
    return Truth(rows[:, 1:5], rows[:, 0].astype(int), ignored)


def main() -> None:
    """Prints average precision at an overlap of 0.5 per class, and their mean."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("model", type=Path)
    parser.add_argument("--first-seed", type=int, default=1_000_000)
    parser.add_argument("--scenes", type=int, default=200)
    parser.add_argument("--frames", type=int, default=2, help="frames per scene")
    parser.add_argument("--processes", type=int, default=2)
    parser.add_argument("--json", action="store_true", help="print one line of JSON instead of a table")
    options = parser.parse_args()
    session = onnxruntime.InferenceSession(str(options.model), providers=["CPUExecutionProvider"])
    names = ast.literal_eval(session.get_modelmeta().custom_metadata_map["names"])
    size = tuple(session.get_inputs()[0].shape[2:])
    found: list[Found] = []
    truth: list[Truth] = []
    tasks = [(options.first_seed + index, options.frames) for index in range(options.scenes)]
    with ProcessPoolExecutor(options.processes) as pool:
        for drawn in pool.map(render_scene, tasks, chunksize=4):
            for frame, rows in drawn:
                picture, scale, margin = letterbox(frame, size)
                (output,) = session.run(None, {"images": picture})
                found.append(decode(output[0], scale, margin))
                truth.append(as_truth(rows, scale))
    results = {name: average_precision(found, truth, number) for number, name in names.items()}
    mean = float(np.nanmean([precision for precision, _ in results.values()]))
    if options.json:
        print(json.dumps({"map50": mean, "ap50": {name: precision for name, (precision, _) in results.items()}}))
        return
    print(f"{len(found)} frames of {options.scenes} scenes from seed {options.first_seed}")
    for name, (precision, count) in results.items():
        print(f"{name:10s} AP50 {precision:.4f}  ({count} objects)")
    print(f"{'all':10s} mAP50 {mean:.4f}")


if __name__ == "__main__":
    main()
