"""Events as items of a DynamoDB table, once each, to be found by id, or by camera and time."""

from __future__ import annotations

import json
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime
from decimal import Decimal
from typing import Any

from inferfleet.config.sink_aws import DynamoDbSink as Settings
from inferfleet.errors import OutsideError
from inferfleet.streams.delivery.item import Item
from inferfleet.streams.delivery.sinks.aws import error_code, explained, make_client
from inferfleet.streams.delivery.sinks.base import Failure, SinkError, SinkUnavailable
from inferfleet.streams.event import Event, encode

PARALLEL = 8
"""Puts at once; one takes some 5 ms, nearly all of it waiting."""
TTL_ATTRIBUTE = "expires"
_SECONDS_A_DAY = 86_400
_CREATE_SECONDS = 60
_IF_NEW = "attribute_not_exists(id)"
_NEVER = "attribute_exists(id) AND attribute_not_exists(id)"
"""A condition that no item meets: the put is refused after its permission was checked, and nothing is written."""


class DynamoDbSink:
    """Puts events into a table; one that is there already is left as it is."""

    batch_size = 8 * PARALLEL

    def __init__(self, name: str, settings: Settings) -> None:
        self.name = name
        self._settings = settings
        self._target = f"the DynamoDB table {settings.table}"
        self._client: Any = None
        self._pool: ThreadPoolExecutor | None = None

    def open(self) -> None:
        """Checks table, index and expiry, and that items may be put; creates the table where that is wanted.

        Raises:
            SinkError: Something is not as it must be, or may not be used.
            SinkUnavailable: DynamoDB does not answer, or the table is not ready.
        """
        self._client = make_client("dynamodb", self._settings, connections=PARALLEL)
        self._pool = self._pool or ThreadPoolExecutor(PARALLEL, thread_name_prefix=f"sink-{self.name}")
        self._check_table(self._describe())
        if self._settings.ttl_days is not None:
            self._check_expiry()
        with explained("dynamodb:PutItem", self._target):
            self._put({"id": {"S": "rehearsal"}}, _NEVER)

    def deliver(self, batch: Sequence[Item]) -> Sequence[Failure]:
        """Puts the events, several at once; those that fail are returned."""
        assert self._pool is not None
        reasons = self._pool.map(self._deliver_one, batch)
        return [Failure(item.event.id, why) for item, why in zip(batch, reasons, strict=True) if why is not None]

    def close(self) -> None:
        """Closes its connections."""
        if self._pool is not None:
            self._pool.shutdown(wait=False, cancel_futures=True)
            self._pool = None
        if self._client is not None:
            self._client.close()

    def _deliver_one(self, item: Item) -> str | None:
        try:
            with explained("dynamodb:PutItem", self._target):
                self._put(_row(item.event, self._settings.ttl_days), _IF_NEW)
        except OutsideError as error:
            return str(error)
        return None

    def _put(self, row: dict[str, Any], condition: str) -> None:
        """Puts an item; that the condition is not met is no error: the event is there already."""
        from botocore.exceptions import ClientError

        try:
            self._client.put_item(TableName=self._settings.table, Item=row, ConditionExpression=condition)
        except ClientError as error:
            if error_code(error) != "ConditionalCheckFailedException":
                raise

    def _describe(self) -> dict[str, Any]:
        try:
            with explained("dynamodb:DescribeTable", self._target):
                return dict(self._client.describe_table(TableName=self._settings.table)["Table"])
        except SinkError as error:
            if not self._settings.create or "does not exist" not in str(error):
                raise
        return self._create()

    def _create(self) -> dict[str, Any]:
        name = self._settings.table
        with explained("dynamodb:CreateTable", self._target):
            self._client.create_table(TableName=name, **table_definition(self._settings.index))
            waiter = self._client.get_waiter("table_exists")
            waiter.wait(TableName=name, WaiterConfig={"Delay": 1, "MaxAttempts": _CREATE_SECONDS})
        if self._settings.ttl_days is not None:
            with explained("dynamodb:UpdateTimeToLive", self._target):
                self._client.update_time_to_live(
                    TableName=name, TimeToLiveSpecification={"Enabled": True, "AttributeName": TTL_ATTRIBUTE}
                )
        return dict(self._client.describe_table(TableName=name)["Table"])

    def _check_table(self, table: dict[str, Any]) -> None:
        if table["TableStatus"] not in ("ACTIVE", "UPDATING"):
            raise SinkUnavailable(f"{self._target} is not ready: {table['TableStatus']}")
        if _keys(table) != [("id", "HASH")]:
            raise SinkError(
                f"{self._target} has the key {_keys(table)}; it must be `id` alone (partition key, a string)"
            )
        indexes = {index["IndexName"]: _keys(index) for index in table.get("GlobalSecondaryIndexes", [])}
        wanted = [("camera", "HASH"), ("time", "RANGE")]
        if indexes.get(self._settings.index) != wanted:
            raise SinkError(
                f"{self._target} has no index `{self._settings.index}` with the keys `camera` and `time` "
                f"(it has: {', '.join(indexes) or 'none'}); add it, set `index`, or let `create: true` make the table"
            )

    def _check_expiry(self) -> None:
        with explained("dynamodb:DescribeTimeToLive", self._target):
            found = self._client.describe_time_to_live(TableName=self._settings.table)["TimeToLiveDescription"]
        if found.get("AttributeName") != TTL_ATTRIBUTE or found["TimeToLiveStatus"] not in ("ENABLED", "ENABLING"):
            raise SinkError(
                f"{self._target} does not delete by the attribute `{TTL_ATTRIBUTE}`; "
                "enable its time to live for it, or set `ttl_days: null`"
            )


def table_definition(index: str) -> dict[str, Any]:
    """Returns what CreateTable needs for a table of events, but for its name."""
    attributes = ("id", "camera", "time")
    return {
        "KeySchema": [{"AttributeName": "id", "KeyType": "HASH"}],
        "AttributeDefinitions": [{"AttributeName": name, "AttributeType": "S"} for name in attributes],
        "BillingMode": "PAY_PER_REQUEST",
        "GlobalSecondaryIndexes": [
            {
                "IndexName": index,
                "KeySchema": [
                    {"AttributeName": "camera", "KeyType": "HASH"},
                    {"AttributeName": "time", "KeyType": "RANGE"},
                ],
                "Projection": {"ProjectionType": "ALL"},
            }
        ],
    }


def _keys(described: dict[str, Any]) -> list[tuple[str, str]]:
    return [(key["AttributeName"], key["KeyType"]) for key in described["KeySchema"]]


def _row(event: Event, ttl_days: float | None) -> dict[str, Any]:
    """Returns the event's fields as an item, with `camera` beside `subject`, and `expires` (seconds since 1970)."""
    from boto3.dynamodb.types import TypeSerializer

    fields: dict[str, Any] = json.loads(encode(event), parse_float=Decimal)
    fields["camera"] = event.subject
    if ttl_days is not None:
        captured = datetime.fromisoformat(event.time).timestamp()
        fields[TTL_ATTRIBUTE] = int(captured + ttl_days * _SECONDS_A_DAY)
    serializer = TypeSerializer()
    return {key: serializer.serialize(value) for key, value in fields.items()}
