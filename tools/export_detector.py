"""Exports a trained street detector as ONNX in the YOLOv8 output layout, with its names in the metadata."""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np
import onnx
import onnxruntime
import torch
from street.network import STRIDES, Deployed, StreetDetector
from train_detector import CLASSES, SIZE

from inferfleet.demo.figure import CLASSES as NAMES

OPSET = 17


def export(model: StreetDetector, path: Path, version: str) -> None:
    """Writes the model to `path` and checks that ONNX Runtime gives what PyTorch gives.

    Raises:
        RuntimeError: If the two differ by more than 1e-2 pixels or 1e-4 in score.
    """
    deployed = Deployed(model).eval()
    example = torch.rand(2, 3, *SIZE)
    path.parent.mkdir(parents=True, exist_ok=True)
    torch.onnx.export(
        deployed,
        (example,),
        str(path),
        input_names=["images"],
        output_names=["output0"],
        dynamic_axes={"images": {0: "batch"}, "output0": {0: "batch"}},
        opset_version=OPSET,
        dynamo=False,
    )
    graph = onnx.load(str(path))
    del graph.metadata_props[:]
    about = {
        "author": "inferfleet",
        "description": "street-v1: cars, trucks, buses, bicycles and people of drawn street scenes",
        "license": "Apache-2.0",
        "version": version,
        "task": "detect",
        "stride": str(max(STRIDES)),
        "batch": "1",
        "channels": "3",
        "imgsz": str(list(SIZE)),
        "names": repr(dict(enumerate(NAMES))),
    }
    onnx.helper.set_model_props(graph, about)
    graph.producer_name, graph.producer_version, graph.doc_string = "inferfleet", version, ""
    onnx.checker.check_model(graph)
    onnx.save(graph, str(path))
    with torch.no_grad():
        wanted = deployed(example).numpy()
    session = onnxruntime.InferenceSession(str(path), providers=["CPUExecutionProvider"])
    (given,) = session.run(None, {"images": example.numpy()})
    boxes, scores = np.abs(given - wanted)[:, :4].max(), np.abs(given - wanted)[:, 4:].max()
    if boxes > 1e-2 or scores > 1e-4:
        raise RuntimeError(f"{path}: ONNX Runtime differs from PyTorch by {boxes:.4f} px and {scores:.6f} in score")


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
    export(model, options.out, options.version)
    print(f"{options.out}: {options.out.stat().st_size / 1e6:.2f} MB after {kept['step']} steps")


if __name__ == "__main__":
    main()
