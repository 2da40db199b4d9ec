"""Measures an exported street classifier with ONNX Runtime on crops of scenes whose seeds training never saw."""

from __future__ import annotations

import argparse
import ast
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

import numpy as np
import onnxruntime
from evaluate_detector import render_scene
from street.crops import choose_crops, cut


def main() -> None:
    """Prints the share of crops whose best class is the right one, per class and in all."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("model", type=Path)
    parser.add_argument("--first-seed", type=int, default=1_000_000)
    parser.add_argument("--scenes", type=int, default=200)
    parser.add_argument("--frames", type=int, default=2, help="frames per scene")
    parser.add_argument("--processes", type=int, default=2)
    options = parser.parse_args()
    session = onnxruntime.InferenceSession(str(options.model), providers=["CPUExecutionProvider"])
    names = ast.literal_eval(session.get_modelmeta().custom_metadata_map["names"])
    random = np.random.default_rng((options.first_seed, 13))
    right, seen = np.zeros(len(names), int), np.zeros(len(names), int)
    tasks = [(options.first_seed + index, options.frames) for index in range(options.scenes)]
    with ProcessPoolExecutor(options.processes) as pool:
        for drawn in pool.map(render_scene, tasks, chunksize=4):
            for frame, rows in drawn:
                for label, x, y, side in choose_crops(rows, frame.shape[:2], random):
                    picture = cut(frame, x, y, side)[..., ::-1].transpose(2, 0, 1)[None].astype(np.float32) / 255.0
                    (scores,) = session.run(None, {"images": picture})
                    seen[label] += 1
                    right[label] += int(scores[0].argmax() == label)
    for number, name in names.items():
        print(f"{name:10s} {right[number] / max(seen[number], 1):.4f}  ({seen[number]} crops)")
    print(f"{'all':10s} {right.sum() / seen.sum():.4f}")


if __name__ == "__main__":
    main()
