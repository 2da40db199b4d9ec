"""Where a picture goes: paths from templates, with nothing in them that could lead elsewhere."""

from __future__ import annotations

import re
from datetime import datetime
from pathlib import PurePosixPath

from inferfleet.streams.event import Event

_UNSAFE = re.compile(r"[^A-Za-z0-9._=+-]")
_MOST = 200
"""Longest part of a path: file systems allow 255 bytes, and a temporary name adds some."""


def picture_path(template: str, event: Event, kind: str, ext: str) -> str:
    """Renders a template such as `{camera}/{date}/{time}-{id}-{kind}.{ext}`.

    Args:
        template: With the placeholders camera, date (2026-01-31), year, month, day, hour, time (083000-000000), id,
            type (`zone.enter`), kind, ext.
        event: The event that the picture belongs to; the time is its capture time, UTC.
        kind: `full` or `crop`.
        ext: `jpg` or `png`.

    Returns:
        A relative path with `/` between its parts. A value never adds a part: what does not belong into a file name
        becomes `_`.
    """
    time = datetime.fromisoformat(event.time)
    values = {
        "camera": event.subject,
        "date": time.strftime("%Y-%m-%d"),
        "year": time.strftime("%Y"),
        "month": time.strftime("%m"),
        "day": time.strftime("%d"),
        "hour": time.strftime("%H"),
        "time": time.strftime("%H%M%S-%f"),
        "id": event.id,
        "type": event.type.removeprefix("inferfleet."),
        "kind": kind,
        "ext": ext,
    }
    return safe_path(template.format(**{name: safe_part(value) for name, value in values.items()}))


def safe_part(text: str) -> str:
    """Returns text as one part of a path: letters, digits and `._=+-`, not `.` or `..`, at most 200 characters."""
    part = _UNSAFE.sub("_", text)[:_MOST]
    return "_" * len(part) if not part.strip(".") else part


def safe_path(path: str) -> str:
    """Returns a path that stays below where it is put: relative, its parts safe, none empty."""
    parts = [safe_part(part) for part in PurePosixPath(path).parts if part != "/"]
    return "/".join(parts)
