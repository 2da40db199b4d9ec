"""The least that a service's roles must allow, derived from what the service does, statement by statement.

The derivation is a table: what a source or a sink of cameras.yaml needs. A new kind of sink is one more line.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from inferfleet.config import source
from inferfleet.deploy.resolve import ResolvedFleet, ResolvedService
from inferfleet.errors import InputError


@dataclass(frozen=True, slots=True)
class Statement:
    """A statement of a policy.

    Attributes:
        sid: Its name.
        actions: What it allows.
        resources: On what.
        why: Why the service needs it.
    """

    sid: str
    actions: tuple[str, ...]
    resources: tuple[str, ...]
    why: str

    def as_json(self) -> dict[str, Any]:
        """The statement as IAM takes it."""
        return {
            "Sid": self.sid,
            "Effect": "Allow",
            "Action": list(self.actions),
            "Resource": self.resources[0] if len(self.resources) == 1 else list(self.resources),
        }


@dataclass(frozen=True, slots=True)
class _Place:
    region: str
    account: str

    def arn(self, service: str, resource: str, region: str | None = None) -> str:
        return f"arn:aws:{service}:{region or self.region}:{self.account}:{resource}"


Settings = Mapping[str, Any]
Derivation = Callable[[Settings, _Place], Statement]


def _kvs(settings: Settings, place: _Place) -> Statement:
    stream = place.arn("kinesisvideo", f"stream/{settings['stream']}/*", settings.get("region"))
    actions = ["kinesisvideo:DescribeStream", "kinesisvideo:GetDataEndpoint", "kinesisvideo:GetMedia"]
    if settings.get("via") == "hls":
        actions[-1] = "kinesisvideo:GetHLSStreamingSessionURL"
    actions += ["kinesisvideo:GetMediaForFragmentList", "kinesisvideo:ListFragments"]
    return Statement("ReadVideo", tuple(actions), (stream,), "cameras read these streams, and catch up after an outage")


def _kinesis(settings: Settings, place: _Place) -> Statement:
    stream = place.arn("kinesis", f"stream/{settings['stream']}", settings.get("region"))
    actions = ("kinesis:DescribeStreamSummary", "kinesis:PutRecord", "kinesis:PutRecords")
    return Statement("PublishEvents", actions, (stream,), "the kinesis sink puts events there")


def _s3(settings: Settings, place: _Place) -> Statement:
    del place
    prefix = str(settings.get("prefix", "")).strip("/")
    objects = f"arn:aws:s3:::{settings['bucket']}/{prefix + '/' if prefix else ''}*"
    return Statement("StorePictures", ("s3:PutObject",), (objects,), "the s3 sink puts pictures there")


def _dynamodb(settings: Settings, place: _Place) -> Statement:
    table = place.arn("dynamodb", f"table/{settings['table']}", settings.get("region"))
    actions = ("dynamodb:DescribeTable", "dynamodb:PutItem", "dynamodb:UpdateItem")
    return Statement("StoreEvents", actions, (table,), "the dynamodb sink puts each event there once")


def _eventbridge(settings: Settings, place: _Place) -> Statement:
    bus = place.arn("events", f"event-bus/{settings.get('bus', 'default')}")
    return Statement("SendEvents", ("events:PutEvents",), (bus,), "the eventbridge sink sends events there")


def _sns(settings: Settings, place: _Place) -> Statement:
    topic = str(settings["topic"])
    arn = topic if topic.startswith("arn:") else place.arn("sns", topic)
    return Statement("NotifyPeople", ("sns:Publish",), (arn,), "the sns sink publishes there")


SOURCES: dict[str, Derivation] = {"kvs": _kvs}
"""What each kind of camera source needs."""

SINKS: dict[str, Derivation] = {
    "kinesis": _kinesis,
    "s3": _s3,
    "dynamodb": _dynamodb,
    "eventbridge": _eventbridge,
    "sns": _sns,
}
"""What each kind of sink needs."""

_EXEC_ACTIONS = (
    "ssmmessages:CreateControlChannel",
    "ssmmessages:CreateDataChannel",
    "ssmmessages:OpenControlChannel",
    "ssmmessages:OpenDataChannel",
)
_LEASE_ACTIONS = ("dynamodb:DescribeTable", "dynamodb:GetItem", "dynamodb:PutItem", "dynamodb:UpdateItem",
                  "dynamodb:DeleteItem", "dynamodb:Scan")  # fmt: skip


def task_role(fleet: ResolvedFleet, service: ResolvedService, folder: Path | None) -> list[Statement]:
    """Derives what the application may call.

    Args:
        fleet: The fleet.
        service: The service.
        folder: Where `config` is; without it the configuration's own needs are left out.

    Raises:
        InputError: The service's configuration cannot be read.
    """
    place = _Place(fleet.region, fleet.account)
    found: list[Statement] = []
    if service.spec.config is not None and folder is not None and service.spec.kind == "streams":
        found += _of_cameras(folder / service.spec.config, place)
    if service.spec.exec:
        why = "ECS Exec opens its channels with the task role; they know no resources"
        found.append(Statement("OpenShell", _EXEC_ACTIONS, ("*",), why))
    for index, permission in enumerate(service.spec.permissions, start=1):
        why = "written in fleet.yaml"
        found.append(Statement(f"Application{index}", permission.actions, permission.resources, why))
    return _merged(found)


def execution_role(fleet: ResolvedFleet, service: ResolvedService) -> list[Statement]:
    """Derives what ECS itself needs before the container runs."""
    place = _Place(fleet.region, fleet.account)
    found: list[Statement] = []
    if ".dkr.ecr." in service.image:
        repository = service.image.split("/", 1)[1].split("@")[0].split(":")[0]
        why = "a login to ECR is for the whole registry, so it knows no resources"
        found.append(Statement("LogInToRegistry", ("ecr:GetAuthorizationToken",), ("*",), why))
        pull = ("ecr:BatchCheckLayerAvailability", "ecr:BatchGetImage", "ecr:GetDownloadUrlForLayer")
        arn = place.arn("ecr", f"repository/{repository}")
        found.append(Statement("PullImage", pull, (arn,), "the task's image is pulled from there"))
    group = place.arn("logs", f"log-group:{service.names.log_group}:*")
    why = "awslogs writes the container's output there; the group itself is made with a retention"
    found.append(Statement("WriteLogs", ("logs:CreateLogStream", "logs:PutLogEvents"), (group,), why))
    found += _secrets(service)
    return _merged(found)


def _secrets(service: ResolvedService) -> Iterator[Statement]:
    for name, arn in service.spec.secrets.items():
        if ":secretsmanager:" in arn:
            parts = arn.split(":")
            secret = ":".join(parts[:7])
            yield Statement(
                "ReadSecrets", ("secretsmanager:GetSecretValue",), (secret,), f"{name} is filled in from there"
            )
        elif ":ssm:" in arn:
            yield Statement("ReadParameters", ("ssm:GetParameters",), (arn,), f"{name} is filled in from there")


def _of_cameras(path: Path, place: _Place) -> list[Statement]:
    """Reads cameras.yaml as data: what it names counts, whichever version of the worker understands it."""
    data = source.load(path).data
    found: list[Statement] = []
    defaults = data.get("defaults") if isinstance(data.get("defaults"), dict) else {}
    for camera in data.get("cameras") or ():
        settings = {**defaults, **camera}.get("source") if isinstance(camera, dict) else None
        found += _derived(_long_form(settings), SOURCES, place, path)
    for sink in data.get("sinks") or ():
        found += _derived(sink, SINKS, place, path)
    leases = (data.get("workers") or {}).get("leases") if isinstance(data.get("workers"), dict) else None
    if isinstance(leases, dict) and leases.get("table"):
        table = place.arn("dynamodb", f"table/{leases['table']}")
        found.append(Statement("ShareCameras", _LEASE_ACTIONS, (table,), "workers take leases on cameras there"))
    return found


def _long_form(item: Any) -> Any:
    """Gives the short forms of a video stream, `kvs://name` and `{stream: name}`, their type."""
    if isinstance(item, str) and item.startswith("kvs://"):
        return {"type": "kvs", "stream": item.removeprefix("kvs://")}
    if isinstance(item, dict) and "stream" in item:
        return {"type": "kvs", **item}
    return item


def _derived(item: Any, table: Mapping[str, Derivation], place: _Place, path: Path) -> Iterator[Statement]:
    """Applies the table to `{kind: settings}` or `{type: kind, …}`."""
    if isinstance(item, str):
        item = {item: {}}
    if not isinstance(item, dict):
        return
    pairs = [(str(item["type"]), item)] if "type" in item else list(item.items())
    for kind, settings in pairs:
        if kind in table:
            try:
                yield table[kind](settings or {}, place)
            except (KeyError, TypeError) as error:
                raise InputError(f"{path}: {kind} needs {error} before its permissions can be derived") from error


def _merged(statements: list[Statement]) -> list[Statement]:
    """Joins statements of the same actions: one a purpose, with all its resources."""
    merged: dict[tuple[str, tuple[str, ...]], Statement] = {}
    for statement in statements:
        key = (statement.sid, statement.actions)
        before = merged.get(key)
        if before is None:
            merged[key] = statement
        else:
            resources = tuple(dict.fromkeys((*before.resources, *statement.resources)))
            why = before.why if before.why == statement.why else f"{before.why}; {statement.why}"
            merged[key] = Statement(statement.sid, statement.actions, resources, why)
    seen: dict[str, int] = {}
    result = []
    for statement in merged.values():
        seen[statement.sid] = seen.get(statement.sid, 0) + 1
        number = seen[statement.sid]
        name = statement.sid if number == 1 else f"{statement.sid}{number}"
        result.append(Statement(name, statement.actions, statement.resources, statement.why))
    return result


def policy(statements: list[Statement]) -> dict[str, Any]:
    """Returns a policy document."""
    return {"Version": "2012-10-17", "Statement": [statement.as_json() for statement in statements]}
