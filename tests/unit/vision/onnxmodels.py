"""Tiny ONNX models that give known outputs in the layout of each family, or tell what they were fed."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper


def constant_model(
    path: Path,
    outputs: Mapping[str, NDArray],
    *,
    size: tuple[int, int] = (64, 64),
    batch: int | str = "batch",
    metadata: Mapping[str, str] | None = None,
    extra_nodes: Sequence[onnx.NodeProto] = (),
    input_name: str = "images",
    dynamic_size: bool = False,
) -> Path:
    """Writes a model whose outputs are `outputs` (without the batch dimension), repeated for each picture."""
    nodes = [
        helper.make_node("ReduceMean", [input_name], ["mean"], axes=[1, 2, 3], keepdims=0),
        constant("zero", np.zeros(1, np.float32)),
        helper.make_node("Mul", ["mean", "zero"], ["nothing"]),
    ]
    infos = []
    for name, value in outputs.items():
        shape = [-1] + [1] * value.ndim
        nodes += [
            constant(f"{name}_shape", np.array(shape, np.int64)),
            helper.make_node("Reshape", ["nothing", f"{name}_shape"], [f"{name}_zeros"]),
            constant(f"{name}_value", value[np.newaxis].astype(np.float32)),
        ]
        kind = TensorProto.INT64 if value.dtype == np.int64 else TensorProto.FLOAT
        if kind == TensorProto.INT64:
            nodes.append(helper.make_node("Add", [f"{name}_zeros", f"{name}_value"], [f"{name}_float"]))
            nodes.append(helper.make_node("Cast", [f"{name}_float"], [name], to=kind))
        else:
            nodes.append(helper.make_node("Add", [f"{name}_zeros", f"{name}_value"], [name]))
        infos.append(helper.make_tensor_value_info(name, kind, [batch, *value.shape]))
    sides = ["height", "width"] if dynamic_size else [size[1], size[0]]
    inputs = [helper.make_tensor_value_info(input_name, TensorProto.FLOAT, [batch, 3, *sides])]
    return write(path, [*extra_nodes, *nodes], inputs, infos, metadata)


def mean_model(path: Path, *, size: tuple[int, int] = (8, 8), softmax: bool = False, half: bool = False) -> Path:
    """Writes a classifier of three "classes" whose logits are the mean of each channel that it was fed."""
    kind = TensorProto.FLOAT16 if half else TensorProto.FLOAT
    last = "logits" if softmax or half else "output"
    nodes = [helper.make_node("ReduceMean", ["images"], [last], axes=[2, 3], keepdims=0)]
    if half:
        nodes.append(helper.make_node("Cast", ["logits"], ["output"], to=TensorProto.FLOAT))
    elif softmax:
        nodes.append(helper.make_node("Softmax", ["logits"], ["output"], axis=1))
    inputs = [helper.make_tensor_value_info("images", kind, ["batch", 3, size[1], size[0]])]
    infos = [helper.make_tensor_value_info("output", TensorProto.FLOAT, ["batch", 3])]
    return write(path, nodes, inputs, infos, None)


def detr_model(path: Path, labels: NDArray, fractions: NDArray, scores: NDArray, size: tuple[int, int]) -> Path:
    """Writes a model as RT-DETR's and D-FINE's export scripts do: boxes scaled by the size that is fed in."""
    zeros = [
        helper.make_node("ReduceMean", ["images"], ["mean"], axes=[1, 2, 3], keepdims=0),
        constant("zero", np.zeros(1, np.float32)),
        helper.make_node("Mul", ["mean", "zero"], ["nothing"]),
        constant("two", np.array([-1, 1], np.int64)),
        constant("three", np.array([-1, 1, 1], np.int64)),
        helper.make_node("Reshape", ["nothing", "two"], ["zeros2"]),
        helper.make_node("Reshape", ["nothing", "three"], ["zeros3"]),
    ]
    nodes = [
        *zeros,
        helper.make_node("Cast", ["orig_target_sizes"], ["sizes"], to=TensorProto.FLOAT),
        helper.make_node("Concat", ["sizes", "sizes"], ["sizes4"], axis=1),
        constant("row", np.array([-1, 1, 4], np.int64)),
        helper.make_node("Reshape", ["sizes4", "row"], ["scale"]),
        constant("fractions", fractions[np.newaxis].astype(np.float32)),
        helper.make_node("Mul", ["fractions", "scale"], ["pixels"]),
        helper.make_node("Add", ["pixels", "zeros3"], ["boxes"]),
        constant("score_values", scores[np.newaxis].astype(np.float32)),
        helper.make_node("Add", ["score_values", "zeros2"], ["scores"]),
        constant("label_values", labels[np.newaxis].astype(np.float32)),
        helper.make_node("Add", ["label_values", "zeros2"], ["label_floats"]),
        helper.make_node("Cast", ["label_floats"], ["labels"], to=TensorProto.INT64),
    ]
    inputs = [
        helper.make_tensor_value_info("images", TensorProto.FLOAT, ["N", 3, size[1], size[0]]),
        helper.make_tensor_value_info("orig_target_sizes", TensorProto.INT64, ["N", 2]),
    ]
    count = len(scores)
    infos = [
        helper.make_tensor_value_info("labels", TensorProto.INT64, ["N", count]),
        helper.make_tensor_value_info("boxes", TensorProto.FLOAT, ["N", count, 4]),
        helper.make_tensor_value_info("scores", TensorProto.FLOAT, ["N", count]),
    ]
    return write(path, nodes, inputs, infos, None)


def constant(name: str, value: NDArray) -> onnx.NodeProto:
    """A node that gives a constant."""
    return helper.make_node("Constant", [], [name], value=numpy_helper.from_array(value, name))


def write(
    path: Path,
    nodes: Sequence[onnx.NodeProto],
    inputs: Sequence[onnx.ValueInfoProto],
    outputs: Sequence[onnx.ValueInfoProto],
    metadata: Mapping[str, str] | None,
) -> Path:
    """Checks and writes a model."""
    graph = helper.make_graph(list(nodes), "tiny", list(inputs), list(outputs))
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 13)], ir_version=8)
    helper.set_model_props(model, dict(metadata or {}))
    onnx.checker.check_model(model)
    onnx.save(model, str(path))
    return path
