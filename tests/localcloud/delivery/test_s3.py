from __future__ import annotations

import random
from pathlib import Path

import numpy as np
import pytest

from inferfleet.config.cameras import CamerasFile
from inferfleet.streams.delivery import Attachment, Item, Snapshots
from inferfleet.streams.delivery.sinks.base import SinkError
from inferfleet.vision.picture import Still
from tests.localcloud.delivery.cloud import Forward, MiniStack, Proxy, Request, Response, client, times, unique
from tests.localcloud.delivery.support import deliver, sink
from tests.unit.streams.delivery.support import make_item

GREY = np.full((120, 160, 3), 90, np.uint8)


@pytest.fixture
def bucket(ministack: MiniStack) -> str:
    name = unique("pictures")
    client("s3", ministack.url).create_bucket(
        Bucket=name, CreateBucketConfiguration={"LocationConstraint": "eu-central-1"}
    )
    return name


def keys(ministack: MiniStack, bucket: str) -> set[str]:
    listed = client("s3", ministack.url).list_objects_v2(Bucket=bucket).get("Contents", [])
    return {found["Key"] for found in listed if not found["Key"].endswith(".inferfleet-write-check")}


def picture(number: int) -> Item:
    return make_item("gate", number, (Attachment(f"gate/{number}.jpg", "image/jpeg", b"x" * 1000, "s3"),))


def test_the_event_refers_to_its_picture_in_the_bucket(tmp_path: Path, ministack: MiniStack, bucket: str) -> None:
    settings = {"bucket": bucket, "crops": True, "metadata": {"site": "north"}}
    snapshots = Snapshots.of(CamerasFile.model_validate({"sinks": [{"s3": settings}]}).sinks)
    assert snapshots is not None
    item = snapshots.attach(make_item("gate", 7).event, Still(GREY), [])
    deliver(tmp_path, sink("s3", ministack.url, **settings), [item, make_item("gate", 8)])

    event = item.event
    assert event.data.snapshot is not None and event.data.crop is not None
    prefix = f"s3://{bucket}/snapshots/date=2026-01-31/camera=gate/083007-000000-{event.id}"
    assert event.data.snapshot == f"{prefix}-full.jpg"
    assert event.data.crop == f"{prefix}-crop.jpg"
    found = client("s3", ministack.url).get_object(
        Bucket=bucket, Key=event.data.snapshot.removeprefix(f"s3://{bucket}/")
    )
    assert found["Body"].read() == item.attachments[0].data
    assert found["ContentType"] == "image/jpeg"
    assert found["ServerSideEncryption"] == "AES256"
    assert found["Metadata"] == {
        "site": "north",
        "event-id": event.id,
        "event-type": "inferfleet.detection",
        "time": event.time,
        "camera": "gate",
    }
    assert len(keys(ministack, bucket)) == 2


def test_pictures_are_encrypted_with_a_key_of_ones_own(tmp_path: Path, ministack: MiniStack, bucket: str) -> None:
    key = client("kms", ministack.url).create_key()["KeyMetadata"]["KeyId"]
    deliver(tmp_path, sink("s3", ministack.url, bucket=bucket, encryption="kms", kms_key=key), [picture(1)])
    found = client("s3", ministack.url).head_object(Bucket=bucket, Key="gate/1.jpg")
    assert found["ServerSideEncryption"] == "aws:kms"
    assert key in found["SSEKMSKeyId"]


def test_uploads_that_fail_are_retried(tmp_path: Path, ministack: MiniStack, proxy: Proxy, bucket: str) -> None:
    def slow_down(request: Request, _: Forward) -> Response | None:
        if request.method == "PUT" and "/gate/" in request.path and random.random() < 0.5:
            return Response(503, b"<Error><Code>SlowDown</Code><Message>Reduce your rate</Message></Error>", "text/xml")
        return None

    proxy.rules.append(times(12, slow_down))
    deliver(tmp_path, sink("s3", proxy.url, bucket=bucket), [picture(n) for n in range(20)])
    assert keys(ministack, bucket) == {f"gate/{n}.jpg" for n in range(20)}


def test_an_event_whose_picture_failed_is_named(ministack: MiniStack, proxy: Proxy, bucket: str) -> None:
    def broken(request: Request, _: Forward) -> Response | None:
        if request.path.endswith("/2.jpg"):
            return Response(500, b"<Error><Code>InternalError</Code><Message>sorry</Message></Error>", "text/xml")
        return None

    target = sink("s3", proxy.url, bucket=bucket)
    target.open()
    proxy.rules.append(broken)
    (failure,) = target.deliver([picture(1), picture(2), make_item("gate", 3), picture(4)])
    target.close()
    assert failure.id == picture(2).event.id
    assert "InternalError" in failure.reason and not failure.permanent
    assert keys(ministack, bucket) == {"gate/1.jpg", "gate/4.jpg"}


def test_a_bucket_that_is_not_there_is_told(ministack: MiniStack) -> None:
    with pytest.raises(SinkError, match="the bucket no-such-bucket-here does not exist"):
        sink("s3", ministack.url, bucket="no-such-bucket-here").open()
