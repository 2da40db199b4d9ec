"""What can be told of a model without running it for real: inputs, outputs, metadata, and a few traits of its graph."""

from __future__ import annotations

import ast
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

Shape = tuple[int | None, ...]


@dataclass(frozen=True, slots=True)
class Port:
    """An input or output.

    Attributes:
        name: Its name in the graph.
        dtype: numpy's name of its type: float32, float16, int64 …
        shape: Its size; None where the file leaves it open.
    """

    name: str
    dtype: str
    shape: Shape

    def __str__(self) -> str:
        """The form used in messages: `images float32 [?, 3, 640, 640]`."""
        sizes = ", ".join("?" if side is None else str(side) for side in self.shape)
        return f"{self.name} {self.dtype} [{sizes}]"


@dataclass(frozen=True, slots=True)
class Signature:
    """A model as seen from outside.

    Attributes:
        inputs: What it takes.
        outputs: What it gives; open sizes are filled in for one picture of the chosen size.
        metadata: The file's own key and value pairs.
        size: Width and height chosen for the input that takes the picture.
        batch: The batch size that the file fixes; None where it is open.
        decodes_boxes: Whether the graph computes exponentials, as YOLOX does when it decodes its own boxes.
        ends_in: The operator that makes each output, by the output's name.
    """

    inputs: tuple[Port, ...]
    outputs: tuple[Port, ...]
    metadata: Mapping[str, str]
    size: tuple[int, int]
    batch: int | None
    decodes_boxes: bool
    ends_in: Mapping[str, str]

    @property
    def picture(self) -> Port:
        """The input that takes the picture."""
        return self.inputs[picture_index(self.inputs)]

    def output(self, name: str) -> Port | None:
        """Finds an output by its name."""
        return next((port for port in self.outputs if port.name == name), None)

    @property
    def names(self) -> tuple[str, ...] | None:
        """Class names from the metadata: Ultralytics' and YOLOv5's `names`, a dict or list as Python or JSON text."""
        text = self.metadata.get("names") or self.metadata.get("class_names")
        return None if text is None else parse_names(text)


def picture_index(inputs: tuple[Port, ...]) -> int:
    """Finds the input with four dimensions; the first input when there is none."""
    return next((index for index, port in enumerate(inputs) if len(port.shape) == 4), 0)  # noqa: PLR2004


def parse_names(text: str) -> tuple[str, ...] | None:
    """Parses class names written as a Python or JSON list or dict, or one a line or comma; None if it is neither."""
    try:
        value = ast.literal_eval(text)
    except (ValueError, SyntaxError):
        parts = [part.strip() for part in text.replace("\n", ",").split(",")]
        return tuple(part for part in parts if part) or None
    if isinstance(value, dict):
        if not value or not all(isinstance(key, int) or str(key).isdigit() for key in value):
            return None
        numbered = {int(key): str(name) for key, name in value.items()}
        return tuple(numbered.get(index, f"class {index}") for index in range(max(numbered) + 1))
    return tuple(str(name) for name in value) if isinstance(value, list | tuple) else None


def probe(model: bytes, inputs: tuple[Port, ...], size: tuple[int, int]) -> list[NDArray[Any]]:
    """Runs the model once on a black picture, to learn the sizes of outputs that the file leaves open."""
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL
    options.log_severity_level = 4
    session = onnxruntime.InferenceSession(model, options, providers=["CPUExecutionProvider"])
    at = picture_index(inputs)
    feeds: dict[str, NDArray[Any]] = {}
    for index, port in enumerate(inputs):
        shape = (*port.shape[:2], size[1], size[0]) if index == at else port.shape
        feeds[port.name] = np.ones([side or 1 for side in shape], port.dtype)
    outputs: list[NDArray[Any]] = session.run(None, feeds)
    return outputs
