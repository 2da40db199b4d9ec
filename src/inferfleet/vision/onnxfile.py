"""Reading an ONNX file: its bytes complete with external weights, and its signature."""

from __future__ import annotations

import ast
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from inferfleet.errors import InputError
from inferfleet.vision.signature import Port, Signature, picture_index, probe

_FALLBACK_SIDE = 640
_PICTURE_DIMENSIONS = 4


@dataclass(frozen=True, slots=True)
class OnnxFile:
    """An ONNX file in memory.

    Attributes:
        content: The model, self-contained.
        signature: What it takes and gives.
    """

    content: bytes
    signature: Signature


def read(path: Path, input_size: tuple[int, int] | None) -> OnnxFile:
    """Reads and checks an ONNX file.

    Args:
        path: The file; weights kept beside it are read too.
        input_size: Width and height that the user asks for; the file's own when left out.

    Raises:
        InputError: The file is not an ONNX model, or not one that takes a picture.
    """
    import onnx
    from google.protobuf.message import DecodeError  # type: ignore[import-untyped]

    try:
        model = onnx.load(str(path))
    except (DecodeError, OSError, ValueError, onnx.checker.ValidationError) as error:
        raise InputError(
            f"model {path}: cannot be read as ONNX ({error}); export the model as .onnx, "
            "for instance `yolo export format=onnx` or `torch.onnx.export`"
        ) from error
    if not model.graph.output:
        raise InputError(f"model {path}: is not an ONNX model (it has no outputs)")
    content = model.SerializeToString()
    signature = _signature(path, model, content, input_size)
    return OnnxFile(content, signature)


def _signature(path: Path, model: Any, content: bytes, asked: tuple[int, int] | None) -> Signature:
    given = {tensor.name for tensor in model.graph.initializer}
    inputs = tuple(_port(value) for value in model.graph.input if value.name not in given)
    outputs = tuple(_port(value) for value in model.graph.output)
    metadata = {entry.key: entry.value for entry in model.metadata_props}
    if not inputs or len(inputs[picture_index(inputs)].shape) != _PICTURE_DIMENSIONS:
        raise InputError(
            f"model {path}: no input takes pictures; found {_list(inputs)}; expected one of [batch, 3, height, width]"
        )
    picture = inputs[picture_index(inputs)]
    if picture.shape[1] not in (3, None):
        raise InputError(
            f"model {path}: input {picture} is not [batch, 3, height, width]; "
            "export with three colour channels, channels first"
        )
    size = _size(path, picture, metadata, asked)
    if any(side is None for port in outputs for side in port.shape[1:]):
        outputs = _resolved(path, content, inputs, outputs, size)
    return Signature(
        inputs=inputs,
        outputs=outputs,
        metadata=metadata,
        size=size,
        batch=picture.shape[0],
        decodes_boxes=any(node.op_type == "Exp" for node in model.graph.node),
        ends_in={name: node.op_type for node in model.graph.node for name in node.output},
    )


def _port(value: Any) -> Port:
    from onnx.helper import tensor_dtype_to_np_dtype

    tensor = value.type.tensor_type
    shape = tuple(side.dim_value if side.dim_value > 0 else None for side in tensor.shape.dim)
    return Port(value.name, tensor_dtype_to_np_dtype(tensor.elem_type).name, shape)


def _size(path: Path, picture: Port, metadata: dict[str, str], asked: tuple[int, int] | None) -> tuple[int, int]:
    height, width = picture.shape[2], picture.shape[3]
    if width is not None and height is not None:
        if asked not in (None, (width, height)):
            raise InputError(
                f"model {path}: its input is fixed at {width}x{height}, not {asked[0]}x{asked[1]}; "
                "leave input_size out, or export the model with that size or with dynamic axes"
            )
        return width, height
    if asked is not None:
        return asked
    try:
        sides = ast.literal_eval(metadata["imgsz"])  # Ultralytics: [height, width]
        return int(sides[1]), int(sides[0])
    except (KeyError, ValueError, SyntaxError, TypeError, IndexError):
        return width or _FALLBACK_SIDE, height or _FALLBACK_SIDE


def _resolved(
    path: Path, content: bytes, inputs: tuple[Port, ...], outputs: tuple[Port, ...], size: tuple[int, int]
) -> tuple[Port, ...]:
    try:
        results = probe(content, inputs, size)
    except Exception as error:  # whatever the runtime raises, it is the model that cannot be run
        raise InputError(f"model {path}: does not run at {size[0]}x{size[1]}: {error}") from error
    return tuple(
        Port(port.name, port.dtype, (port.shape[0] if port.shape else None, *result.shape[1:]))
        for port, result in zip(outputs, results, strict=True)
    )


def _list(ports: tuple[Port, ...]) -> str:
    return "; ".join(str(port) for port in ports) or "nothing"
