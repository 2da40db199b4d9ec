"""Finds the pictures in a request's body: raw, a form, or JSON with base64."""

from __future__ import annotations

import binascii
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import msgspec
from python_multipart.exceptions import FormParserError
from python_multipart.multipart import MultipartParser, parse_options_header

from inferfleet.config.serve import LimitsConfig
from inferfleet.serving.problems import Problem
from inferfleet.serving.servable import Ask

_ACCEPTED = "send image/jpeg, image/png, image/webp or image/bmp, multipart/form-data with a field `file`, or JSON"
_RAW = {"image/jpeg", "image/jpg", "image/png", "image/webp", "image/bmp", "image/x-ms-bmp", "application/octet-stream"}
_QUERY = ("top", "min_confidence")
_MOST_TOP = 1000


@dataclass(frozen=True, slots=True)
class Pictures:
    """What a body holds.

    Attributes:
        files: The encoded pictures.
        listed: Whether the client sent a list, and so gets one back.
    """

    files: list[bytes]
    listed: bool


class _JsonBody(msgspec.Struct, forbid_unknown_fields=True):
    image: str | None = None
    images: list[str] | None = None


def parse(content_type: str, body: bytes, limits: LimitsConfig) -> Pictures:
    """Finds the pictures.

    Args:
        content_type: The request's Content-Type; where there is none, the body is taken to be a picture.
        body: The request's body.
        limits: How many pictures are accepted.

    Raises:
        Problem: The body is of another kind, cannot be read, holds no picture, or too many.
    """
    kind = content_type.partition(";")[0].strip().lower()
    if kind in _RAW or not kind:
        found = Pictures([body], listed=False)
    elif kind == "multipart/form-data":
        files = _form(content_type, body)
        found = Pictures(files, listed=len(files) > 1)
    elif kind == "application/json":
        found = _json(body)
    else:
        hint = "; with curl, add -H 'Content-Type: image/jpeg'" if kind == "application/x-www-form-urlencoded" else ""
        raise Problem("unsupported-media-type", f"Content-Type {kind[:100]!r}: {_ACCEPTED}{hint}")
    if len(found.files) > limits.images:
        raise Problem("too-large", f"{len(found.files)} pictures in one request; at most {limits.images} are accepted")
    for index, file in enumerate(found.files):
        if not file:
            where = f"picture {index + 1}" if found.listed else "the picture"
            raise Problem("bad-request", f"{where} is empty; {_ACCEPTED}")
    return found


def asked(query: Mapping[str, str]) -> Ask:
    """Reads what a request wants to know from its query: `top` and `min_confidence`.

    Raises:
        Problem: A parameter is unknown, or its value makes no sense.
    """
    if not query:
        return Ask()
    unknown = [name for name in query if name not in _QUERY]
    if unknown:
        raise Problem("invalid-value", f"query parameter {unknown[0][:50]!r} is unknown; known are {', '.join(_QUERY)}")
    top = least = None
    if "top" in query:
        text = query["top"]
        top = int(text) if text.isascii() and text.isdigit() and len(text) < len(str(_MOST_TOP)) + 1 else 0
        if not 1 <= top <= _MOST_TOP:
            raise Problem("invalid-value", f"top: give a whole number from 1 to {_MOST_TOP}")
    if "min_confidence" in query:
        try:
            least = float(query["min_confidence"])
        except ValueError:
            least = -1.0
        if not 0 <= least <= 1:
            raise Problem("invalid-value", "min_confidence: give a number from 0 to 1")
    return Ask(top, least)


def decode_base64(text: str, name: str) -> bytes:
    """Decodes standard base64, also as a `data:` URL.

    Raises:
        Problem: It is not base64.
    """
    if text.startswith("data:"):
        text = text.partition(",")[2]
    try:
        return binascii.a2b_base64(text.encode("ascii"), strict_mode=True)
    except (binascii.Error, UnicodeEncodeError) as error:
        raise Problem("bad-request", f"{name}: is not base64") from error


def _json(body: bytes) -> Pictures:
    try:
        parsed = msgspec.json.decode(body, type=_JsonBody)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise Problem("bad-request", f"the JSON body: {error}") from error
    if (parsed.image is None) == (parsed.images is None):
        raise Problem(
            "invalid-value", 'the JSON body: give either {"image": "<base64>"} or {"images": ["<base64>", …]}'
        )
    if parsed.image is not None:
        return Pictures([decode_base64(parsed.image, "image")], listed=False)
    images = parsed.images or []
    if not images:
        raise Problem("invalid-value", "images: the list is empty")
    return Pictures([decode_base64(text, f"images[{index}]") for index, text in enumerate(images)], listed=True)


def _form(content_type: str, body: bytes) -> list[bytes]:
    boundary = parse_options_header(content_type)[1].get(b"boundary")
    if not boundary:
        raise Problem("bad-request", "multipart/form-data without a boundary in its Content-Type")
    parts = _Parts()
    try:
        parser = MultipartParser(boundary, parts.callbacks())
        parser.write(body)
        parser.finalize()
    except FormParserError as error:
        raise Problem("bad-request", "the multipart/form-data body cannot be read") from error
    if not parts.complete:
        raise Problem("bad-request", "the multipart/form-data body is cut off")
    if not parts.files:
        seen = ", ".join(repr(name[:50]) for name in parts.others[:5])
        raise Problem("bad-request", f"the form has no field `file`{f' (it has {seen})' if seen else ''}")
    return parts.files


class _Parts:
    """Collects the fields called `file` while the form is parsed."""

    def __init__(self) -> None:
        self.files: list[bytes] = []
        self.others: list[str] = []
        self.complete = False
        self._name = self._value = self._disposition = b""
        self._data: list[bytes] = []

    def callbacks(self) -> Any:
        """What the parser is to call."""
        return {
            "on_part_begin": self._begin,
            "on_part_data": lambda data, start, end: self._data.append(data[start:end]),
            "on_part_end": self._end,
            "on_header_field": self._header_field,
            "on_header_value": self._header_value,
            "on_header_end": self._header_end,
            "on_end": self._done,
        }

    def _begin(self) -> None:
        self._disposition, self._data = b"", []

    def _header_field(self, data: bytes, start: int, end: int) -> None:
        self._name += data[start:end]

    def _header_value(self, data: bytes, start: int, end: int) -> None:
        self._value += data[start:end]

    def _header_end(self) -> None:
        if self._name.lower() == b"content-disposition":
            self._disposition = self._value
        self._name = self._value = b""

    def _end(self) -> None:
        name = parse_options_header(self._disposition)[1].get(b"name", b"")
        if name == b"file":
            self.files.append(b"".join(self._data))
        else:
            self.others.append(name.decode("utf-8", "replace"))

    def _done(self) -> None:
        self.complete = True
