"""The control plane: streams, their tags and retention, and data endpoints."""

from __future__ import annotations

import re
import secrets
from collections.abc import Awaitable, Callable
from typing import Any

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from inferfleet.localcloud.kvs.errors import ServiceError, invalid, throttled
from inferfleet.localcloud.kvs.state import Emulator
from inferfleet.localcloud.kvs.store import Stream

_NAME = re.compile(r"[a-zA-Z0-9_.-]{1,256}")
_MAX_RETENTION_HOURS = 87_600
_API_NAMES = frozenset(
    ("PUT_MEDIA", "GET_MEDIA", "LIST_FRAGMENTS", "GET_MEDIA_FOR_FRAGMENT_LIST", "GET_HLS_STREAMING_SESSION_URL")
)
_PAGE = 10_000

Call = Callable[[Emulator, dict[str, Any], Request], dict[str, Any]]


def routes(emulator: Emulator) -> list[Route]:
    """The calls, each at the path that the service's model gives it."""
    calls: dict[str, Call] = {
        "createStream": _create,
        "describeStream": _describe,
        "listStreams": _list,
        "deleteStream": _delete,
        "getDataEndpoint": _endpoint,
        "updateDataRetention": _retention,
        "tagStream": _tag,
        "untagStream": _untag,
        "listTagsForStream": _tags,
    }
    return [Route(f"/{path}", _handler(emulator, path, call), methods=["POST"]) for path, call in calls.items()]


def _handler(emulator: Emulator, path: str, call: Call) -> Callable[[Request], Awaitable[Response]]:
    async def handle(request: Request) -> Response:
        parameters = await emulator.parameters(request)
        emulator.refuse(path[0].upper() + path[1:], parameters.get("StreamName"))
        return JSONResponse(call(emulator, parameters, request))

    return handle


def stream_of(emulator: Emulator, parameters: dict[str, Any]) -> Stream:
    """The stream that a call's parameters name.

    Raises:
        ServiceError: They name none, or one that does not exist.
    """
    return emulator.store.find(parameters.get("StreamName"), parameters.get("StreamARN"))


def _create(emulator: Emulator, parameters: dict[str, Any], _: Request) -> dict[str, Any]:
    name = parameters.get("StreamName", "")
    if not _NAME.fullmatch(name):
        raise invalid("StreamName must have 1 to 256 characters of a-z, A-Z, 0-9, _, . and -.")
    hours = int(parameters.get("DataRetentionInHours", 0))
    if not 0 <= hours <= _MAX_RETENTION_HOURS:
        raise invalid(f"DataRetentionInHours must be between 0 and {_MAX_RETENTION_HOURS}.")
    tags = parameters.get("Tags") or {}
    stream = emulator.store.create(name, hours, parameters.get("MediaType", ""), dict(tags))
    return {"StreamARN": stream.arn}


def _describe(emulator: Emulator, parameters: dict[str, Any], _: Request) -> dict[str, Any]:
    return {"StreamInfo": stream_of(emulator, parameters).description()}


def _list(emulator: Emulator, parameters: dict[str, Any], _: Request) -> dict[str, Any]:
    condition = parameters.get("StreamNameCondition") or {}
    prefix = condition.get("ComparisonValue", "")
    names = sorted(name for name in emulator.store.streams if name.startswith(prefix))
    begin = names.index(parameters["NextToken"]) if parameters.get("NextToken") in names else 0
    size = int(parameters.get("MaxResults") or _PAGE)
    page, rest = names[begin : begin + size], names[begin + size :]
    found = {"StreamInfoList": [emulator.store.streams[name].description() for name in page]}
    return found | ({"NextToken": rest[0]} if rest else {})


def _delete(emulator: Emulator, parameters: dict[str, Any], _: Request) -> dict[str, Any]:
    stream = emulator.store.find(None, parameters.get("StreamARN"))
    _check_version(stream, parameters)
    emulator.store.delete(stream)
    return {}


def _endpoint(emulator: Emulator, parameters: dict[str, Any], request: Request) -> dict[str, Any]:
    stream = stream_of(emulator, parameters)
    if parameters.get("APIName") not in _API_NAMES:
        raise invalid(f"APIName must be one of {', '.join(sorted(_API_NAMES))}.")
    if not emulator.rates.allow("GetDataEndpoint", stream.name, emulator.limits.get_data_endpoint_a_second):
        raise throttled()
    return {"DataEndpoint": f"{request.url.scheme}://{request.url.netloc}/{emulator.new_endpoint()}"}


def _retention(emulator: Emulator, parameters: dict[str, Any], _: Request) -> dict[str, Any]:
    stream = stream_of(emulator, parameters)
    _check_version(stream, parameters)
    sign = {"INCREASE_DATA_RETENTION": 1, "DECREASE_DATA_RETENTION": -1}.get(parameters.get("Operation", ""))
    change = int(parameters.get("DataRetentionChangeInHours", 0))
    if sign is None or change < 1:
        raise invalid("Operation and DataRetentionChangeInHours (at least 1) are needed.")
    hours = stream.retention_hours + sign * change
    if not 0 <= hours <= _MAX_RETENTION_HOURS:
        raise invalid(f"Retention would be {hours} hours; it must be between 0 and {_MAX_RETENTION_HOURS}.")
    stream.retention_hours, stream.version = hours, secrets.token_hex(10)
    return {}


def _tag(emulator: Emulator, parameters: dict[str, Any], _: Request) -> dict[str, Any]:
    stream_of(emulator, parameters).tags.update(parameters.get("Tags") or {})
    return {}


def _untag(emulator: Emulator, parameters: dict[str, Any], _: Request) -> dict[str, Any]:
    tags = stream_of(emulator, parameters).tags
    for key in parameters.get("TagKeyList") or ():
        tags.pop(key, None)
    return {}


def _tags(emulator: Emulator, parameters: dict[str, Any], _: Request) -> dict[str, Any]:
    return {"Tags": stream_of(emulator, parameters).tags}


def _check_version(stream: Stream, parameters: dict[str, Any]) -> None:
    version = parameters.get("CurrentVersion")
    if version is not None and version != stream.version:
        raise ServiceError("VersionMismatchException", f"The version is {stream.version}, not {version}.")
