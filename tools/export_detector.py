"""Exports a trained street detector as ONNX in the YOLOv8 output layout, with its names in the metadata."""

from __future__ import annotations

import argparse
from pathlib import Path

import torch
from street.network import STRIDES, Deployed, StreetDetector
from street.onnxfile import metadata, save_onnx
from train_detector import CLASSES, SIZE

from inferfleet.demo.figure import CLASSES as NAMES

DESCRIPTION = "street-v1: cars, trucks, buses, bicycles and people of drawn street scenes"
MOST_PIXELS, MOST_SCORE = 1e-2, 1e-4


def main() -> None:
    """Exports the averaged weights of a checkpoint."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("checkpoint", type=Path)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--version", default="1")
    options = parser.parse_args()
    kept = torch.load(options.checkpoint, weights_only=True)
    model = StreetDetector(CLASSES)
    model.load_state_dict(kept["average"])
    about = metadata("detect", DESCRIPTION, options.version, SIZE, NAMES) | {"stride": str(max(STRIDES))}
    example = torch.rand(2, 3, *SIZE, generator=torch.Generator().manual_seed(1))
    apart = save_onnx(Deployed(model), example, options.out, about)
    if apart[:4].max() > MOST_PIXELS or apart[4:].max() > MOST_SCORE:
        raise SystemExit(f"{options.out}: differs from PyTorch by {apart[:4].max()} px and {apart[4:].max()} in score")
    print(f"{options.out}: {options.out.stat().st_size / 1e6:.2f} MB after {kept['step']} steps")


if __name__ == "__main__":
    main()
