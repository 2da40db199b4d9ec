"""The ONNX graph with its preprocessing in front: it then takes RGB bytes, and Python need not touch the picture."""

from __future__ import annotations

from typing import Any

import numpy as np

from inferfleet.vision.engines.base import Plan

PICTURE = "inferfleet_picture"
"""The new input: uint8 [batch, height, width, 3], RGB."""


def with_preprocessing(plan: Plan, batch: int | None) -> Any:
    """Puts normalisation, channel order and layout in front of a model.

    Args:
        plan: The model and what it wants.
        batch: The batch size to fix; None leaves it open.

    Returns:
        An ONNX ModelProto.
    """
    import onnx
    from onnx import TensorProto, helper, numpy_helper

    model = onnx.load_model_from_string(plan.model)
    graph = model.graph
    original = next(value for value in graph.input if value.name == plan.picture_input)
    wanted = original.type.tensor_type.elem_type
    nodes: list[Any] = []

    def constant(name: str, value: Any) -> str:
        nodes.append(helper.make_node("Constant", [], [name], value=numpy_helper.from_array(value, name)))
        return name

    def step(operator: str, inputs: list[str], **attributes: Any) -> str:
        output = f"inferfleet_{len(nodes)}"
        nodes.append(helper.make_node(operator, inputs, [output], **attributes))
        return output

    look = plan.preprocessing
    current = step("Cast", [PICTURE], to=TensorProto.FLOAT)
    if any(look.mean):
        current = step("Sub", [current, constant("inferfleet_mean", np.array(look.mean, np.float32))])
    if any(value != 1 for value in look.std):
        current = step("Div", [current, constant("inferfleet_std", np.array(look.std, np.float32))])
    if look.bgr:
        current = step("Gather", [current, constant("inferfleet_bgr", np.array([2, 1, 0], np.int64))], axis=3)
    current = step("Transpose", [current], perm=[0, 3, 1, 2])
    nodes.append(helper.make_node("Cast", [current], [plan.picture_input], to=wanted))

    shape = [batch or "batch", plan.size[1] or "height", plan.size[0] or "width", 3]
    at = list(graph.input).index(original)
    graph.input.remove(original)
    graph.input.insert(at, helper.make_tensor_value_info(PICTURE, TensorProto.UINT8, shape))
    rest = list(graph.node)
    del graph.node[:]
    graph.node.extend(nodes + rest)
    return model


def half_precision(model: Any) -> Any:
    """Converts a model's arithmetic to float16, keeping its inputs and outputs as they are."""
    from onnxruntime.transformers.float16 import convert_float_to_float16

    return convert_float_to_float16(model, keep_io_types=True)
