"""Tensors of the Open Inference Protocol v2, in JSON and in its binary extension, to and from numpy.

A body is a JSON header, and after it the binary tensors one behind the other, in the header's order; the HTTP header
`Inference-Header-Content-Length` tells where they begin (KServe: "Open Inference Protocol", binary tensor data).
"""

from __future__ import annotations

import struct
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

import msgspec
import numpy as np
from numpy.typing import NDArray

from inferfleet.serving.pictures import decode_base64
from inferfleet.serving.problems import Problem
from inferfleet.serving.response import Response

HEADER_LENGTH = b"inference-header-content-length"

_BYTES = "BYTES"
_DTYPES: dict[str, np.dtype[Any]] = {"INT32": np.dtype("<i4"), "FP32": np.dtype("<f4")}
_MOST_DIMENSIONS = 8

Array = NDArray[Any]


class InputTensor(msgspec.Struct):
    """An input as the header describes it."""

    name: str
    datatype: str
    shape: list[int]
    parameters: dict[str, Any] = {}
    data: Any = None


class WantedOutput(msgspec.Struct):
    """An output that the client asks for."""

    name: str
    parameters: dict[str, Any] = {}


class InferRequest(msgspec.Struct):
    """The JSON header of a request."""

    inputs: list[InputTensor]
    id: str = ""
    parameters: dict[str, Any] = {}
    outputs: list[WantedOutput] | None = None


def split(body: bytes, header_length: str) -> tuple[InferRequest, bytes]:
    """Parts a body into its JSON header and the binary tensors.

    Raises:
        Problem: The length is wrong, or the header is not what the protocol says.
    """
    length = len(body)
    if header_length:
        digits = header_length.isascii() and header_length.isdigit() and len(header_length) < 12  # noqa: PLR2004
        length = int(header_length) if digits else -1
        if not 0 <= length <= len(body):
            raise Problem("bad-request", f"Inference-Header-Content-Length: the body has {len(body)} bytes")
    try:
        return msgspec.json.decode(body[:length], type=InferRequest), body[length:]
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise Problem("bad-request", f"the inference request: {error}") from error


def blobs(tensors: Iterable[InputTensor], rest: bytes) -> Iterator[tuple[InputTensor, bytes | None]]:
    """Gives each tensor with its binary data, None where its data is in the JSON.

    Raises:
        Problem: The sizes do not add up to what follows the header.
    """
    at = 0
    for tensor in tensors:
        size = tensor.parameters.get("binary_data_size")
        if size is None:
            yield tensor, None
            continue
        if not isinstance(size, int) or isinstance(size, bool) or not 0 <= size <= len(rest) - at:
            raise Problem("bad-request", f"input {tensor.name[:50]!r}: binary_data_size is more than the body holds")
        yield tensor, rest[at : at + size]
        at += size
    if at != len(rest):
        raise Problem("bad-request", f"{len(rest) - at} bytes after the last tensor belong to none")


def read_bytes(tensor: InputTensor, blob: bytes | None, most: int) -> list[bytes]:
    """Reads a BYTES tensor: raw in binary, base64 in JSON.

    Args:
        tensor: The tensor.
        blob: Its binary data, if it came so.
        most: The most elements that are accepted.

    Raises:
        Problem: Shape and data do not fit, or an element is not base64.
    """
    count = _elements(tensor)
    if count > most:
        raise Problem("too-large", f"input {tensor.name[:50]!r}: {count} pictures; at most {most} are accepted")
    if blob is not None:
        found = _unpack(tensor, blob)
    else:
        values = tensor.data
        if not isinstance(values, list) or not all(isinstance(value, str) for value in values):
            raise Problem("bad-request", f"input {tensor.name[:50]!r}: `data` must be a list of base64 strings")
        found = [decode_base64(value, f"input {tensor.name[:50]!r}") for value in values]
    if len(found) != count:
        raise Problem(
            "bad-request", f"input {tensor.name[:50]!r}: its shape has {count} elements, its data {len(found)}"
        )
    return found


def read_pixels(tensor: InputTensor, blob: bytes | None) -> NDArray[np.uint8]:
    """Reads a UINT8 tensor.

    Raises:
        Problem: Shape and data do not fit.
    """
    count = _elements(tensor)
    if blob is not None:
        flat = np.frombuffer(blob, np.uint8)
    else:
        try:
            flat = np.asarray(tensor.data, np.uint8).reshape(-1)
        except (ValueError, TypeError, OverflowError) as error:
            raise Problem(
                "bad-request", f"input {tensor.name[:50]!r}: `data` must hold numbers from 0 to 255"
            ) from error
    if flat.size != count:
        raise Problem(
            "bad-request", f"input {tensor.name[:50]!r}: its shape has {count} elements, its data {flat.size}"
        )
    return flat.reshape(tensor.shape)


def respond(header: dict[str, Any], outputs: Sequence[tuple[str, str, Array]], binary: Sequence[bool]) -> Response:
    """Makes the response.

    Args:
        header: Model name, version and id.
        outputs: Name, datatype and values of each output.
        binary: For each whether it is sent in binary.
    """
    described: list[dict[str, Any]] = []
    tail: list[bytes] = []
    for (name, datatype, values), in_binary in zip(outputs, binary, strict=True):
        entry: dict[str, Any] = {"name": name, "datatype": datatype, "shape": list(values.shape)}
        if in_binary:
            blob = _pack(values) if datatype == _BYTES else values.astype(_DTYPES[datatype]).tobytes()
            entry["parameters"] = {"binary_data_size": len(blob)}
            tail.append(blob)
        else:
            entry["data"] = values.reshape(-1).tolist()
        described.append(entry)
    text = msgspec.json.encode({**header, "outputs": described})
    if not tail:
        return Response(text)
    length = (HEADER_LENGTH, str(len(text)).encode())
    return Response(b"".join([text, *tail]), content_type=b"application/octet-stream", headers=(length,))


def _elements(tensor: InputTensor) -> int:
    if not 1 <= len(tensor.shape) <= _MOST_DIMENSIONS or min(tensor.shape) < 1:
        raise Problem("bad-request", f"input {tensor.name[:50]!r}: the shape must have positive sizes")
    count = 1
    for side in tensor.shape:
        count *= side
    return count


def _unpack(tensor: InputTensor, blob: bytes) -> list[bytes]:
    found, at = [], 0
    while at < len(blob):
        if at + 4 > len(blob):
            raise Problem("bad-request", f"input {tensor.name[:50]!r}: its binary data is cut off")
        (size,) = struct.unpack_from("<I", blob, at)
        at += 4
        if at + size > len(blob):
            raise Problem("bad-request", f"input {tensor.name[:50]!r}: an element is longer than its binary data")
        found.append(blob[at : at + size])
        at += size
    return found


def _pack(values: Array) -> bytes:
    parts = []
    for text in values.reshape(-1).tolist():
        data = str(text).encode()
        parts += [struct.pack("<I", len(data)), data]
    return b"".join(parts)
