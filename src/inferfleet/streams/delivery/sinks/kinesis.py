"""Events as records of a Kinesis data stream: the camera is the partition key, so a shard keeps a camera's order."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from inferfleet.config.sink_aws import KinesisSink as Settings
from inferfleet.streams.delivery.item import Item
from inferfleet.streams.delivery.sinks.aws import explained, is_real, make_client
from inferfleet.streams.delivery.sinks.base import Failure, SinkError, SinkUnavailable
from inferfleet.streams.delivery.sinks.rounds import Entry, Limits, send_all
from inferfleet.streams.event import encode

LIMITS = Limits(entries=500, bytes=5 * 1024**2, entry_bytes=1024**2)
"""Of PutRecords: API reference of Kinesis Data Streams; partition keys count too."""
_OUT_OF_RANGE = str(10**39 - 1)
"""A hash key beyond 2^128, which Kinesis refuses after it has checked the permission: nothing is written."""


class KinesisSink:
    """Puts events into a stream."""

    batch_size = LIMITS.entries

    def __init__(self, name: str, settings: Settings) -> None:
        self.name = name
        self._ordered = settings.ordered
        self._settings = settings
        self._target = f"the Kinesis stream {settings.stream}"
        key = "StreamARN" if settings.stream.startswith("arn:") else "StreamName"
        self._stream = {key: settings.stream}
        self._client: Any = None

    def open(self) -> None:
        """Checks that the stream is there and that records may be put into it.

        Raises:
            SinkError: It is not there, or may not be used.
            SinkUnavailable: Kinesis does not answer, or the stream is not ready.
        """
        self._client = make_client("kinesis", self._settings)
        with explained("kinesis:DescribeStreamSummary", self._target):
            summary = self._client.describe_stream_summary(**self._stream)["StreamDescriptionSummary"]
        if summary["StreamStatus"] == "DELETING":
            raise SinkError(f"{self._target} is being deleted")
        if summary["StreamStatus"] == "CREATING":
            raise SinkUnavailable(f"{self._target} is not ready: CREATING")
        if is_real(self._client):
            self._rehearse()

    def deliver(self, batch: Sequence[Item]) -> Sequence[Failure]:
        """Puts events; those that Kinesis refuses (a busy shard, an internal failure) are returned."""
        return send_all([_entry(item) for item in batch], LIMITS, self._put, ordered=self._ordered)

    def close(self) -> None:
        """Closes its connections."""
        if self._client is not None:
            self._client.close()

    def _put(self, entries: Sequence[Entry]) -> list[str | None]:
        records = [{"Data": entry.body, "PartitionKey": entry.camera} for entry in entries]
        with explained("kinesis:PutRecords", self._target):
            answer = self._client.put_records(Records=records, **self._stream)
        return [
            f"{record['ErrorCode']}: {record.get('ErrorMessage', '')}" if record.get("ErrorCode") else None
            for record in answer["Records"]
        ]

    def _rehearse(self) -> None:
        """Puts a record that cannot be accepted, to learn whether one that can would be."""
        from botocore.exceptions import ClientError

        record = {"Data": b"", "PartitionKey": "inferfleet", "ExplicitHashKey": _OUT_OF_RANGE}
        with explained("kinesis:PutRecords", self._target):
            try:
                self._client.put_records(Records=[record], **self._stream)
            except ClientError as error:
                if error.response["Error"]["Code"] not in ("InvalidArgumentException", "ValidationException"):
                    raise


def _entry(item: Item) -> Entry:
    body = encode(item.event)
    camera = item.event.subject
    return Entry(item.event.id, camera, body, len(body) + len(camera.encode()))
