from __future__ import annotations

import random
from decimal import Decimal
from pathlib import Path
from typing import Any

import msgspec
import pytest

from inferfleet.streams.delivery import Item
from inferfleet.streams.delivery.sinks.base import SinkError
from tests.localcloud.delivery.cloud import REGION, Forward, MiniStack, Proxy, Request, Response, client, times, unique
from tests.localcloud.delivery.support import deliver, sink
from tests.unit.streams.delivery.support import make_item

ITEMS: list[Item] = [make_item(camera, frame) for frame in range(12) for camera in ("gate", "yard")]


@pytest.fixture
def table(ministack: MiniStack) -> str:
    """A table as the sink makes it."""
    name = unique("events")
    maker = sink("dynamodb", ministack.url, table=name, create=True)
    maker.open()
    maker.close()
    return name


def rows(ministack: MiniStack, table: str) -> dict[str, dict[str, Any]]:
    import boto3

    resource: Any = boto3.Session(region_name=REGION).resource("dynamodb", endpoint_url=ministack.url)
    return {row["id"]: row for row in resource.Table(table).scan()["Items"]}


def test_events_are_items_that_are_found_by_camera_and_time(tmp_path: Path, ministack: MiniStack, table: str) -> None:
    deliver(tmp_path, sink("dynamodb", ministack.url, table=table), ITEMS)
    found = rows(ministack, table)
    assert set(found) == {item.event.id for item in ITEMS}
    event = ITEMS[0].event
    row = found[event.id]
    assert (row["camera"], row["time"], row["type"]) == ("gate", event.time, "inferfleet.detection")
    assert row["data"]["confidence"] == Decimal("0.9")
    assert row["data"]["box"] == [Decimal("10.0"), Decimal("20.0"), Decimal("110.0"), Decimal("120.0")]
    assert row["expires"] == 1769848200 + 90 * 86400, "the capture time and 90 days"
    answer = client("dynamodb", ministack.url).query(
        TableName=table,
        IndexName="camera-time",
        KeyConditionExpression="camera = :camera AND #time BETWEEN :from AND :to",
        ExpressionAttributeNames={"#time": "time"},
        ExpressionAttributeValues={
            ":camera": {"S": "gate"},
            ":from": {"S": "2026-01-31T08:30:05"},
            ":to": {"S": "2026-01-31T08:30:08"},
        },
    )
    assert [row["data"]["M"]["position"]["M"]["frame"]["N"] for row in answer["Items"]] == ["5", "6", "7"]


def test_an_event_that_is_there_is_left_as_it_is(tmp_path: Path, ministack: MiniStack, table: str) -> None:
    target = sink("dynamodb", ministack.url, table=table)
    target.open()
    first = ITEMS[0]
    assert target.deliver([first]) == []
    changed = Item(msgspec.structs.replace(first.event, type="inferfleet.text"))
    assert target.deliver([changed, ITEMS[1]]) == []
    target.close()
    assert rows(ministack, table)[first.event.id]["type"] == "inferfleet.detection"


def test_what_fails_alone_is_retried(tmp_path: Path, ministack: MiniStack, proxy: Proxy, table: str) -> None:
    def some_throttled(request: Request, _: Forward) -> Response | None:
        if request.action == "PutItem" and random.random() < 0.5:
            return Response(400, b'{"__type": "ThrottlingException", "message": "slow down"}')
        return None

    proxy.rules.append(times(16, some_throttled))
    deliver(tmp_path, sink("dynamodb", proxy.url, table=table), ITEMS)
    assert set(rows(ministack, table)) == {item.event.id for item in ITEMS}


def test_the_check_at_the_start_leaves_nothing_behind(ministack: MiniStack, table: str) -> None:
    assert rows(ministack, table) == {}


def test_a_table_that_is_not_there_is_told(ministack: MiniStack) -> None:
    with pytest.raises(SinkError, match="the DynamoDB table nowhere does not exist"):
        sink("dynamodb", ministack.url, table="nowhere").open()


def make_table(ministack: MiniStack, key: str, index: dict[str, str] | None) -> str:
    name = unique("table")
    names = {key, *(index or {}).values()}
    indexes = (
        [
            {
                "IndexName": "camera-time",
                "KeySchema": [{"AttributeName": index["HASH"], "KeyType": "HASH"}],
                "Projection": {"ProjectionType": "ALL"},
            }
        ]
        if index
        else []
    )
    client("dynamodb", ministack.url).create_table(
        TableName=name,
        KeySchema=[{"AttributeName": key, "KeyType": "HASH"}],
        AttributeDefinitions=[{"AttributeName": name, "AttributeType": "S"} for name in names],
        BillingMode="PAY_PER_REQUEST",
        **({"GlobalSecondaryIndexes": indexes} if indexes else {}),
    )
    return name


def test_a_table_with_another_key_is_told(ministack: MiniStack) -> None:
    name = make_table(ministack, "uuid", None)
    with pytest.raises(SinkError, match="it must be `id` alone"):
        sink("dynamodb", ministack.url, table=name).open()


@pytest.mark.parametrize("index", [None, {"HASH": "camera"}])
def test_a_table_without_the_index_is_told(ministack: MiniStack, index: dict[str, str] | None) -> None:
    name = make_table(ministack, "id", index)
    with pytest.raises(SinkError, match="no index `camera-time` with the keys `camera` and `time`"):
        sink("dynamodb", ministack.url, table=name).open()


def test_a_table_that_never_forgets_is_told_unless_that_is_wanted(ministack: MiniStack) -> None:
    name = unique("events")
    maker = sink("dynamodb", ministack.url, table=name, create=True, ttl_days=None)
    maker.open()
    maker.close()
    with pytest.raises(SinkError, match="does not delete by the attribute `expires`"):
        sink("dynamodb", ministack.url, table=name).open()
