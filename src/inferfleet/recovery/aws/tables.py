"""The DynamoDB tables: keys, indexes and how records become items.

An item holds its record as JSON in `body` (exact floats, one codec), a `revision` for optimistic locking, and a few
attributes that indexes need. Indexes are sparse: a task is in `live-on` only while it lives, an intent in `open` only
until it is settled.
"""

import json
from dataclasses import dataclass
from typing import Any, TypeVar

from inferfleet.recovery.aws.settings import Settings
from inferfleet.recovery.core.codec import decode, encode
from inferfleet.recovery.core.model import Fleet, Incident, Intent, Job, Node, Task
from inferfleet.recovery.core.policy import DAY, Policy
from inferfleet.recovery.core.state import job_due_at, node_due_at
from inferfleet.recovery.core.terms import SETTLED

FLEET_KEY = "#fleet"
"""The fleet's record lies in the node table, under a key that no instance can have."""
TASKS_KEPT = 7 * DAY
INTENTS_KEPT = 30 * DAY
DECISIONS_KEPT = 90 * DAY

T = TypeVar("T")
Record = Node | Job | Task | Intent | Incident | Fleet


@dataclass(frozen=True, slots=True)
class Index:
    """A global secondary index: name, partition key, sort key with its DynamoDB type."""

    name: str
    key: str
    sort: str
    sort_type: str


@dataclass(frozen=True, slots=True)
class Table:
    """A table: its key, an optional sort key, and its indexes."""

    name: str
    key: str
    sort: str = ""
    indexes: tuple[Index, ...] = ()


def tables(settings: Settings) -> dict[str, Table]:
    """The tables by kind of record."""
    due = Index("due", "watched", "due_at", "N")
    return {
        "task": Table(settings.task_table, "task_id", indexes=(Index("live-on", "live_on", "task_id", "S"),)),
        "job": Table(settings.job_table, "job_id", indexes=(Index("by-phase", "phase", "job_id", "S"), due)),
        "node": Table(settings.node_table, "node_id", indexes=(Index("by-phase", "phase", "node_id", "S"), due)),
        "incident": Table(settings.incident_table, "incident_id", "entry"),
        "intent": Table(settings.intent_table, "intent_id", indexes=(Index("open", "open", "at", "N"),)),
    }


def definitions(settings: Settings) -> list[dict[str, Any]]:
    """What CreateTable takes for each table, pay per request."""
    made = []
    for table in tables(settings).values():
        kinds = {table.key: "S", **({table.sort: "S"} if table.sort else {})}
        for index in table.indexes:
            kinds |= {index.key: "S", index.sort: index.sort_type}
        definition: dict[str, Any] = {
            "TableName": table.name,
            "BillingMode": "PAY_PER_REQUEST",
            "KeySchema": _keys(table.key, table.sort),
            "AttributeDefinitions": [{"AttributeName": name, "AttributeType": kind} for name, kind in kinds.items()],
        }
        if table.indexes:
            definition["GlobalSecondaryIndexes"] = [
                {
                    "IndexName": index.name,
                    "KeySchema": _keys(index.key, index.sort),
                    "Projection": {"ProjectionType": "KEYS_ONLY"},
                }
                for index in table.indexes
            ]
        made.append(definition)
    return made


def _keys(key: str, sort: str) -> list[dict[str, str]]:
    schema = [{"AttributeName": key, "KeyType": "HASH"}]
    return schema + ([{"AttributeName": sort, "KeyType": "RANGE"}] if sort else [])


def attributes(record: Record, policy: Policy, now: float) -> dict[str, Any]:
    """What indexes and people see of a record, as DynamoDB values."""
    if isinstance(record, Node):
        return {"phase": {"S": record.phase}, **_due(node_due_at(record, policy))}
    if isinstance(record, Job):
        return {"phase": {"S": record.phase}, **_due(job_due_at(record))}
    if isinstance(record, Task):
        status = {"status": {"S": record.status.name}}
        return {
            **status,
            **({"live_on": {"S": record.node}} if record.live else {"expires": _number(now + TASKS_KEPT)}),
        }
    if isinstance(record, Intent):
        return {"status": {"S": record.status}, **_open(record, now)}
    return {}


def _open(intent: Intent, now: float) -> dict[str, Any]:
    if intent.status in SETTLED:
        return {"expires": _number(now + INTENTS_KEPT)}
    return {"open": {"S": "yes"}, "at": _number(intent.at)}


def to_body(record: Record) -> dict[str, str]:
    """The record itself, as a DynamoDB value."""
    return {"S": json.dumps(encode(record), separators=(",", ":"))}


def from_item(kind: type[T], item: dict[str, Any]) -> T:
    """Reads a record from its item.

    Raises:
        ValueError: If the item cannot be read: a malformed record is never taken for an empty one.
    """
    return decode(kind, json.loads(item["body"]["S"]))


def _due(at: float | None) -> dict[str, Any]:
    return {} if at is None else {"watched": {"S": "yes"}, "due_at": _number(at)}


def _number(value: float) -> dict[str, str]:
    return {"N": repr(round(value, 3))}
