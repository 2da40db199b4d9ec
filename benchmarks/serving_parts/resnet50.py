"""Writes ResNet50 with random weights as ONNX, without torch; batch norms are folded, as engines do on loading."""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

_STAGES = ((3, 64), (4, 128), (6, 256), (3, 512))
"""Blocks and width of each stage (He et al. 2015, table 1)."""
_EXPANSION = 4


class _Graph:
    def __init__(self) -> None:
        self.nodes: list = []
        self.weights: list = []
        self._random = np.random.default_rng(0)

    def add(self, operator: str, *inputs: str, **attributes: object) -> str:
        output = f"t{len(self.nodes)}"
        self.nodes.append(helper.make_node(operator, list(inputs), [output], **attributes))
        return output

    def tensor(self, value: np.ndarray) -> str:
        name = f"w{len(self.weights)}"
        self.weights.append(numpy_helper.from_array(value.astype(np.float32), name))
        return name

    def conv(self, source: str, into: int, out: int, side: int, stride: int = 1, *, scale: float = 1.0) -> str:
        spread = scale * np.sqrt(2 / (into * side * side))
        kernel = self.tensor(self._random.normal(0, spread, (out, into, side, side)))
        bias = self.tensor(np.zeros(out))
        pad = side // 2
        return self.add("Conv", source, kernel, bias, strides=[stride, stride], pads=[pad] * 4)

    def block(self, source: str, into: int, width: int, stride: int) -> str:
        out = width * _EXPANSION
        inner = self.add("Relu", self.conv(source, into, width, 1))
        inner = self.add("Relu", self.conv(inner, width, width, 3, stride))
        inner = self.conv(inner, width, out, 1, scale=0.3)
        short = source if into == out and stride == 1 else self.conv(source, into, out, 1, stride)
        return self.add("Relu", self.add("Add", inner, short))


def write(path: Path) -> Path:
    """Writes the model."""
    graph = _Graph()
    current = graph.add("Relu", graph.conv("input", 3, 64, 7, 2))
    current = graph.add("MaxPool", current, kernel_shape=[3, 3], strides=[2, 2], pads=[1, 1, 1, 1])
    channels = 64
    for stage, (blocks, width) in enumerate(_STAGES):
        for number in range(blocks):
            stride = 2 if stage and not number else 1
            current = graph.block(current, channels, width, stride)
            channels = width * _EXPANSION
    current = graph.add("Flatten", graph.add("GlobalAveragePool", current))
    head = graph.tensor(np.random.default_rng(1).normal(0, 0.01, (1000, channels)))
    graph.nodes.append(helper.make_node("Gemm", [current, head, graph.tensor(np.zeros(1000))], ["logits"], transB=1))
    made = helper.make_graph(
        graph.nodes,
        "resnet50",
        [helper.make_tensor_value_info("input", TensorProto.FLOAT, ["batch", 3, 224, 224])],
        [helper.make_tensor_value_info("logits", TensorProto.FLOAT, ["batch", 1000])],
        graph.weights,
    )
    onnx.save(helper.make_model(made, opset_imports=[helper.make_opsetid("", 13)], ir_version=8), str(path))
    return path


if __name__ == "__main__":
    write(Path(sys.argv[1]))
