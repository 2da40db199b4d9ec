"""What the tasks of a fleet print: lines of several log groups in the order of time, once or as they come."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from inferfleet.deploy.operations.account import Account, is_missing

_POLL_S, _LOCAL_POLL_S = 2.0, 0.5
_LATE_MS = 10_000
"""Lines arrive out of order by this much; while following, that far back is read again."""


@dataclass(frozen=True, slots=True)
class Selection:
    """Which lines.

    Attributes:
        groups: Log groups, by the service that writes there.
        since: From when on.
        pattern: CloudWatch's filter pattern; empty for all.
        task: Only tasks whose id begins like this.
    """

    groups: dict[str, str]
    since: datetime
    pattern: str = ""
    task: str = ""


@dataclass(frozen=True, slots=True)
class Line:
    """A line.

    Attributes:
        at: When.
        service: The service's key.
        container: The container.
        task: The task's id.
        text: What it says.
    """

    at: datetime
    service: str
    container: str
    task: str
    text: str


def read(account: Account, selection: Selection) -> list[Line]:
    """The lines that are there, oldest first."""
    found = [item for service in selection.groups for item in _lines(account, selection, service, _start(selection))]
    return [line for _, line in sorted(found, key=lambda item: item[1].at)]


def follow(account: Account, selection: Selection) -> Iterator[Line]:
    """The lines that are there, then those that come, until nobody listens any more."""
    start, seen = _start(selection), dict[str, int]()
    while True:
        found = [item for service in selection.groups for item in _lines(account, selection, service, start)]
        for number, line in sorted(found, key=lambda item: item[1].at):
            if number not in seen:
                seen[number] = _milliseconds(line.at)
                yield line
        if seen:
            start = max(start, max(seen.values()) - _LATE_MS)
            seen = {number: at for number, at in seen.items() if at >= start}
        time.sleep(_LOCAL_POLL_S if account.is_local else _POLL_S)


def _lines(account: Account, selection: Selection, service: str, start: int) -> list[tuple[str, Line]]:
    arguments: dict[str, object] = {"logGroupName": selection.groups[service], "startTime": start}
    if selection.pattern:
        arguments["filterPattern"] = selection.pattern
    try:
        events = account.pages("logs", "filter_log_events", "events", **arguments)
    except Exception as error:
        if is_missing(error):
            return []
        raise
    found = []
    for event in events:
        container, task = stream_parts(event["logStreamName"])
        if task.startswith(selection.task):
            at = datetime.fromtimestamp(event["timestamp"] / 1000, UTC)
            text = event["message"].rstrip("\n")
            found.append(
                (
                    event.get("eventId") or f"{event['timestamp']} {task} {text}",
                    Line(at, service, container, task, text),
                )
            )
    return found


def stream_parts(stream: str) -> tuple[str, str]:
    """The container and the task of a stream `prefix/container/task`; its whole name for any other stream."""
    parts = stream.split("/")
    return (parts[-2], parts[-1]) if len(parts) >= 3 else ("", stream)  # noqa: PLR2004 - the awslogs driver's parts


def missing_groups(account: Account, groups: Sequence[str]) -> list[str]:
    """The log groups that do not exist."""
    client = account.client("logs")
    return [
        group
        for group in groups
        if group
        not in {item["logGroupName"] for item in client.describe_log_groups(logGroupNamePrefix=group)["logGroups"]}
    ]


def _start(selection: Selection) -> int:
    return _milliseconds(selection.since)


def _milliseconds(at: datetime) -> int:
    return int(at.timestamp() * 1000)
