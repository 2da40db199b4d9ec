from __future__ import annotations

import json
from pathlib import Path

import pytest

from inferfleet.streams.delivery.sinks.base import SinkError
from inferfleet.streams.event import decode
from tests.localcloud.delivery.cloud import Forward, MiniStack, Proxy, Request, Response, client, times, unique
from tests.localcloud.delivery.queue import Queue
from tests.localcloud.delivery.support import deliver, sink
from tests.unit.streams.delivery.support import make_item

ITEMS = [make_item(camera, frame) for frame in range(7) for camera in ("gate", "yard")]


@pytest.fixture
def bus(ministack: MiniStack) -> str:
    name = unique("cameras")
    client("events", ministack.url).create_event_bus(Name=name)
    return name


def listen(ministack: MiniStack, bus: str) -> Queue:
    """A queue that gets the detections on a bus."""
    queue = Queue(ministack.url)
    events = client("events", ministack.url)
    pattern = {"source": ["inferfleet"], "detail-type": ["inferfleet.detection"]}
    events.put_rule(Name="all", EventBusName=bus, EventPattern=json.dumps(pattern))
    events.put_targets(Rule="all", EventBusName=bus, Targets=[{"Id": "queue", "Arn": queue.arn}])
    return queue


def test_rules_find_the_events(tmp_path: Path, ministack: MiniStack, bus: str) -> None:
    queue = listen(ministack, bus)
    deliver(tmp_path, sink("eventbridge", ministack.url, bus=bus), ITEMS)
    got = [json.loads(body) for body in queue.wait_for(len(ITEMS))]
    assert {body["detail"]["id"] for body in got} == {item.event.id for item in ITEMS}
    assert {body["source"] for body in got} == {"inferfleet"}
    one = next(body for body in got if body["detail"]["id"] == ITEMS[0].event.id)
    assert decode(json.dumps(one["detail"])) == ITEMS[0].event


def test_entries_that_are_refused_are_retried(tmp_path: Path, ministack: MiniStack, proxy: Proxy, bus: str) -> None:
    def every_other(request: Request, forward: Forward) -> Response | None:
        if request.action != "PutEvents" or b"aws.inferfleet" in request.body:
            return None
        entries = json.loads(request.body)["Entries"]
        taken = json.dumps({"Entries": entries[::2]}).encode()
        results = json.loads(forward(Request(request.method, request.path, request.headers, taken)).body)["Entries"]
        refused = {"ErrorCode": "InternalFailure", "ErrorMessage": "sorry"}
        answer = [results.pop(0) if n % 2 == 0 else refused for n in range(len(entries))]
        return Response(200, json.dumps({"FailedEntryCount": len(entries) // 2, "Entries": answer}).encode())

    queue = listen(ministack, bus)
    proxy.rules.append(times(5, every_other))
    deliver(tmp_path, sink("eventbridge", proxy.url, bus=bus), ITEMS)
    got = queue.wait_for(len(ITEMS))
    assert sorted(json.loads(body)["detail"]["id"] for body in got) == sorted(item.event.id for item in ITEMS)


def test_a_bus_that_is_not_there_is_told(ministack: MiniStack) -> None:
    with pytest.raises(SinkError, match="the event bus nowhere does not exist"):
        sink("eventbridge", ministack.url, bus="nowhere").open()
