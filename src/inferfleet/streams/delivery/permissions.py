"""From a configuration to the IAM permissions that the worker needs for it: these and no others.

Pure: nothing is asked of AWS. Each action stands beside the call that needs it in `sinks/`, in the reader of Kinesis
Video Streams, or in the store of models; a test runs the sinks under this very policy.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

from inferfleet.config.cameras import CamerasFile
from inferfleet.config.sink_aws import DynamoDbSink, EventBridgeSink, KinesisSink, S3Sink, SnsSink
from inferfleet.config.sinks import Settings
from inferfleet.config.sources import KvsSource
from inferfleet.streams.delivery.sinks.s3 import static_prefix

ANY = "*"


@dataclass(frozen=True, slots=True)
class Place:
    """Where the resources are, as far as it is known.

    Attributes:
        region: For resources whose configuration names none; `*` when unknown.
        account: The account's number; `*` when unknown.
        partition: `aws`, `aws-cn` or `aws-us-gov`.
    """

    region: str = ANY
    account: str = ANY
    partition: str = "aws"

    def arn(self, service: str, resource: str, region: str | None = None) -> str:
        """Returns the ARN of a resource in this place, or in another region of it."""
        return f"arn:{self.partition}:{service}:{region or self.region}:{self.account}:{resource}"


@dataclass(frozen=True, slots=True)
class Grant:
    """Actions on a resource.

    Attributes:
        purpose: What for, as the statement's id: letters and digits.
        actions: IAM actions.
        resource: An ARN, with `*` where something is not known.
    """

    purpose: str
    actions: tuple[str, ...]
    resource: str


def policy(config: CamerasFile, place: Place) -> dict[str, Any]:
    """Returns the least policy for a configuration's cameras, models, sinks and leases; it may hold no statement."""
    parts = (_sources, _models, _sinks, _leases)
    return document(grant for part in parts for grant in part(config, place))


def document(grants: Iterable[Grant]) -> dict[str, Any]:
    """Joins grants into an IAM policy: one statement for all resources on which the same is allowed."""
    joined: dict[tuple[str, tuple[str, ...]], list[str]] = {}
    for grant in grants:
        joined.setdefault((grant.purpose, tuple(sorted(grant.actions))), []).append(grant.resource)
    statements: list[dict[str, Any]] = []
    counts: dict[str, int] = {}
    for (purpose, actions), resources in joined.items():
        counts[purpose] = counts.get(purpose, 0) + 1
        sid = purpose if counts[purpose] == 1 else f"{purpose}{counts[purpose]}"
        resource = sorted(set(resources))
        statements.append({"Sid": sid, "Effect": "Allow", "Action": list(actions), "Resource": resource})
    return {"Version": "2012-10-17", "Statement": statements}


def sink_grants(settings: Settings, place: Place) -> list[Grant]:
    """Returns what a sink needs; nothing for those on this machine."""
    match settings:
        case KinesisSink():
            stream = settings.stream
            arn = stream if stream.startswith("arn:") else place.arn("kinesis", f"stream/{stream}", settings.region)
            return [Grant("PutRecords", ("kinesis:DescribeStreamSummary", "kinesis:PutRecords"), arn)]
        case S3Sink():
            return _bucket(settings, place)
        case DynamoDbSink():
            return [_table(settings, place)]
        case EventBridgeSink():
            bus = settings.bus
            arn = bus if bus.startswith("arn:") else place.arn("events", f"event-bus/{bus}", settings.region)
            return [Grant("PutEvents", ("events:DescribeEventBus", "events:PutEvents"), arn)]
        case SnsSink():
            return [Grant("Publish", ("sns:GetTopicAttributes", "sns:Publish"), settings.topic)]
        case _:
            return []


def _sinks(config: CamerasFile, place: Place) -> Iterator[Grant]:
    for sink in config.sinks:
        yield from sink_grants(sink.settings, place)


def _sources(config: CamerasFile, place: Place) -> Iterator[Grant]:
    for camera in config.cameras:
        source = camera.source
        if isinstance(source, KvsSource) and camera.enabled:
            # The last part of a stream's ARN is the moment of its creation.
            arn = place.arn("kinesisvideo", f"stream/{source.stream}/*", source.region)
            read = "kinesisvideo:GetMedia" if source.via == "media" else "kinesisvideo:GetHLSStreamingSessionURL"
            purpose = "ReadVideo" if source.via == "media" else "ReadVideoByHls"
            yield Grant(purpose, ("kinesisvideo:GetDataEndpoint", read), arn)


def _models(config: CamerasFile, place: Place) -> Iterator[Grant]:
    for model in config.models.values():
        address = urlsplit(str(model.path))
        if address.scheme == "s3":
            arn = f"arn:{place.partition}:s3:::{address.netloc}{address.path}"
            yield Grant("ReadModels", ("s3:GetObject",), arn)


def _leases(config: CamerasFile, place: Place) -> Iterator[Grant]:
    leases = config.workers.leases
    if leases is not None:
        items = ("DeleteItem", "DescribeTable", "PutItem", "Scan", "UpdateItem")
        actions = (*items, "CreateTable") if leases.create else items
        arn = place.arn("dynamodb", f"table/{leases.table}", leases.region)
        yield Grant("LeaseCameras", tuple(f"dynamodb:{action}" for action in actions), arn)


def _bucket(settings: S3Sink, place: Place) -> list[Grant]:
    arn = f"arn:{place.partition}:s3:::{settings.bucket}/{static_prefix(settings.template)}*"
    grants = [Grant("PutPictures", ("s3:PutObject",), arn)]
    if settings.kms_key is not None:
        grants.append(_key(settings.kms_key, settings.region, place))
    return grants


def _key(key: str, region: str | None, place: Place) -> Grant:
    arn = key if key.startswith("arn:") else place.arn("kms", f"key/{key}", region)
    return Grant("EncryptPictures", ("kms:GenerateDataKey",), arn)


def _table(settings: DynamoDbSink, place: Place) -> Grant:
    actions = ["dynamodb:DescribeTable", "dynamodb:PutItem"]
    if settings.ttl_days is not None:
        actions.append("dynamodb:DescribeTimeToLive")
    if settings.create:
        actions.append("dynamodb:CreateTable")
        if settings.ttl_days is not None:
            actions.append("dynamodb:UpdateTimeToLive")
    purpose = "PutAndCreateTable" if settings.create else "PutItems"
    return Grant(purpose, tuple(actions), place.arn("dynamodb", f"table/{settings.table}", settings.region))
