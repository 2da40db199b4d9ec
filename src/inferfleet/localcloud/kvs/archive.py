"""The archive: ListFragments and GetMediaForFragmentList."""

from __future__ import annotations

from typing import Any

from starlette.requests import Request

from inferfleet.localcloud.kvs.control import stream_of
from inferfleet.localcloud.kvs.errors import ServiceError, invalid
from inferfleet.localcloud.kvs.state import Emulator
from inferfleet.localcloud.kvs.store import Stored, Stream, archived_chunk, between

_MAX_RESULTS = 1000


async def list_fragments(emulator: Emulator, request: Request) -> dict[str, Any]:
    """ListFragments.

    Raises:
        ServiceError: The call is refused.
    """
    parameters = await emulator.parameters(request)
    stream = archived(emulator, "ListFragments", parameters, request)
    found = selected(stream, parameters.get("FragmentSelector"))
    token = str(parameters.get("NextToken") or "0")
    if not token.isdigit():
        raise invalid("NextToken is not one of ours.")
    found = [stored for stored in found if int(stored.number) > int(token)]
    page = found[: min(int(parameters.get("MaxResults") or 100), _MAX_RESULTS)]
    listed = [
        {
            "FragmentNumber": stored.number,
            "FragmentSizeInBytes": stored.size,
            "ProducerTimestamp": stored.producer_time,
            "ServerTimestamp": stored.server_time,
            "FragmentLengthInMilliseconds": stored.duration_ms,
        }
        for stored in page
    ]
    return {"Fragments": listed} | ({"NextToken": page[-1].number} if len(page) < len(found) else {})


async def media_for_fragments(emulator: Emulator, request: Request) -> bytes:
    """GetMediaForFragmentList.

    Raises:
        ServiceError: The call is refused, or a fragment is not there.
    """
    parameters = await emulator.parameters(request)
    stream = archived(emulator, "GetMediaForFragmentList", parameters, request)
    wanted = parameters.get("Fragments") or []
    if not 1 <= len(wanted) <= _MAX_RESULTS:
        raise invalid(f"Fragments must hold 1 to {_MAX_RESULTS} numbers.")
    kept = {stored.number: stored for stored in stream.fragments}
    missing = [number for number in wanted if number not in kept]
    if missing:
        raise ServiceError("ResourceNotFoundException", f"Fragment {missing[0]} is not in the stream.", 404)
    return b"".join(archived_chunk(kept[number]) for number in wanted)


def archived(emulator: Emulator, call: str, parameters: dict[str, Any], request: Request) -> Stream:
    """The stream of a call on the archive.

    Raises:
        ServiceError: The call is refused, or the stream keeps nothing.
    """
    stream = stream_of(emulator, parameters)
    emulator.admit(call, stream, request)
    if not stream.retention_hours:
        raise ServiceError("NoDataRetentionException", f"The stream {stream.name} does not retain data.")
    emulator.store.expire(stream)
    return stream


def selected(stream: Stream, selector: dict[str, Any] | None) -> list[Stored]:
    """The fragments that a FragmentSelector selects; all when there is none.

    Raises:
        ServiceError: The selector is incomplete.
    """
    if not selector:
        return list(stream.fragments)
    span = selector.get("TimestampRange") or {}
    begin, end = span.get("StartTimestamp"), span.get("EndTimestamp", float("inf"))
    kind = selector.get("FragmentSelectorType")
    if kind not in ("PRODUCER_TIMESTAMP", "SERVER_TIMESTAMP") or not isinstance(begin, int | float):
        raise invalid("FragmentSelector needs FragmentSelectorType and TimestampRange.StartTimestamp.")
    return between(stream.fragments, begin, end, by_producer=kind == "PRODUCER_TIMESTAMP")
