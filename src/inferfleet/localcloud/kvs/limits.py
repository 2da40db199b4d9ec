"""The service's quotas: calls a second, and connections, each for a stream."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Limits:
    """Quotas of a stream, as the developer guide gives them.

    Attributes:
        get_media_a_second: GetMedia calls.
        get_data_endpoint_a_second: GetDataEndpoint calls.
        put_media_a_second: PutMedia calls.
        readers: GetMedia connections at a time.
        writers: PutMedia connections at a time.
        idle_s: A GetMedia body ends when nobody writes and nothing has come for so long.
        connection_s: A GetMedia or PutMedia connection ends after so long.
        fragment_bytes: Largest fragment.
        fragment_s: Longest fragment.
        fragment_tags: Most producer's tags of a fragment.
        tracks: Most tracks.
        body_bytes_a_second: Fastest GetMedia body.
    """

    get_media_a_second: int = 5
    get_data_endpoint_a_second: int = 5
    put_media_a_second: int = 5
    readers: int = 3
    writers: int = 1
    idle_s: float = 3.0
    connection_s: float = 45 * 60.0
    fragment_bytes: int = 50_000_000
    fragment_s: float = 20.0
    fragment_tags: int = 10
    tracks: int = 3
    body_bytes_a_second: float = 25_000_000


class Rates:
    """Counts calls of the last second, by call and stream."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._calls: dict[tuple[str, str], deque[float]] = {}

    def allow(self, call: str, stream: str, limit: int) -> bool:
        """Counts a call, unless the last second already has as many as the limit."""
        now = self._clock()
        recent = self._calls.setdefault((call, stream), deque())
        while recent and recent[0] <= now - 1.0:
            recent.popleft()
        if len(recent) >= limit:
            return False
        recent.append(now)
        return True
