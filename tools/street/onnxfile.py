"""Writes a network as ONNX with metadata in Ultralytics' keys, and checks that it still gives the same numbers."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import onnx
import onnxruntime
import torch
from torch import Tensor, nn

OPSET = 17


def save_onnx(network: nn.Module, example: Tensor, path: Path, about: Mapping[str, str]) -> np.ndarray:
    """Writes a network with the input `images`, the output `output0` and a free batch size.

    Args:
        network: Takes and gives one tensor, batch first.
        example: An input [batch, 3, height, width].
        path: Where to write to.
        about: Metadata.

    Returns:
        Greatest difference between ONNX Runtime and PyTorch, per value of the output.
    """
    network = network.eval()
    path.parent.mkdir(parents=True, exist_ok=True)
    torch.onnx.export(
        network,
        (example,),
        str(path),
        input_names=["images"],
        output_names=["output0"],
        dynamic_axes={"images": {0: "batch"}, "output0": {0: "batch"}},
        opset_version=OPSET,
        dynamo=False,
    )
    graph = onnx.load(str(path))
    onnx.helper.set_model_props(graph, dict(about))
    graph.producer_name, graph.producer_version, graph.doc_string = about["author"], about["version"], ""
    onnx.checker.check_model(graph)
    onnx.save(graph, str(path))
    with torch.no_grad():
        wanted = network(example).numpy()
    session = onnxruntime.InferenceSession(str(path), providers=["CPUExecutionProvider"])
    (given,) = session.run(None, {"images": example.numpy()})
    return np.abs(given - wanted).max(axis=0)


def metadata(task: str, description: str, version: str, size: Sequence[int], names: Sequence[str]) -> dict[str, str]:
    """Metadata under the keys that Ultralytics' exports use.

    Args:
        task: `detect` or `classify`.
        description: What the model is, in a sentence.
        version: Its version.
        size: Height and width of its input.
        names: Class names in the order of their numbers.
    """
    return {
        "author": "inferfleet",
        "description": description,
        "license": "Apache-2.0",
        "version": version,
        "task": task,
        "batch": "1",
        "channels": "3",
        "imgsz": str(list(size)),
        "names": repr(dict(enumerate(names))),
    }
