"""Requests that keep each camera's order although a service may refuse any entry of a request.

A request holds one event a camera, so an event that is refused has none of its camera beside or after it. When a
camera's event fails, the rest of that camera waits for the next attempt.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from inferfleet.errors import OutsideError
from inferfleet.streams.delivery.sinks.base import Failure


@dataclass(frozen=True, slots=True)
class Entry:
    """An event on its way into a request.

    Attributes:
        id: The event's id.
        camera: Its camera.
        body: What is sent.
        size: Bytes that count against the service's limits.
    """

    id: str
    camera: str
    body: bytes
    size: int


@dataclass(frozen=True, slots=True)
class Limits:
    """What a service takes in one request.

    Attributes:
        entries: How many entries.
        bytes: How many bytes in all.
        entry_bytes: How many bytes an entry.
    """

    entries: int
    bytes: int
    entry_bytes: int


Send = Callable[[Sequence[Entry]], Sequence[str | None]]
"""Sends one request; returns for each entry why it was refused, None where it was not."""


def send_all(entries: Sequence[Entry], limits: Limits, send: Send, *, ordered: bool) -> list[Failure]:
    """Sends entries in as many requests as it takes.

    Args:
        entries: In order.
        limits: The service's limits. What is larger than an entry may be fails for good.
        send: Sends a request.
        ordered: Whether each camera's order is kept.

    Returns:
        What was not delivered.

    Raises:
        OutsideError: The first request failed as a whole. When a later one does, what is left is returned as failures.
    """
    failures = [
        Failure(entry.id, f"{entry.size} bytes; at most {limits.entry_bytes} are taken", permanent=True)
        for entry in entries
        if entry.size > limits.entry_bytes
    ]
    waiting = deque(entry for entry in entries if entry.size <= limits.entry_bytes)
    blocked: set[str] = set()
    is_first = True
    while waiting:
        request, rest = _next_request(waiting, limits, ordered=ordered)
        try:
            refusals = send(request)
        except OutsideError as error:
            if is_first:
                raise
            return failures + [Failure(entry.id, str(error)) for entry in (*request, *rest)]
        is_first = False
        for entry, refusal in zip(request, refusals, strict=True):
            if refusal is not None:
                failures.append(Failure(entry.id, refusal))
                blocked.add(entry.camera)
        if ordered and blocked:
            failures += [Failure(e.id, "an earlier event of its camera failed") for e in rest if e.camera in blocked]
            rest = [entry for entry in rest if entry.camera not in blocked]
        waiting = deque(rest)
    return failures


def _next_request(waiting: deque[Entry], limits: Limits, *, ordered: bool) -> tuple[list[Entry], list[Entry]]:
    """Takes what fits into one request; returns it and what is left, both in order."""
    request: list[Entry] = []
    rest: list[Entry] = []
    cameras: set[str] = set()
    size = 0
    for entry in waiting:
        fits = len(request) < limits.entries and size + entry.size <= limits.bytes
        if fits and not (ordered and entry.camera in cameras):
            request.append(entry)
            size += entry.size
        else:
            rest.append(entry)
        cameras.add(entry.camera)
    return request, rest
