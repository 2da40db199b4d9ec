from __future__ import annotations

import json
import random
from pathlib import Path
from typing import Any

import pytest

from inferfleet.streams.delivery import Item
from inferfleet.streams.delivery.sinks import kinesis
from inferfleet.streams.delivery.sinks.base import SinkError
from inferfleet.streams.event import Event, decode
from tests.localcloud.delivery.cloud import Forward, MiniStack, Proxy, Request, Response, client, times, unique
from tests.localcloud.delivery.support import deliver, sink
from tests.unit.streams.delivery.support import make_item

CAMERAS = [f"camera-{n}" for n in range(4)]
ITEMS: list[Item] = [make_item(camera, frame) for frame in range(12) for camera in CAMERAS]


@pytest.fixture
def stream(ministack: MiniStack) -> str:
    name = unique("events")
    api = client("kinesis", ministack.url)
    api.create_stream(StreamName=name, ShardCount=3)
    api.get_waiter("stream_exists").wait(StreamName=name, WaiterConfig={"Delay": 1})
    return name


def records(ministack: MiniStack, stream: str) -> list[tuple[str, Event]]:
    """Everything in the stream, as partition key and event, in order within each shard."""
    api = client("kinesis", ministack.url)
    found: list[tuple[str, Event]] = []
    for shard in api.list_shards(StreamName=stream)["Shards"]:
        iterator = api.get_shard_iterator(
            StreamName=stream, ShardId=shard["ShardId"], ShardIteratorType="TRIM_HORIZON"
        )["ShardIterator"]
        while True:
            answer = api.get_records(ShardIterator=iterator)
            found += [(record["PartitionKey"], decode(record["Data"])) for record in answer["Records"]]
            if not answer["Records"]:
                break
            iterator = answer["NextShardIterator"]
    return found


def assert_all_in_order(found: list[tuple[str, Event]]) -> None:
    assert all(key == event.subject for key, event in found)
    for camera in CAMERAS:
        frames = [event.data.position.frame for key, event in found if key == camera]
        assert frames == list(range(12)), camera


def some_fail(request: Request, forward: Forward) -> Response | None:
    """Some records of a request are refused, as from a busy shard; the others are taken."""
    if request.action != "PutRecords":
        return None
    body = json.loads(request.body)
    refused = [random.random() < 0.4 for _ in body["Records"]]
    taken = [record for record, no in zip(body["Records"], refused, strict=True) if not no]
    results: list[dict[str, Any]] = []
    if taken:
        changed = Request(
            request.method, request.path, request.headers, json.dumps({**body, "Records": taken}).encode()
        )
        results = json.loads(forward(changed).body)["Records"]
    busy = {"ErrorCode": "ProvisionedThroughputExceededException", "ErrorMessage": "Rate exceeded for shard"}
    answer = [busy if no else results.pop(0) for no in refused]
    return Response(200, json.dumps({"FailedRecordCount": sum(refused), "Records": answer}).encode())


def throttled(request: Request, _: Forward) -> Response | None:
    if request.action != "PutRecords":
        return None
    return Response(400, b'{"__type": "LimitExceededException", "message": "Rate exceeded"}')


def answer_lost(request: Request, forward: Forward) -> Response | None:
    """The records are taken, but nobody learns of it."""
    if request.action != "PutRecords":
        return None
    forward(request)
    return Response(500, b'{"__type": "InternalFailure", "message": "something broke"}')


def test_events_are_records_in_order_for_each_camera(tmp_path: Path, ministack: MiniStack, stream: str) -> None:
    deliver(tmp_path, sink("kinesis", ministack.url, stream=stream), ITEMS)
    found = records(ministack, stream)
    assert_all_in_order(found)
    assert found[0][1] in [item.event for item in ITEMS], "an event comes out as it went in"


def test_refused_records_alone_are_retried_and_cameras_keep_their_order(
    tmp_path: Path, ministack: MiniStack, proxy: Proxy, stream: str
) -> None:
    proxy.rules.append(times(10, some_fail))
    deliver(tmp_path, sink("kinesis", proxy.url, stream=stream), ITEMS)
    assert_all_in_order(records(ministack, stream))


def test_throttling_is_waited_out(tmp_path: Path, ministack: MiniStack, proxy: Proxy, stream: str) -> None:
    proxy.rules.append(times(4, throttled))
    deliver(tmp_path, sink("kinesis", proxy.url, stream=stream), ITEMS)
    assert_all_in_order(records(ministack, stream))


def test_a_lost_answer_repeats_events_under_their_ids(
    tmp_path: Path, ministack: MiniStack, proxy: Proxy, stream: str
) -> None:
    proxy.rules.append(times(2, answer_lost))
    deliver(tmp_path, sink("kinesis", proxy.url, stream=stream), ITEMS)
    found = records(ministack, stream)
    assert len(found) > len(ITEMS)
    assert {event.id for _, event in found} == {item.event.id for item in ITEMS}


def test_without_order_requests_are_filled(tmp_path: Path, ministack: MiniStack, proxy: Proxy, stream: str) -> None:
    target = sink("kinesis", proxy.url, stream=stream, ordered=False)
    target.open()
    assert target.deliver(ITEMS) == []
    target.close()
    assert sum(request.action == "PutRecords" for request in proxy.requests) == 1
    assert len(records(ministack, stream)) == len(ITEMS)


def test_a_stream_that_is_not_there_is_told(ministack: MiniStack) -> None:
    with pytest.raises(SinkError, match="the Kinesis stream nowhere does not exist"):
        sink("kinesis", ministack.url, stream="nowhere").open()


def test_the_rehearsal_puts_nothing(
    ministack: MiniStack, proxy: Proxy, stream: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def as_aws_does(request: Request, _: Forward) -> Response | None:
        if request.action == "PutRecords" and int(json.loads(request.body)["Records"][0]["ExplicitHashKey"]) >= 2**128:
            return Response(400, b'{"__type": "InvalidArgumentException", "message": "Invalid ExplicitHashKey."}')
        return None

    monkeypatch.setattr(kinesis, "is_real", lambda _: True)
    proxy.rules.append(as_aws_does)
    target = sink("kinesis", proxy.url, stream=stream)
    target.open()
    target.close()
    assert any(request.action == "PutRecords" for request in proxy.requests)
    assert records(ministack, stream) == []
