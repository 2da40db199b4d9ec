"""The truth in DynamoDB: reads for a decision, and its commit in a transaction that fails if what was read changed."""

import json
import random
import time
from collections.abc import Iterable, Iterator
from dataclasses import replace
from typing import Any, TypeVar

from inferfleet.recovery.aws.settings import Settings
from inferfleet.recovery.aws.tables import (
    DECISIONS_KEPT,
    FLEET_KEY,
    Record,
    Table,
    attributes,
    from_item,
    tables,
    to_body,
)
from inferfleet.recovery.core.codec import encode
from inferfleet.recovery.core.intents import claimable
from inferfleet.recovery.core.model import Fleet, Incident, Intent, Job, Node, Task
from inferfleet.recovery.core.record import Recorded
from inferfleet.recovery.core.state import Decision
from inferfleet.recovery.core.terms import AT_MOST_ONCE, IntentStatus, JobPhase, NodePhase

T = TypeVar("T")
_KINDS: dict[str, type] = {"node": Node, "job": Job, "task": Task, "intent": Intent, "incident": Incident}
_BODY = "body"
_TRANSACTION_LIMIT = 100
"""Items in one TransactWriteItems (DynamoDB API reference)."""


class Conflict(Exception):
    """Someone else changed a record that the decision was based on: read again and decide again."""


class Store:
    """Tables and clock of one cluster."""

    def __init__(self, dynamodb: Any, settings: Settings) -> None:
        self.dynamodb = dynamodb
        self.settings = settings
        self.tables = tables(settings)

    def view(self) -> "Reads":
        """A fresh view for one decision."""
        return Reads(self)

    def get(self, kind: str, key: str) -> tuple[Any, int]:
        """A record and its revision; (None, 0) if there is none."""
        table = self.tables[kind]
        wanted = {table.key: {"S": key}, **({table.sort: {"S": _BODY}} if table.sort else {})}
        item = self.dynamodb.get_item(TableName=table.name, Key=wanted, ConsistentRead=True).get("Item")
        if item is None:
            return None, 0
        cls = Fleet if key == FLEET_KEY else _KINDS[kind]
        return from_item(cls, dict(item)), int(item["revision"]["N"])

    def query(self, kind: str, index: str, value: str, *, up_to: float | None = None) -> Iterator[str]:
        """Keys in an index under one partition value, in order of its sort key; all pages."""
        table = self.tables[kind]
        found = next(item for item in table.indexes if item.name == index)
        names = {"#k": found.key}
        values: dict[str, Any] = {":v": {"S": value}}
        condition = "#k = :v"
        if up_to is not None:
            names["#s"] = found.sort
            values[":s"] = {"N": repr(round(up_to, 3))}
            condition += " AND #s <= :s"
        pages = self.dynamodb.get_paginator("query").paginate(
            TableName=table.name,
            IndexName=index,
            KeyConditionExpression=condition,
            ExpressionAttributeNames=names,
            ExpressionAttributeValues=values,
        )
        for page in pages:
            for item in page["Items"]:
                yield item[table.key]["S"]

    def scan(self, kind: str) -> Iterator[Any]:
        """Every record of a table, all pages."""
        table = self.tables[kind]
        for page in self.dynamodb.get_paginator("scan").paginate(TableName=table.name, ConsistentRead=True):
            for item in page["Items"]:
                if item[table.key]["S"] != FLEET_KEY and (not table.sort or item[table.sort]["S"] == _BODY):
                    yield from_item(_KINDS[kind], dict(item))

    def commit(self, reads: "Reads", decision: Decision, recorded: Recorded) -> None:
        """Writes a decision: all of it, or nothing.

        Raises:
            Conflict: If a record that it changes or was based on is no longer what was read.
        """
        now = recorded.now
        actions = [*self._puts(reads, decision, now), *self._checks(reads, decision), *self._log(decision, recorded)]
        if len(actions) > _TRANSACTION_LIMIT:
            raise ValueError(
                f"a decision on {recorded.observation} changes {len(actions)} records; DynamoDB's transactions take "
                f"{_TRANSACTION_LIMIT}. Lower max_changes in the recovery policy"
            )
        from botocore.exceptions import ClientError

        try:
            self.dynamodb.transact_write_items(TransactItems=actions)
        except ClientError as error:
            code = error.response["Error"]["Code"]
            if code in ("TransactionCanceledException", "TransactionConflictException"):
                raise Conflict(str(error)) from error
            raise

    def claim(self, key: str, now: float) -> Intent | None:
        """Takes an intent for carrying out; None if another has it, or if it may not be repeated."""
        from botocore.exceptions import ClientError

        intent, revision = self.get("intent", key)
        if intent is None or not claimable(intent, now, at_most_once=intent.kind in AT_MOST_ONCE):
            return None
        lease = now + self.settings.lease_seconds
        claimed: Intent = replace(intent, status=IntentStatus.CLAIMED, lease_until=lease)
        try:
            self.dynamodb.put_item(**self._put("intent", key, claimed, revision, now))
        except ClientError as error:
            if error.response["Error"]["Code"] == "ConditionalCheckFailedException":
                return None
            raise
        return claimed

    def open_intents(self) -> Iterator[str]:
        """Ids of intents that are not settled, oldest first."""
        return self.query("intent", "open", "yes")

    def decisions(self, incident: str) -> list[Recorded]:
        """The decisions that an incident is made of, oldest first."""
        table = self.tables["incident"]
        pages = self.dynamodb.get_paginator("query").paginate(
            TableName=table.name,
            KeyConditionExpression="incident_id = :i AND begins_with(entry, :d)",
            ExpressionAttributeValues={":i": {"S": incident}, ":d": {"S": "decision#"}},
            ConsistentRead=True,
        )
        raw = [json.loads(item["body"]["S"]) for page in pages for item in page["Items"]]
        return [Recorded(**{**item, "reasons": tuple(item["reasons"])}) for item in raw]

    def _put(self, kind: str, key: str, record: Record, revision: int, now: float) -> dict[str, Any]:
        table = self.tables[kind]
        item = {
            table.key: {"S": key},
            "body": to_body(record),
            "revision": {"N": str(revision + 1)},
            **attributes(record, self.settings.policy, now),
        }
        if table.sort:
            item[table.sort] = {"S": _BODY}
        return {"TableName": table.name, "Item": item, **_unchanged(table, revision)}

    def _puts(self, reads: "Reads", decision: Decision, now: float) -> Iterator[dict[str, Any]]:
        changes = decision.changes
        groups: tuple[tuple[str, dict[str, Any]], ...] = (
            ("node", changes.nodes),
            ("job", changes.jobs),
            ("task", changes.tasks),
            ("intent", changes.intents),
            ("incident", changes.incidents),
        )
        for kind, records in groups:
            for key, record in records.items():
                yield {"Put": self._put(kind, key, record, reads.revision(kind, key), now)}
        if changes.fleet is not None:
            yield {"Put": self._put("node", FLEET_KEY, changes.fleet, reads.revision("node", FLEET_KEY), now)}

    def _checks(self, reads: "Reads", decision: Decision) -> Iterator[dict[str, Any]]:
        """What was only read must not have changed either, if anything is asked for.

        Of the many nodes that a large gang's placement looks at, only some fit the transaction; for the others ECS
        itself refuses a task on a node that was fenced meanwhile.
        """
        if not decision.intents:
            return
        changes = decision.changes
        written = {
            *(("node", key) for key in changes.nodes),
            *(("job", key) for key in changes.jobs),
            *(("intent", key) for key in changes.intents),
            *((("node", FLEET_KEY),) if changes.fleet is not None else ()),
        }
        room = _TRANSACTION_LIMIT // 2
        for (kind, key), revision in reads.revisions():
            if kind in ("node", "job", "intent") and (kind, key) not in written and room > 0:
                room -= 1
                table = self.tables[kind]
                check = {"TableName": table.name, "Key": {table.key: {"S": key}}, **_unchanged(table, revision)}
                yield {"ConditionCheck": check}

    def _log(self, decision: Decision, recorded: Recorded) -> Iterator[dict[str, Any]]:
        """The decision with its inputs, under each incident that it touches."""
        for at, key in enumerate(decision.changes.incidents):
            item = {
                "incident_id": {"S": key},
                "entry": {"S": f"decision#{recorded.now:.6f}#{recorded.observation}#{at}#{random.getrandbits(32):08x}"},
                "body": {"S": json.dumps(encode(recorded), separators=(",", ":"))},
                "expires": {"N": str(int(recorded.now + DECISIONS_KEPT))},
            }
            yield {"Put": {"TableName": self.tables["incident"].name, "Item": item}}
            return


class Reads:
    """A view that reads each record once, strongly consistent, and remembers its revision."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._seen: dict[tuple[str, str], tuple[Any, int]] = {}

    @property
    def fleet(self) -> Fleet:
        """Budgets and the brake; a fleet that was never written is empty."""
        found = self._get("node", FLEET_KEY)
        return found if found is not None else Fleet()

    def node(self, key: str) -> Node | None:
        """A node by its EC2 instance id."""
        return self._get("node", key) if key else None

    def job(self, key: str) -> Job | None:
        """A job by its id."""
        return self._get("job", key) if key else None

    def task(self, key: str) -> Task | None:
        """A task by its ARN."""
        return self._get("task", key) if key else None

    def intent(self, key: str) -> Intent | None:
        """An intent by its id."""
        return self._get("intent", key) if key else None

    def incident(self, key: str) -> Incident | None:
        """An incident by its id."""
        return self._get("incident", key) if key else None

    def live_tasks_on(self, node: str) -> Iterable[str]:
        """Ids of live tasks on a node. The index lags a moment: effects read ECS again before they harm."""
        return list(self._store.query("task", "live-on", node))

    def nodes_in_service(self) -> Iterable[str]:
        """Ids of nodes in service."""
        return self._store.query("node", "by-phase", NodePhase.IN_SERVICE)

    def waiting_jobs(self) -> Iterable[str]:
        """Ids of jobs that wait for nodes."""
        return list(self._store.query("job", "by-phase", JobPhase.WAITING))

    def starting_jobs(self) -> Iterable[str]:
        """Ids of jobs that are being started."""
        return list(self._store.query("job", "by-phase", JobPhase.STARTING))

    def due(self, now: float) -> Iterable[tuple[str, str]]:
        """All whose time has come."""
        nodes = [("node", key) for key in self._store.query("node", "due", "yes", up_to=now)]
        return nodes + [("job", key) for key in self._store.query("job", "due", "yes", up_to=now)]

    def revision(self, kind: str, key: str) -> int:
        """The revision at which a record was read; reads it if it was not: 0 if there is none."""
        self._get(kind, key)
        return self._seen[kind, key][1]

    def revisions(self) -> Iterator[tuple[tuple[str, str], int]]:
        """Everything that was read, with its revision."""
        return ((key, revision) for key, (_, revision) in self._seen.items())

    def _get(self, kind: str, key: str) -> Any:
        if (kind, key) not in self._seen:
            self._seen[kind, key] = self._store.get(kind, key)
        return self._seen[kind, key][0]


def _unchanged(table: Table, revision: int) -> dict[str, Any]:
    """The condition that a record is still at the revision at which it was read."""
    if revision == 0:
        return {"ConditionExpression": f"attribute_not_exists({table.key})"}
    return {
        "ConditionExpression": "#r = :r",
        "ExpressionAttributeNames": {"#r": "revision"},
        "ExpressionAttributeValues": {":r": {"N": str(revision)}},
    }


def pause_before_retry(tries: int) -> None:
    """Waits a moment after a conflict, longer each time, with jitter."""
    time.sleep(random.random() * min(2.0, 0.02 * 2**tries))
