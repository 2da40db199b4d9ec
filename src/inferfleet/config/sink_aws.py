"""What can be said about each kind of sink that is a service of AWS.

Credentials are never here: they come from where every AWS tool takes them (environment, profile, task role).
"""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, PositiveFloat, field_validator, model_validator

from inferfleet.config.sink_settings import PictureSettings, SinkSettings

_PARTITION = r"arn:aws[a-z-]*"
_METADATA_KEY = r"^[a-z0-9][a-z0-9-]*$"


class AwsSettings(SinkSettings):
    """What every sink on AWS has."""

    region: Annotated[str, Field(pattern=r"^[a-z]{2}(-[a-z]+)+-\d$")] | None = None
    """The region; the one of the environment (`AWS_REGION`) or profile when left out."""
    endpoint_url: Annotated[str, Field(pattern=r"^https?://")] | None = None
    """Another address of the service, for an emulator or a VPC endpoint."""


class KinesisSink(AwsSettings):
    """Events as records of a Kinesis data stream; the camera is the partition key."""

    type: Literal["kinesis"] = "kinesis"
    stream: Annotated[
        str, Field(pattern=rf"^([A-Za-z0-9_.-]{{1,128}}|{_PARTITION}:kinesis:[^:]+:\d{{12}}:stream/[A-Za-z0-9_.-]+)$")
    ]
    """Its name or ARN."""
    ordered: bool = True
    """Keep each camera's events in order even when the stream refuses some of a request: a request then holds one
    event a camera. `false` fills requests with up to 500 events, for large backlogs of few cameras."""


class S3Sink(AwsSettings, PictureSettings):
    """Annotated pictures of events, and crops of their objects, as objects in a bucket."""

    type: Literal["s3"] = "s3"
    bucket: Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]$")]
    """The bucket."""
    template: str = "snapshots/date={date}/camera={camera}/{time}-{id}-{kind}.{ext}"
    """Key of a picture; the same placeholders as for `snapshots`."""
    encryption: Literal["s3", "kms", "bucket"] = "s3"
    """`s3`: with keys that S3 manages; `kms`: with `kms_key`; `bucket`: as the bucket does by default."""
    kms_key: str | None = None
    """ARN or id of the key for `encryption: kms`; AWS's own key for S3 when left out."""
    metadata: dict[Annotated[str, Field(pattern=_METADATA_KEY)], str] = {}
    """Further metadata of each object, besides the event's id, type, time and camera."""

    @property
    def prefix(self) -> str:
        """The folders with which every key begins: `snapshots/` of `snapshots/{camera}/…`."""
        before = self.template.partition("{")[0]
        return before[: before.rfind("/") + 1]

    @model_validator(mode="after")
    def _key_is_used(self) -> S3Sink:
        if self.kms_key is not None and self.encryption != "kms":
            raise ValueError("`kms_key` needs `encryption: kms`")
        if self.kms_key is not None and "alias/" in self.kms_key:
            raise ValueError("`kms_key` must be the key's ARN or id: an alias cannot be named in a policy")
        return self


class DynamoDbSink(AwsSettings):
    """Events as items of a DynamoDB table, once each."""

    type: Literal["dynamodb"] = "dynamodb"
    table: Annotated[str, Field(pattern=r"^[A-Za-z0-9_.-]{3,255}$")]
    """The table. Its key is `id` (a string, partition key, no sort key)."""
    index: Annotated[str, Field(pattern=r"^[A-Za-z0-9_.-]{3,255}$")] = "camera-time"
    """The global secondary index by which events are found: `camera` (partition key) and `time` (sort key)."""
    ttl_days: PositiveFloat | None = 90.0
    """Days after which DynamoDB deletes an event, by the attribute `expires`; never when null."""
    create: bool = False
    """Create the table, with its index, on demand, when it is missing."""


class EventBridgeSink(AwsSettings):
    """Events on an EventBridge bus."""

    type: Literal["eventbridge"] = "eventbridge"
    bus: Annotated[
        str, Field(pattern=rf"^([A-Za-z0-9_./-]{{1,256}}|{_PARTITION}:events:[^:]+:\d{{12}}:event-bus/.+)$")
    ] = "default"
    """Its name or ARN."""
    source: str = "inferfleet"
    """The `source` by which rules find the events; `detail-type` is the event's type."""

    @field_validator("source")
    @classmethod
    def _own(cls, value: str) -> str:
        if value.startswith("aws."):
            raise ValueError("sources that begin with `aws.` belong to AWS's own services")
        return value


class SnsSink(AwsSettings):
    """Events as messages of an SNS topic; a FIFO topic keeps each camera's order and drops repeats."""

    type: Literal["sns"] = "sns"
    topic: Annotated[str, Field(pattern=rf"^{_PARTITION}:sns:[^:]+:\d{{12}}:[A-Za-z0-9_-]{{1,256}}(\.fifo)?$")]
    """The topic's ARN."""


AnySink = KinesisSink | S3Sink | DynamoDbSink | EventBridgeSink | SnsSink
"""Any of them."""
