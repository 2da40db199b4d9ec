"""Pictures of events as objects in an S3 bucket, encrypted, each with the event's id, type, time and camera."""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from inferfleet.config.sink_aws import S3Sink as Settings
from inferfleet.errors import OutsideError
from inferfleet.streams.delivery.item import Attachment, Item
from inferfleet.streams.delivery.sinks.aws import explained, make_client
from inferfleet.streams.delivery.sinks.base import Failure
from inferfleet.streams.event import Event

PARALLEL = 8
"""Uploads at once; one takes some 30 ms, nearly all of it waiting."""
_PROBE = ".inferfleet-write-check"


class S3Sink:
    """Uploads the pictures that are meant for it."""

    batch_size = 4 * PARALLEL

    def __init__(self, name: str, settings: Settings) -> None:
        self.name = name
        self._settings = settings
        self._target = f"the bucket {settings.bucket}"
        self._encryption = _encryption(settings)
        self._permission = "s3:PutObject"
        if settings.encryption == "kms":
            self._permission += " (and kms:GenerateDataKey on its key)"
        self._client: Any = None
        self._pool: ThreadPoolExecutor | None = None

    def open(self) -> None:
        """Writes a small object where the pictures will go, with their encryption.

        Raises:
            SinkError: The bucket is not there, or may not be written.
            SinkUnavailable: S3 does not answer.
        """
        self._client = make_client("s3", self._settings, connections=PARALLEL)
        self._pool = self._pool or ThreadPoolExecutor(PARALLEL, thread_name_prefix=f"sink-{self.name}")
        key = self._settings.prefix + _PROBE
        with explained(self._permission, self._target):
            self._client.put_object(
                Bucket=self._settings.bucket, Key=key, Body=b"", ContentType="text/plain", **self._encryption
            )

    def deliver(self, batch: Sequence[Item]) -> Sequence[Failure]:
        """Uploads the pictures, several at once; an event of which one fails is returned."""
        assert self._pool is not None
        uploads = [(item.event, attachment) for item in batch for attachment in item.attachments]
        reasons: dict[str, str] = {}
        for (event, _), reason in zip(uploads, self._pool.map(lambda pair: self._upload(*pair), uploads), strict=True):
            if reason is not None:
                reasons[event.id] = reason
        return [Failure(id_, reason) for id_, reason in reasons.items()]

    def close(self) -> None:
        """Closes its connections."""
        if self._pool is not None:
            self._pool.shutdown(wait=False, cancel_futures=True)
            self._pool = None
        if self._client is not None:
            self._client.close()

    def _upload(self, event: Event, attachment: Attachment) -> str | None:
        """Uploads a picture; returns why it failed. The same picture again replaces its equal."""
        try:
            with explained(self._permission, self._target):
                self._client.put_object(
                    Bucket=self._settings.bucket,
                    Key=attachment.path,
                    Body=attachment.data,
                    ContentType=attachment.content_type,
                    Metadata={**self._settings.metadata, **_metadata(event)},
                    **self._encryption,
                )
        except OutsideError as error:
            return str(error)
        return None


def _encryption(settings: Settings) -> dict[str, str]:
    if settings.encryption == "bucket":
        return {}
    if settings.encryption == "s3":
        return {"ServerSideEncryption": "AES256"}
    key = {"SSEKMSKeyId": settings.kms_key} if settings.kms_key else {}
    return {"ServerSideEncryption": "aws:kms", **key}


def _metadata(event: Event) -> dict[str, str]:
    return {"event-id": event.id, "event-type": event.type, "time": event.time, "camera": event.subject}
