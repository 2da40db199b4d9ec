"""Container output → CloudWatch Logs, as the awslogs driver does it: a stream a container, an event a line."""

from __future__ import annotations

import logging
import threading
from collections.abc import Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from inferfleet.localcloud.ecs.launch import Json

_LOG = logging.getLogger(__name__)
_LONGEST_EVENT = 262_144 - 26
"""CloudWatch Logs takes events of at most 256 KiB, 26 bytes of which are its own."""


@dataclass(frozen=True, slots=True)
class Destination:
    """Where a container's output goes."""

    group: str
    stream: str
    region: str
    creates_group: bool


class NoLogGroup(Exception):
    """The log group is not there, and the container definition does not say that it may be made."""


def destination(definition: Json, task_id: str, container_id: str, region: str) -> Destination | None:
    """Where a container's output goes; None where it does not use the awslogs driver."""
    settings = definition.get("logConfiguration") or {}
    chosen = settings.get("options") or {}
    if settings.get("logDriver") != "awslogs" or not chosen.get("awslogs-group"):
        return None
    prefix = chosen.get("awslogs-stream-prefix")
    return Destination(
        group=chosen["awslogs-group"],
        stream=f"{prefix}/{definition['name']}/{task_id}" if prefix else container_id,
        region=chosen.get("awslogs-region") or region,
        creates_group=str(chosen.get("awslogs-create-group", "")).lower() == "true",
    )


def prepare(account: str, to: Destination) -> None:
    """Makes the stream.

    Raises:
        NoLogGroup: There is no such group.
    """
    from ministack.core.responses import request_scope
    from ministack.services import cloudwatch_logs

    with request_scope(account, to.region):
        if to.group not in cloudwatch_logs._log_groups:
            if not to.creates_group:
                raise NoLogGroup(f"failed to create Cloudwatch log stream: log group {to.group} does not exist")
            cloudwatch_logs._create_log_group({"logGroupName": to.group})
        cloudwatch_logs._create_log_stream({"logGroupName": to.group, "logStreamName": to.stream})


def follow(container: Any, account: str, to: Destination) -> threading.Thread:
    """Forwards a container's output in a thread of its own, which ends with the container."""
    thread = threading.Thread(target=_forward, args=(container, account, to), name=f"awslogs-{to.stream}", daemon=True)
    thread.start()
    return thread


def _forward(container: Any, account: str, to: Destination) -> None:
    from ministack.core.responses import request_scope
    from ministack.services import cloudwatch_logs

    with request_scope(account, to.region), suppress(OSError):
        stream = container.logs(stream=True, follow=True, stdout=True, stderr=True, timestamps=True)
        for chunk in _whole_lines(stream):
            events = [{"timestamp": at, "message": text} for at, text in map(_event, chunk)]
            status, _, body = cloudwatch_logs._put_log_events(
                {"logGroupName": to.group, "logStreamName": to.stream, "logEvents": events}
            )
            if status >= 400:  # noqa: PLR2004 - HTTP's errors
                _LOG.warning("output of %s is lost: %s", to.stream, body)
                return


def _whole_lines(chunks: Iterable[bytes]) -> Iterator[list[bytes]]:
    """Lines, as many as have arrived together."""
    rest = b""
    for chunk in chunks:
        *lines, rest = (rest + chunk).split(b"\n")
        if lines:
            yield lines
    if rest:
        yield [rest]


def _event(line: bytes) -> tuple[int, str]:
    """Time, in milliseconds, and text of a line that begins with the engine's time of it."""
    at, _, text = line.partition(b" ")
    try:
        when = datetime.fromisoformat(at.decode()[:26].rstrip("Z")).replace(tzinfo=UTC)
    except ValueError:
        when, text = datetime.now(UTC), line
    return int(when.timestamp() * 1000), text.decode(errors="replace").rstrip("\r")[:_LONGEST_EVENT] or " "
