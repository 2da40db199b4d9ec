"""Events as messages of an SNS topic. Filter policies see camera, type and label as attributes."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from inferfleet.config.sink_aws import SnsSink as Settings
from inferfleet.streams.delivery.item import Item
from inferfleet.streams.delivery.sinks.aws import error_code, explained, make_client
from inferfleet.streams.delivery.sinks.base import Failure
from inferfleet.streams.delivery.sinks.rounds import Entry, Limits, send_all
from inferfleet.streams.event import decode, encode

LIMITS = Limits(entries=10, bytes=256 * 1024, entry_bytes=256 * 1024)
"""Of PublishBatch: API reference of SNS; attributes count too."""


class SnsSink:
    """Publishes events to a topic."""

    batch_size = 100

    def __init__(self, name: str, settings: Settings) -> None:
        self.name = name
        self._settings = settings
        self._topic = settings.topic
        self._fifo = settings.topic.endswith(".fifo")
        self._target = f"the topic {settings.topic}"
        self._client: Any = None

    def open(self) -> None:
        """Checks that the topic is there and that messages may be published to it.

        Raises:
            SinkError: It is not there, or may not be used.
            SinkUnavailable: SNS does not answer.
        """
        from botocore.exceptions import ClientError

        self._client = make_client("sns", self._settings)
        with explained("sns:GetTopicAttributes", self._target):
            self._client.get_topic_attributes(TopicArn=self._topic)
        # Two entries with the same id are refused as a whole: nothing is published.
        twice = [{"Id": "rehearsal", "Message": "{}", **self._order("rehearsal", "rehearsal")}] * 2
        with explained("sns:Publish", self._target):
            try:
                self._client.publish_batch(TopicArn=self._topic, PublishBatchRequestEntries=twice)
            except ClientError as error:
                if "BatchEntryIdsNotDistinct" not in error_code(error):
                    raise

    def deliver(self, batch: Sequence[Item]) -> Sequence[Failure]:
        """Publishes events; those that SNS refuses are returned."""
        return send_all([_entry(item) for item in batch], LIMITS, self._publish, ordered=self._fifo)

    def close(self) -> None:
        """Closes its connections."""
        if self._client is not None:
            self._client.close()

    def _publish(self, entries: Sequence[Entry]) -> list[str | None]:
        requests = [
            {
                "Id": str(number),
                "Message": entry.body.decode(),
                "MessageAttributes": _attributes(entry),
                **self._order(entry.camera, entry.id),
            }
            for number, entry in enumerate(entries)
        ]
        with explained("sns:Publish", self._target):
            answer = self._client.publish_batch(TopicArn=self._topic, PublishBatchRequestEntries=requests)
        failed = {failure["Id"]: f"{failure['Code']}: {failure.get('Message', '')}" for failure in answer["Failed"]}
        return [failed.get(request["Id"]) for request in requests]

    def _order(self, camera: str, id_: str) -> dict[str, str]:
        return {"MessageGroupId": camera, "MessageDeduplicationId": id_} if self._fifo else {}


def _attributes(entry: Entry) -> dict[str, Any]:
    event = decode(entry.body)
    values = {"camera": event.subject, "type": event.type, "label": event.data.label}
    return {key: {"DataType": "String", "StringValue": value} for key, value in values.items() if value}


def _entry(item: Item) -> Entry:
    body = encode(item.event)
    event = item.event
    attributes = len(event.subject.encode()) + len(event.type) + len((event.data.label or "").encode()) + 64
    return Entry(event.id, event.subject, body, len(body) + attributes)
