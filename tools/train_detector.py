"""Trains the street detector on a folder of rendered frames and keeps a checkpoint that training can go on from."""

from __future__ import annotations

import argparse
import copy
import math
import tempfile
import time
from pathlib import Path

import cv2
import numpy as np
import torch
from street.augment import Frames, Share, Window, batches
from street.losses import Targets, detection_loss
from street.network import StreetDetector
from torch import Tensor, distributed, nn

SIZE = (288, 512)
CLASSES = 5
REPORT = 50
WHOLE = Window(*SIZE, full=SIZE, zoom=(0.6, 1.7))
PART = Window(192, 320, full=SIZE, zoom=(0.45, 1.4))
"""Early steps see smaller windows, which takes less than half the time a step."""


class Average:
    """A moving average of a model's weights, which is what gets exported."""

    def __init__(self, model: nn.Module) -> None:
        self.model = copy.deepcopy(model).eval()
        self.updates = 0

    @torch.no_grad()
    def update(self, model: nn.Module) -> None:
        """Moves the average a little towards the model."""
        self.updates += 1
        keep = 0.999 * (1.0 - math.exp(-self.updates / 400))
        for mine, new in zip(self.model.state_dict().values(), model.state_dict().values(), strict=True):
            if mine.is_floating_point():
                mine.lerp_(new, 1.0 - keep)
            else:
                mine.copy_(new)


def to_tensors(views: np.ndarray, rows: list[np.ndarray]) -> tuple[Tensor, Targets]:
    """A batch of views [batch, h, w, 3] and their labels as tensors."""
    most = max(1, *(len(part) for part in rows))
    padded = np.zeros((len(rows), most, 6), np.float32)
    padded[..., 5] = -1.0
    for index, part in enumerate(rows):
        padded[index, : len(part)] = part
    truth = torch.from_numpy(padded)
    pictures = torch.from_numpy(np.ascontiguousarray(views)).permute(0, 3, 1, 2).float().div_(255.0)
    return pictures.contiguous(memory_format=torch.channels_last), Targets(
        truth[..., 0].long(), truth[..., 1:5], truth[..., 5]
    )


def learning_rate(step: int, steps: int, peak: float) -> float:
    """A short rise, then half a cosine down to a hundredth."""
    warm = min(1.0, (step + 1) / 300)
    return peak * warm * (0.01 + 0.99 * 0.5 * (1.0 + math.cos(math.pi * step / steps)))


def optimiser_for(model: nn.Module) -> torch.optim.Optimizer:
    """AdamW that leaves biases and norms undecayed."""
    flat = [weight for weight in model.parameters() if weight.ndim < 2]
    rest = [weight for weight in model.parameters() if weight.ndim >= 2]
    groups = [{"params": rest, "weight_decay": 0.03}, {"params": flat, "weight_decay": 0.0}]
    return torch.optim.AdamW(groups, lr=1e-3, betas=(0.9, 0.99), fused=True)


def average_gradients(model: nn.Module, workers: int) -> None:
    """Gives every worker the mean of all workers' gradients."""
    gradients = [weight.grad for weight in model.parameters() if weight.grad is not None]
    flat = torch.cat([gradient.flatten() for gradient in gradients])
    distributed.all_reduce(flat)
    flat /= workers
    for gradient, part in zip(gradients, flat.split([gradient.numel() for gradient in gradients]), strict=True):
        gradient.copy_(part.view_as(gradient))


class Trainer:
    """One worker of the training; all hold the same weights, and the first keeps the average and the checkpoint."""

    def __init__(self, worker: int, options: argparse.Namespace) -> None:
        torch.manual_seed(options.seed)
        self.options, self.worker = options, worker
        self.model = StreetDetector(CLASSES).to(memory_format=torch.channels_last).train()
        self.average = Average(self.model)
        self.optimiser = optimiser_for(self.model)
        self.step = 0
        if options.out.exists():
            kept = torch.load(options.out, weights_only=True)
            self.model.load_state_dict(kept["model"])
            self.average.model.load_state_dict(kept["average"])
            self.optimiser.load_state_dict(kept["optimiser"])
            self.step = self.average.updates = kept["step"]

    def run(self) -> None:
        """Trains up to the last step."""
        frames = Frames(self.options.data)
        steps = range(self.step, self.options.steps)
        share = Share(self.options.seed, self.options.batch, self.worker, self.options.workers)
        losses, since = np.zeros(2), time.perf_counter()
        for views, rows in batches(frames, self._window, steps, share):
            losses += self._learn(*to_tensors(views, rows))
            if self.worker != 0:
                continue
            self.average.update(self.model)
            if self.step % REPORT == 0:
                pace = REPORT * share.batch * share.workers / (time.perf_counter() - since)
                print(f"step {self.step} losses {np.round(losses / REPORT, 3)} {pace:.0f} pictures/s", flush=True)
                losses[:], since = 0.0, time.perf_counter()
            if self.step % self.options.save_every == 0 or self.step == self.options.steps:
                self._save()

    def _window(self, step: int) -> Window:
        return PART if step < self.options.part_steps else WHOLE

    def _learn(self, pictures: Tensor, truth: Targets) -> tuple[float, float]:
        """One step; returns the classification loss and the box loss."""
        for group in self.optimiser.param_groups:
            group["lr"] = learning_rate(self.step, self.options.steps, self.options.rate)
        with torch.autocast("cpu", torch.bfloat16):
            raw = self.model(pictures)
        classification, box = detection_loss(raw, truth)
        self.optimiser.zero_grad(set_to_none=True)
        (classification + box).backward()
        average_gradients(self.model, self.options.workers)
        nn.utils.clip_grad_norm_(self.model.parameters(), 10.0)
        self.optimiser.step()
        self.step += 1
        return classification.item(), box.item()

    def _save(self) -> None:
        kept = {
            "model": self.model.state_dict(),
            "average": self.average.model.state_dict(),
            "optimiser": self.optimiser.state_dict(),
            "step": self.step,
        }
        partial = self.options.out.with_suffix(".partial")
        torch.save(kept, partial)
        partial.replace(self.options.out)


def work(worker: int, options: argparse.Namespace, meeting: str) -> None:
    """What each worker's process does; they meet in a file."""
    torch.set_num_threads(1)
    cv2.setNumThreads(1)
    distributed.init_process_group("gloo", init_method=f"file://{meeting}", rank=worker, world_size=options.workers)
    Trainer(worker, options).run()
    distributed.destroy_process_group()


def main() -> None:
    """Trains for a number of steps, or goes on from a checkpoint."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, required=True, help="folder written by render_dataset.py")
    parser.add_argument("--out", type=Path, required=True, help="checkpoint to write, and to go on from if it is there")
    parser.add_argument("--steps", type=int, default=9000)
    parser.add_argument("--part-steps", type=int, default=4200, help="how many of them on smaller windows")
    parser.add_argument("--workers", type=int, default=2, help="processes with a core each")
    parser.add_argument("--batch", type=int, default=8, help="pictures a step for each of them")
    parser.add_argument("--rate", type=float, default=1.5e-3)
    parser.add_argument("--seed", type=int, default=7)
    parser.add_argument("--save-every", type=int, default=500)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        torch.multiprocessing.spawn(work, (options, f"{folder}/meeting"), options.workers)


if __name__ == "__main__":
    main()
