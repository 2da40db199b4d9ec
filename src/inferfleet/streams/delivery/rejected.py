"""Events that a target can never take: kept in a file beside the spool, so that not even they are lost."""

from __future__ import annotations

import os
from datetime import UTC, datetime
from pathlib import Path

import msgspec

from inferfleet.streams.event import Event, format_time


class RejectedFile:
    """JSON lines of `{"rejected": time, "reason": why, "event": event}`."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def write(self, event: Event, reason: str) -> None:
        """Adds an event, durably."""
        line = msgspec.json.encode({"rejected": format_time(datetime.now(UTC)), "reason": reason, "event": event})
        with self.path.open("ab") as file:
            file.write(line + b"\n")
            file.flush()
            os.fsync(file.fileno())
