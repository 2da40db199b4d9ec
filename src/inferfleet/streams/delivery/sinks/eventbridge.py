"""Events on an EventBridge bus, where rules match on their type and data. The bus keeps no order."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from inferfleet.config.sink_aws import EventBridgeSink as Settings
from inferfleet.streams.delivery.item import Item
from inferfleet.streams.delivery.sinks.aws import explained, make_client
from inferfleet.streams.delivery.sinks.base import Failure
from inferfleet.streams.delivery.sinks.rounds import Entry, Limits, send_all
from inferfleet.streams.event import decode, encode

LIMITS = Limits(entries=10, bytes=256 * 1024, entry_bytes=256 * 1024)
"""Of PutEvents: EventBridge user guide, "Calculating PutEvents event entry size"."""
_OVERHEAD = 14
"""Bytes that an entry's time counts; source, type and detail count as they are."""


class EventBridgeSink:
    """Puts events on a bus."""

    batch_size = 100

    def __init__(self, name: str, settings: Settings) -> None:
        self.name = name
        self._settings = settings
        self._target = f"the event bus {settings.bus}"
        self._client: Any = None

    def open(self) -> None:
        """Checks that the bus is there and that events may be put on it.

        Raises:
            SinkError: It is not there, or may not be used.
            SinkUnavailable: EventBridge does not answer.
        """
        self._client = make_client("events", self._settings)
        with explained("events:DescribeEventBus", self._target):
            self._client.describe_event_bus(Name=self._settings.bus)
        # Sources of AWS's own services are refused, entry by entry, after the permission was checked.
        refused = {"Source": "aws.inferfleet", "DetailType": "rehearsal", "Detail": "{}"}
        with explained("events:PutEvents", self._target):
            self._client.put_events(Entries=[{**refused, "EventBusName": self._settings.bus}])

    def deliver(self, batch: Sequence[Item]) -> Sequence[Failure]:
        """Puts events; those that EventBridge refuses are returned."""
        return send_all([self._entry(item) for item in batch], LIMITS, self._put, ordered=False)

    def close(self) -> None:
        """Closes its connections."""
        if self._client is not None:
            self._client.close()

    def _entry(self, item: Item) -> Entry:
        body = encode(item.event)
        size = _OVERHEAD + len(self._settings.source.encode()) + len(item.event.type) + len(body)
        return Entry(item.event.id, item.event.subject, body, size)

    def _put(self, entries: Sequence[Entry]) -> list[str | None]:
        with explained("events:PutEvents", self._target):
            answer = self._client.put_events(Entries=[self._request(entry) for entry in entries])
        return [
            f"{entry['ErrorCode']}: {entry.get('ErrorMessage', '')}" if entry.get("ErrorCode") else None
            for entry in answer["Entries"]
        ]

    def _request(self, entry: Entry) -> dict[str, Any]:
        event = decode(entry.body)
        return {
            "Source": self._settings.source,
            "DetailType": event.type,
            "Detail": entry.body.decode(),
            "Time": datetime.fromisoformat(event.time),
            "EventBusName": self._settings.bus,
        }
