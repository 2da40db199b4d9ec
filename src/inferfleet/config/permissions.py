"""From a configuration to the IAM permissions that its worker or server needs: these and no others.

The one place that knows which calls a source, a sink, a model or a lease makes; `inferfleet policy`, the rendered
roles and the stacks all read it, and a test runs the sinks under this very policy. Pure: nothing is asked of AWS.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace
from typing import Any
from urllib.parse import urlsplit

from inferfleet.config.cameras import CamerasFile
from inferfleet.config.model import ModelConfig
from inferfleet.config.serve import ServeFile
from inferfleet.config.sink_aws import DynamoDbSink, EventBridgeSink, KinesisSink, S3Sink, SnsSink
from inferfleet.config.sources import KvsSource
from inferfleet.config.workers import Leases

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

    @classmethod
    def of(cls, region: str = ANY, account: str = ANY) -> Place:
        """Returns the place with the partition that the region belongs to."""
        prefixes = {"cn-": "aws-cn", "us-gov-": "aws-us-gov"}
        partition = next((name for prefix, name in prefixes.items() if region.startswith(prefix)), "aws")
        return cls(region, account, partition)

    def arn(self, service: str, resource: str, region: str | None = None) -> str:
        """Returns the ARN of a resource in this place, or in another region of it."""
        return f"arn:{self.partition}:{service}:{region or self.region}:{self.account}:{resource}"

    def s3_arn(self, path: str) -> str:
        """Returns the ARN of a bucket, or of objects: `bucket/key*`."""
        return f"arn:{self.partition}:s3:::{path}"


@dataclass(frozen=True, slots=True)
class Statement:
    """A statement of a policy.

    Attributes:
        sid: Its name: what it is for, in letters and digits.
        actions: What it allows.
        resources: On what: ARNs, with `*` where something is not known.
        why: Why it is needed.
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


def of_cameras(config: CamerasFile, place: Place) -> list[Statement]:
    """Returns what the cameras, models, sinks and leases of a `cameras.yaml` need; nothing for a camera that is off."""
    parts = [
        *(camera.source for camera in config.cameras if camera.enabled),
        *(sink.settings for sink in config.sinks),
        *config.models.values(),
        *([config.workers.leases] if config.workers.leases is not None else []),
    ]
    return merged(statement for part in parts for statement in of_part(part, place))


def of_serve(config: ServeFile, place: Place) -> list[Statement]:
    """Returns what the models of a `serve.yaml` need."""
    return merged(statement for model in config.models.values() for statement in of_part(model, place))


def of_part(part: object, place: Place) -> Iterator[Statement]:
    """Yields what a source, a sink's settings, a model or a lease needs; nothing for what is on this machine."""
    for kind, derive in _DERIVATIONS.items():
        if isinstance(part, kind):
            yield from derive(part, place)


def merged(statements: Iterable[Statement]) -> list[Statement]:
    """Joins statements that allow the same for the same purpose: one of them, with all the resources.

    Several of a purpose that allow different things get numbers: `StoreEvents`, `StoreEvents2`.
    """
    joined: dict[tuple[str, tuple[str, ...]], Statement] = {}
    for statement in statements:
        key = (statement.sid, statement.actions)
        before = joined.get(key, replace(statement, resources=()))
        resources = tuple(sorted({*before.resources, *statement.resources}))
        why = before.why if statement.why in before.why else f"{before.why}; {statement.why}"
        joined[key] = replace(statement, resources=resources, why=why)
    counts: dict[str, int] = {}
    numbered = []
    for statement in joined.values():
        number = counts[statement.sid] = counts.get(statement.sid, 0) + 1
        numbered.append(statement if number == 1 else replace(statement, sid=f"{statement.sid}{number}"))
    return numbered


def document(statements: Iterable[Statement]) -> dict[str, Any]:
    """Returns the statements as a policy; it may hold none."""
    return {"Version": "2012-10-17", "Statement": [statement.as_json() for statement in statements]}


def _kvs(source: KvsSource, place: Place) -> Iterator[Statement]:
    # The last part of a stream's ARN is the moment of its creation.
    stream = place.arn("kinesisvideo", f"stream/{source.stream}/*", source.region)
    read = "kinesisvideo:GetMedia" if source.via == "media" else "kinesisvideo:GetHLSStreamingSessionURL"
    sid = "ReadVideo" if source.via == "media" else "ReadVideoByHls"
    yield Statement(sid, ("kinesisvideo:GetDataEndpoint", read), (stream,), "cameras read these streams")


def _model(model: ModelConfig, place: Place) -> Iterator[Statement]:
    address = urlsplit(model.path)
    if address.scheme == "s3":
        file = place.s3_arn(f"{address.netloc}{address.path}")
        yield Statement("ReadModels", ("s3:GetObject",), (file,), "models are loaded from there")


def _kinesis(sink: KinesisSink, place: Place) -> Iterator[Statement]:
    stream = _arn(sink.stream, place.arn("kinesis", f"stream/{sink.stream}", sink.region))
    actions = ("kinesis:DescribeStreamSummary", "kinesis:PutRecords")
    yield Statement("PublishEvents", actions, (stream,), "the kinesis sink puts events there")


def _s3(sink: S3Sink, place: Place) -> Iterator[Statement]:
    pictures = place.s3_arn(f"{sink.bucket}/{sink.prefix}*")
    yield Statement("StorePictures", ("s3:PutObject",), (pictures,), "the s3 sink puts pictures there")
    if sink.kms_key is not None:
        key = _arn(sink.kms_key, place.arn("kms", f"key/{sink.kms_key}", sink.region))
        yield Statement("EncryptPictures", ("kms:GenerateDataKey",), (key,), "pictures are encrypted with this key")


def _dynamodb(sink: DynamoDbSink, place: Place) -> Iterator[Statement]:
    wanted = {
        "CreateTable": sink.create,
        "DescribeTable": True,
        "DescribeTimeToLive": sink.ttl_days is not None,
        "PutItem": True,
        "UpdateTimeToLive": sink.create and sink.ttl_days is not None,
    }
    actions = tuple(f"dynamodb:{action}" for action, is_wanted in wanted.items() if is_wanted)
    table = place.arn("dynamodb", f"table/{sink.table}", sink.region)
    yield Statement("StoreEvents", actions, (table,), "the dynamodb sink puts each event there once")


def _eventbridge(sink: EventBridgeSink, place: Place) -> Iterator[Statement]:
    bus = _arn(sink.bus, place.arn("events", f"event-bus/{sink.bus}", sink.region))
    actions = ("events:DescribeEventBus", "events:PutEvents")
    yield Statement("SendEvents", actions, (bus,), "the eventbridge sink sends events there")


def _sns(sink: SnsSink, place: Place) -> Iterator[Statement]:
    del place
    actions = ("sns:GetTopicAttributes", "sns:Publish")
    yield Statement("NotifyPeople", actions, (sink.topic,), "the sns sink publishes there")


def _leases(leases: Leases, place: Place) -> Iterator[Statement]:
    names = ["DeleteItem", "DescribeTable", "PutItem", "Scan", "UpdateItem"]
    names[:0] = ["CreateTable"] if leases.create else []
    actions = tuple(f"dynamodb:{name}" for name in names)
    table = place.arn("dynamodb", f"table/{leases.table}", leases.region)
    yield Statement("ShareCameras", actions, (table,), "workers take leases on cameras there")


_DERIVATIONS: dict[type, Callable[[Any, Place], Iterator[Statement]]] = {
    KvsSource: _kvs,
    ModelConfig: _model,
    KinesisSink: _kinesis,
    S3Sink: _s3,
    DynamoDbSink: _dynamodb,
    EventBridgeSink: _eventbridge,
    SnsSink: _sns,
    Leases: _leases,
}
"""What each kind of part needs; the rest needs nothing of AWS."""


def _arn(given: str, otherwise: str) -> str:
    return given if given.startswith("arn:") else otherwise
