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


def make_topic(ministack: MiniStack, *, fifo: bool = False) -> str:
    name = unique("alarms") + (".fifo" if fifo else "")
    attributes = {"FifoTopic": "true"} if fifo else {}
    return str(client("sns", ministack.url).create_topic(Name=name, Attributes=attributes)["TopicArn"])


def subscribe(ministack: MiniStack, topic: str, **attributes: str) -> Queue:
    queue = Queue(ministack.url, fifo=topic.endswith(".fifo"))
    client("sns", ministack.url).subscribe(
        TopicArn=topic, Protocol="sqs", Endpoint=queue.arn, Attributes={"RawMessageDelivery": "true", **attributes}
    )
    return queue


def all_refused(request: Request, _: Forward) -> Response | None:
    """Every entry of a batch is refused, each for itself."""
    if b"PublishBatch" not in request.body or b"rehearsal" in request.body:
        return None
    count = request.body.count(b".Id=")
    members = "".join(
        f"<member><Id>{n}</Id><Code>InternalError</Code><Message>sorry</Message><SenderFault>false</SenderFault></member>"
        for n in range(count)
    )
    body = (
        '<PublishBatchResponse xmlns="http://sns.amazonaws.com/doc/2010-03-31/"><PublishBatchResult><Successful/>'
        f"<Failed>{members}</Failed></PublishBatchResult></PublishBatchResponse>"
    )
    return Response(200, body.encode(), "text/xml")


def test_subscribers_get_the_events(tmp_path: Path, ministack: MiniStack) -> None:
    topic = make_topic(ministack)
    queue = subscribe(ministack, topic)
    deliver(tmp_path, sink("sns", ministack.url, topic=topic), ITEMS)
    got = [decode(body) for body in queue.wait_for(len(ITEMS))]
    assert sorted(event.id for event in got) == sorted(item.event.id for item in ITEMS)


def test_filters_see_camera_and_type(tmp_path: Path, ministack: MiniStack) -> None:
    topic = make_topic(ministack)
    queue = subscribe(ministack, topic, FilterPolicy=json.dumps({"camera": ["gate"], "label": ["car"]}))
    deliver(tmp_path, sink("sns", ministack.url, topic=topic), ITEMS)
    assert {decode(body).subject for body in queue.wait_for(7)} == {"gate"}


def test_a_fifo_topic_keeps_each_cameras_order_and_drops_repeats(
    tmp_path: Path, ministack: MiniStack, proxy: Proxy
) -> None:
    topic = make_topic(ministack, fifo=True)
    queue = subscribe(ministack, topic)

    def answer_lost(request: Request, forward: Forward) -> Response | None:
        if b"PublishBatch" not in request.body or b"rehearsal" in request.body:
            return None
        forward(request)
        body = b"<ErrorResponse><Error><Code>InternalError</Code><Message>sorry</Message></Error></ErrorResponse>"
        return Response(500, body, "text/xml")

    proxy.rules += [times(2, all_refused), times(2, answer_lost)]
    deliver(tmp_path, sink("sns", proxy.url, topic=topic), ITEMS)
    got = [decode(body) for body in queue.wait_for(len(ITEMS))]
    for camera in ("gate", "yard"):
        assert [event.data.position.frame for event in got if event.subject == camera] == list(range(7))


def test_a_topic_that_is_not_there_is_told(ministack: MiniStack) -> None:
    topic = "arn:aws:sns:eu-central-1:000000000000:nowhere"
    with pytest.raises(SinkError, match=r"the topic .*nowhere does not exist"):
        sink("sns", ministack.url, topic=topic).open()
