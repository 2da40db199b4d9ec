"""The least that a service's roles must allow, derived from what the service does, statement by statement.

The derivation is a table: what a source or a sink of cameras.yaml needs. A new kind of sink is one more line.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from inferfleet.config import base, fleet_env, source
from inferfleet.config.cameras import CamerasFile
from inferfleet.config.sink_aws import DynamoDbSink, EventBridgeSink, KinesisSink, S3Sink, SnsSink
from inferfleet.config.sources import KvsSource
from inferfleet.deploy.resolve import ResolvedFleet, ResolvedService


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


Derivation = Callable[[Any, _Place], Iterator[Statement]]


def _kvs(source: KvsSource, place: _Place) -> Iterator[Statement]:
    # The last part of a stream's ARN is the moment of its creation.
    stream = place.arn("kinesisvideo", f"stream/{source.stream}/*", source.region)
    read = "kinesisvideo:GetMedia" if source.via == "media" else "kinesisvideo:GetHLSStreamingSessionURL"
    yield Statement("ReadVideo", ("kinesisvideo:GetDataEndpoint", read), (stream,), "cameras read these streams")


def _kinesis(sink: KinesisSink, place: _Place) -> Iterator[Statement]:
    stream = _arn(sink.stream, place.arn("kinesis", f"stream/{sink.stream}", sink.region))
    actions = ("kinesis:DescribeStreamSummary", "kinesis:PutRecords")
    yield Statement("PublishEvents", actions, (stream,), "the kinesis sink puts events there")


def _s3(sink: S3Sink, place: _Place) -> Iterator[Statement]:
    fixed = sink.template.partition("{")[0]
    objects = f"arn:aws:s3:::{sink.bucket}/{fixed[: fixed.rfind('/') + 1]}*"
    yield Statement("StorePictures", ("s3:PutObject",), (objects,), "the s3 sink puts pictures there")
    if sink.kms_key is not None:
        key = _arn(sink.kms_key, place.arn("kms", f"key/{sink.kms_key}", sink.region))
        yield Statement("EncryptPictures", ("kms:GenerateDataKey",), (key,), "pictures are encrypted with this key")


def _dynamodb(sink: DynamoDbSink, place: _Place) -> Iterator[Statement]:
    actions = ["dynamodb:DescribeTable", "dynamodb:PutItem"]
    actions += ["dynamodb:DescribeTimeToLive"] if sink.ttl_days is not None else []
    actions += ["dynamodb:CreateTable"] if sink.create else []
    actions += ["dynamodb:UpdateTimeToLive"] if sink.create and sink.ttl_days is not None else []
    table = place.arn("dynamodb", f"table/{sink.table}", sink.region)
    yield Statement("StoreEvents", tuple(actions), (table,), "the dynamodb sink puts each event there once")


def _eventbridge(sink: EventBridgeSink, place: _Place) -> Iterator[Statement]:
    bus = _arn(sink.bus, place.arn("events", f"event-bus/{sink.bus}", sink.region))
    actions = ("events:DescribeEventBus", "events:PutEvents")
    yield Statement("SendEvents", actions, (bus,), "the eventbridge sink sends events there")


def _sns(sink: SnsSink, place: _Place) -> Iterator[Statement]:
    del place
    actions = ("sns:GetTopicAttributes", "sns:Publish")
    yield Statement("NotifyPeople", actions, (sink.topic,), "the sns sink publishes there")


DERIVATIONS: dict[type, Derivation] = {
    KvsSource: _kvs,
    KinesisSink: _kinesis,
    S3Sink: _s3,
    DynamoDbSink: _dynamodb,
    EventBridgeSink: _eventbridge,
    SnsSink: _sns,
}
"""What each kind of source and sink needs; the rest needs nothing of AWS."""

_EXEC_ACTIONS = (
    "ssmmessages:CreateControlChannel",
    "ssmmessages:CreateDataChannel",
    "ssmmessages:OpenControlChannel",
    "ssmmessages:OpenDataChannel",
)
_LEASE_ACTIONS = ("DeleteItem", "DescribeTable", "PutItem", "Scan", "UpdateItem")


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


def _of_cameras(path: Path, place: _Place) -> Iterator[Statement]:
    """Derives what the cameras, models, sinks and leases of a cameras.yaml need."""
    environment = {**fleet_env.beside(path), **os.environ}
    config = base.validate(source.load(path, environment), CamerasFile)
    sources = [camera.source for camera in config.cameras if camera.enabled]
    for settings in (*sources, *(sink.settings for sink in config.sinks)):
        derivation = DERIVATIONS.get(type(settings))
        if derivation is not None:
            yield from derivation(settings, place)
    for model in config.models.values():
        address = urlsplit(str(model.path))
        if address.scheme == "s3":
            arn = f"arn:aws:s3:::{address.netloc}{address.path}"
            yield Statement("ReadModels", ("s3:GetObject",), (arn,), "models are loaded from there")
    leases = config.workers.leases
    if leases is not None:
        actions = (*_LEASE_ACTIONS, "CreateTable") if leases.create else _LEASE_ACTIONS
        table = place.arn("dynamodb", f"table/{leases.table}", leases.region)
        named = tuple(f"dynamodb:{action}" for action in actions)
        yield Statement("ShareCameras", named, (table,), "workers take leases on cameras there")


def _arn(given: str, otherwise: str) -> str:
    return given if given.startswith("arn:") else otherwise


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
