"""Trains a small classifier on crops of rendered frames and exports it as ONNX: picture in, class probabilities out."""

from __future__ import annotations

import argparse
import math
import time
from pathlib import Path

import cv2
import numpy as np
import torch
from street.augment import Frames, relight
from street.crops import NAMES, SIDE, choose_crops, cut
from street.network import Split, Unit
from street.onnxfile import metadata, save_onnx
from torch import Tensor, nn

DESCRIPTION = "street-classifier-v1: one road user of a drawn street scene, or none"


class StreetClassifier(nn.Module):
    """Five halvings, a mean over the map, one linear layer; about a quarter of a million weights."""

    def __init__(self) -> None:
        super().__init__()
        self.body = nn.Sequential(
            Unit(3, 16, 3, 2),
            Unit(16, 32, 3, 2),
            Unit(32, 64, 3, 2),
            Split(64, 64, 1),
            Unit(64, 96, 3, 2),
            Split(96, 96, 1),
        )
        self.head = nn.Linear(96, len(NAMES))

    def forward(self, images: Tensor) -> Tensor:
        """Pictures [batch, 3, 128, 128], red, green, blue, 0 to 1, to logits [batch, classes]."""
        return self.head(self.body(images).float().mean((2, 3)))


def collect(frames: Frames, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Crops [n, SIDE, SIDE, 3], blue, green, red, and their classes [n]."""
    crops, labels = [], []
    random = np.random.default_rng((seed, 1))
    for index in range(len(frames)):
        picture, rows = frames.pictures[index], frames.labels(index)
        for label, x, y, side in choose_crops(rows, picture.shape[:2], random):
            crops.append(cut(picture, x, y, side))
            labels.append(label)
    return np.stack(crops), np.array(labels)


def main() -> None:
    """Trains, then exports."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, required=True, help="folder written by render_dataset.py")
    parser.add_argument("--out", type=Path, required=True, help="ONNX file to write")
    parser.add_argument("--steps", type=int, default=2500)
    parser.add_argument("--batch", type=int, default=64)
    parser.add_argument("--rate", type=float, default=2e-3)
    parser.add_argument("--seed", type=int, default=7)
    parser.add_argument("--version", default="1")
    options = parser.parse_args()
    torch.manual_seed(options.seed)
    torch.set_num_threads(1)
    cv2.setNumThreads(1)
    crops, labels = collect(Frames(options.data), options.seed)
    print(f"{len(crops)} crops:", dict(zip(NAMES, np.bincount(labels).tolist(), strict=True)), flush=True)
    members = [np.flatnonzero(labels == number) for number in range(len(NAMES))]
    model = StreetClassifier().to(memory_format=torch.channels_last).train()
    optimiser = torch.optim.AdamW(model.parameters(), lr=options.rate, weight_decay=0.02, fused=True)
    random = np.random.default_rng((options.seed, 2))
    wrong, since = 0, time.perf_counter()
    for step in range(1, options.steps + 1):
        for group in optimiser.param_groups:
            group["lr"] = options.rate * min(1.0, step / 200) * 0.5 * (1.0 + math.cos(math.pi * step / options.steps))
        wanted = random.integers(len(NAMES), size=options.batch)
        views = [_vary(crops[random.choice(members[number])], random) for number in wanted]
        pictures = torch.from_numpy(np.stack(views)[..., ::-1].copy()).permute(0, 3, 1, 2).float().div_(255.0)
        goal = torch.from_numpy(wanted)
        with torch.autocast("cpu", torch.bfloat16):
            logits = model(pictures.contiguous(memory_format=torch.channels_last))
        loss = nn.functional.cross_entropy(logits.float(), goal, label_smoothing=0.05)
        optimiser.zero_grad(set_to_none=True)
        loss.backward()
        optimiser.step()
        wrong += int((logits.argmax(1) != goal).sum())
        if step % 100 == 0:
            pace = 100 * options.batch / (time.perf_counter() - since)
            print(f"step {step} wrong {wrong / (100 * options.batch):.4f} {pace:.0f} crops/s", flush=True)
            wrong, since = 0, time.perf_counter()
    about = metadata("classify", DESCRIPTION, options.version, (SIDE, SIDE), NAMES)
    deployed = nn.Sequential(model, nn.Softmax(1))
    apart = save_onnx(deployed, torch.rand(2, 3, SIDE, SIDE), options.out, about)
    print(f"{options.out}: {options.out.stat().st_size / 1e6:.2f} MB, {apart.max():.1e} from PyTorch")


def _vary(crop: np.ndarray, random: np.random.Generator) -> np.ndarray:
    """A crop mirrored, moved, zoomed and relit by chance."""
    side = SIDE * random.uniform(0.85, 1.15)
    x, y = SIDE / 2 + random.uniform(-0.06, 0.06, 2) * SIDE
    view = relight(cut(crop, x, y, side), random)
    return view[:, ::-1] if random.random() < 0.5 else view


if __name__ == "__main__":
    main()
