"""The lease table in DynamoDB: an item a camera, an item a worker, and nothing written without a condition.

| attribute | camera | worker |
|---|---|---|
| `id` | `camera:gate` | `worker:ip-10-0-1-7-3f2a9c` |
| `counter`, `updated` | grows with every write; when that was | the same |
| `owner`, `fence` | who holds it, for the how manieth time it was taken | none |
| `token`, `state` | the delivered checkpoint; its state compressed, 2 kB of the 400 kB that an item may have | none |
"""

from __future__ import annotations

import re
import zlib
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import Any

from inferfleet.config.workers import Leases
from inferfleet.streams.checkpoint import Checkpoint
from inferfleet.streams.delivery.sinks.aws import error_code, explained
from inferfleet.streams.delivery.sinks.base import SinkError, SinkUnavailable
from inferfleet.streams.event import format_time
from inferfleet.streams.leases.model import Beat, Lease, Renewal, TableError, TableUnavailableError, View

_CONNECT_SECONDS, _READ_SECONDS, _ATTEMPTS = 2, 3, 2
"""Short, as an answer that comes after the lease has run out is of no use."""
_PARALLEL = 8
_CREATE_SECONDS = 60
_CAMERA, _WORKER = "camera:", "worker:"
_LOOKED_AT = ("id", "counter", "updated", "owner", "fence", "token")
_PLACEHOLDER = re.compile(r"#\w+")
_UNMET = "ConditionalCheckFailedException"


class DynamoDbTable:
    """The lease table. Thread-safe once open."""

    def __init__(self, settings: Leases) -> None:
        """Prepares it; `open` connects."""
        self._settings = settings
        self._what = f"the lease table {settings.table}"
        self._client: Any = None
        self._pool = ThreadPoolExecutor(_PARALLEL, thread_name_prefix="leases-table")

    def open(self) -> None:
        """Connects, checks the table, and creates it where that is wanted.

        Raises:
            TableError: It is missing, has another key, or may not be used.
            TableUnavailableError: DynamoDB does not answer.
        """
        self._client = _make_client(self._settings)
        try:
            table = self._describe()
        except TableError as error:
            if not self._settings.create or "does not exist" not in str(error):
                raise
            table = self._create()
        keys = [(key["AttributeName"], key["KeyType"]) for key in table["KeySchema"]]
        if keys != [("id", "HASH")]:
            raise TableError(f"{self._what} has the key {keys}; it must be `id` alone (partition key, a string)")

    def close(self) -> None:
        """Lets go of the connections."""
        self._pool.shutdown(wait=False, cancel_futures=True)
        if self._client is not None:
            self._client.close()

    def look(self) -> View:
        """Reads everything but the checkpoints' states; see `Table`."""
        names = {f"#{name}": name for name in _LOOKED_AT}
        pages = self._client.get_paginator("scan").paginate(
            TableName=self._settings.table,
            ConsistentRead=True,
            ProjectionExpression=", ".join(names),
            ExpressionAttributeNames=names,
        )
        with self._calling("dynamodb:Scan"):
            items = [_plain(item) for page in pages for item in page["Items"]]
        leases = tuple(_lease(item) for item in items if item["id"].startswith(_CAMERA))
        beats = tuple(_beat(item) for item in items if item["id"].startswith(_WORKER))
        return View(leases, beats)

    def beat(self, beat: Beat) -> None:
        """Writes a worker's item; see `Table`."""
        item = {"id": _WORKER + beat.worker, "counter": beat.counter, "updated": _now()}
        with self._calling("dynamodb:PutItem"):
            self._client.put_item(TableName=self._settings.table, Item=_typed(item))

    def forget(self, beat: Beat) -> None:
        """Removes a worker's item; see `Table`."""
        with self._calling("dynamodb:DeleteItem"), _unless_unmet():
            self._client.delete_item(
                TableName=self._settings.table,
                Key=_typed({"id": _WORKER + beat.worker}),
                ConditionExpression="#counter = :counter",
                ExpressionAttributeNames={"#counter": "counter"},
                ExpressionAttributeValues=_typed({":counter": beat.counter}),
            )

    def take(self, lease: Lease, worker: str) -> tuple[int, Checkpoint | None] | None:
        """Takes a lease; see `Table`."""
        if lease.counter:
            condition = "#counter = :seen AND #fence = :held"
            seen = {":seen": lease.counter, ":held": lease.fence}
        else:
            condition, seen = "attribute_not_exists(#id)", {}
        values = {"owner": worker, "fence": lease.fence + 1, "counter": lease.counter + 1, "updated": _now()}
        found = self._update(lease.camera, values, condition, seen)
        return None if found is None else (lease.fence + 1, _checkpoint(lease.camera, found))

    def renew(self, renewals: Sequence[Renewal], worker: str) -> Sequence[bool | None]:
        """Renews leases, several at once; see `Table`."""
        return list(self._pool.map(lambda renewal: self._renew(renewal, worker), renewals))

    def release(self, renewal: Renewal, worker: str) -> None:
        """Gives a lease up; see `Table`."""
        self._update(renewal.camera, _progress(renewal), *_still(renewal, worker), remove="owner")

    def _renew(self, renewal: Renewal, worker: str) -> bool | None:
        try:
            return self._update(renewal.camera, _progress(renewal), *_still(renewal, worker)) is not None
        except TableUnavailableError:
            return None

    def _update(
        self, camera: str, values: Mapping[str, Any], condition: str, seen: Mapping[str, Any], remove: str = ""
    ) -> dict[str, Any] | None:
        """Updates a camera's item; returns it as it is then, or None when the condition is not met."""
        sets = [f"#{name} = :{name}" for name in values]
        if "counter" not in values:
            sets.append("#counter = #counter + :one")
            seen = {**seen, ":one": 1}
        expression = "SET " + ", ".join(sets) + (f" REMOVE #{remove}" if remove else "")
        given = {**{f":{name}": value for name, value in values.items()}, **seen}
        names = {name: name.removeprefix("#") for name in _PLACEHOLDER.findall(f"{expression} {condition}")}
        with self._calling("dynamodb:UpdateItem"), _unless_unmet() as met:
            answer = self._client.update_item(
                TableName=self._settings.table,
                Key=_typed({"id": _CAMERA + camera}),
                UpdateExpression=expression,
                ConditionExpression=condition,
                ExpressionAttributeNames=names,
                ExpressionAttributeValues=_typed(given),
                ReturnValues="ALL_NEW",
            )
            met.append(_plain(answer["Attributes"]))
        return met[0] if met else None

    def _describe(self) -> dict[str, Any]:
        with self._calling("dynamodb:DescribeTable"):
            return dict(self._client.describe_table(TableName=self._settings.table)["Table"])

    def _create(self) -> dict[str, Any]:
        from botocore.exceptions import ClientError

        name = self._settings.table
        with self._calling("dynamodb:CreateTable"):
            try:
                self._client.create_table(
                    TableName=name,
                    KeySchema=[{"AttributeName": "id", "KeyType": "HASH"}],
                    AttributeDefinitions=[{"AttributeName": "id", "AttributeType": "S"}],
                    BillingMode="PAY_PER_REQUEST",
                )
            except ClientError as error:
                if error_code(error) != "ResourceInUseException":  # another worker was faster
                    raise
            waiter = self._client.get_waiter("table_exists")
            waiter.wait(TableName=name, WaiterConfig={"Delay": 1, "MaxAttempts": _CREATE_SECONDS})
        return self._describe()

    @contextmanager
    def _calling(self, permission: str) -> Iterator[None]:
        try:
            with explained(permission, self._what):
                yield
        except SinkUnavailable as error:
            raise TableUnavailableError(str(error)) from error
        except SinkError as error:
            raise _Refused(str(error)) from error


class _Refused(TableError, TableUnavailableError):
    """Refused for want of a permission or a table: the end of a start, but for a running worker one more failure."""


def _make_client(settings: Leases) -> Any:
    try:
        import boto3
        from botocore.config import Config
        from botocore.exceptions import BotoCoreError
    except ImportError as error:
        raise TableError("leases need boto3; install it with: pip install 'inferfleet[kvs]'") from error
    config = Config(
        connect_timeout=_CONNECT_SECONDS,
        read_timeout=_READ_SECONDS,
        retries={"mode": "standard", "total_max_attempts": _ATTEMPTS},
        max_pool_connections=_PARALLEL,
    )
    try:
        session: Any = boto3.Session()
        return session.client(
            "dynamodb", region_name=settings.region, endpoint_url=settings.endpoint_url, config=config
        )
    except (BotoCoreError, ValueError) as error:
        raise TableError(f"leases cannot be set up: {error}; set `region`, or AWS_REGION") from error


@contextmanager
def _unless_unmet() -> Iterator[list[dict[str, Any]]]:
    """Takes a condition that is not met for an answer rather than an error; what is yielded stays empty then."""
    from botocore.exceptions import ClientError

    met: list[dict[str, Any]] = []
    try:
        yield met
    except ClientError as error:
        if error_code(error) != _UNMET:
            raise


def _still(renewal: Renewal, worker: str) -> tuple[str, dict[str, Any]]:
    """The condition that a lease is held by `worker` under its fence, and the values that it names."""
    return "#owner = :me AND #fence = :held", {":me": worker, ":held": renewal.fence}


def _progress(renewal: Renewal) -> dict[str, Any]:
    values: dict[str, Any] = {"updated": _now()}
    if renewal.checkpoint is not None:
        values |= {"token": renewal.checkpoint.token, "state": zlib.compress(renewal.checkpoint.state)}
    return values


def _checkpoint(camera: str, item: Mapping[str, Any]) -> Checkpoint | None:
    if "token" not in item:
        return None
    return Checkpoint(camera, item["token"], zlib.decompress(bytes(item["state"])))


def _lease(item: Mapping[str, Any]) -> Lease:
    return Lease(
        camera=item["id"].removeprefix(_CAMERA),
        owner=item.get("owner"),
        counter=int(item["counter"]),
        fence=int(item["fence"]),
        updated=item.get("updated", ""),
        token=item.get("token"),
    )


def _beat(item: Mapping[str, Any]) -> Beat:
    return Beat(item["id"].removeprefix(_WORKER), int(item["counter"]), item.get("updated", ""))


def _now() -> str:
    return format_time(datetime.now(UTC))


def _typed(values: Mapping[str, Any]) -> dict[str, Any]:
    from boto3.dynamodb.types import TypeSerializer

    serializer = TypeSerializer()
    return {name: serializer.serialize(value) for name, value in values.items()}


def _plain(item: Mapping[str, Any]) -> dict[str, Any]:
    from boto3.dynamodb.types import TypeDeserializer

    deserializer = TypeDeserializer()
    return {name: deserializer.deserialize(value) for name, value in item.items()}
