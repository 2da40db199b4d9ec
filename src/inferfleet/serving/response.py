"""A response: one body, its status and its headers."""

from __future__ import annotations

from typing import Any, NamedTuple

import msgspec

Header = tuple[bytes, bytes]

JSON = b"application/json"

_encode = msgspec.json.Encoder().encode


class Response(NamedTuple):
    """What goes back to the client.

    Attributes:
        body: The whole body.
        status: The HTTP status.
        content_type: Of the body.
        headers: Further headers, lower-case names.
    """

    body: bytes
    status: int = 200
    content_type: bytes = JSON
    headers: tuple[Header, ...] = ()


def as_json(value: Any, status: int = 200, *headers: Header) -> Response:
    """Makes a JSON response of plain data or msgspec structs."""
    return Response(_encode(value), status, JSON, headers)
