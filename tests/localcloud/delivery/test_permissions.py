"""The sinks under the very policy that is printed for them, at an emulator that checks signatures and policies."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from inferfleet.config import permissions
from inferfleet.config.cameras import CamerasFile
from inferfleet.streams.delivery import Attachment
from inferfleet.streams.delivery.sinks import kinesis
from inferfleet.streams.delivery.sinks.base import SinkError
from tests.localcloud.delivery.cloud import REGION, MiniStack, client, unique
from tests.localcloud.delivery.support import deliver, sink
from tests.unit.streams.delivery.support import make_item

ACCOUNT = "000000000000"


def make_targets(url: str) -> list[dict[str, Any]]:
    """Makes one target of each kind, as somebody who may do everything; returns the sinks' configurations."""
    name = unique("permitted")
    client("kinesis", url).create_stream(StreamName=name, ShardCount=1)
    client("kinesis", url).get_waiter("stream_exists").wait(StreamName=name, WaiterConfig={"Delay": 1})
    client("s3", url).create_bucket(Bucket=name, CreateBucketConfiguration={"LocationConstraint": REGION})
    client("events", url).create_event_bus(Name=name)
    topic = client("sns", url).create_topic(Name=name)["TopicArn"]
    return [
        {"kinesis": {"stream": name}},
        {"s3": {"bucket": name}},
        {"dynamodb": {"table": name, "create": True}},
        {"eventbridge": {"bus": name}},
        {"sns": {"topic": topic}},
    ]


@pytest.fixture(scope="module")
def targets(strict_ministack: MiniStack) -> list[dict[str, Any]]:
    return make_targets(strict_ministack.url)


QUIRKS = {"events:DescribeEventBus": "events:DescribeEventBus", "sns:Publish": "sns:PublishBatch"}
"""What MiniStack wants where AWS wants the former, on any resource: it looks for the bus under another name, and
takes PublishBatch for an action of its own, which AWS's service authorization reference does not have."""


def as_the_emulator_reads_it(policy: dict[str, Any]) -> dict[str, Any]:
    allowed = {action for statement in policy["Statement"] for action in statement["Action"]}
    extra = [quirk for action, quirk in QUIRKS.items() if action in allowed]
    statements = [{"Effect": "Allow", "Action": extra, "Resource": "*"}] if extra else []
    return {**policy, "Statement": [*policy["Statement"], *statements]}


def become(monkeypatch: pytest.MonkeyPatch, cloud: MiniStack, policy: dict[str, Any]) -> None:
    """Makes this process act as a user with this policy and no other."""
    iam = client("iam", cloud.url)
    name = unique("worker")
    iam.create_user(UserName=name)
    iam.put_user_policy(
        UserName=name, PolicyName="inferfleet", PolicyDocument=json.dumps(as_the_emulator_reads_it(policy))
    )
    key = iam.create_access_key(UserName=name)["AccessKey"]
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", key["AccessKeyId"])
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", key["SecretAccessKey"])


def printed(sinks: list[dict[str, Any]]) -> dict[str, Any]:
    config = CamerasFile.model_validate({"sinks": sinks})
    return permissions.document(permissions.of_cameras(config, permissions.Place(REGION, ACCOUNT)))


def without(policy: dict[str, Any], action: str) -> dict[str, Any]:
    statements = [
        {**statement, "Action": kept}
        for statement in policy["Statement"]
        if (kept := [allowed for allowed in statement["Action"] if allowed != action])
    ]
    nothing = {"Effect": "Allow", "Action": ["sts:GetCallerIdentity"], "Resource": "*"}
    return {**policy, "Statement": [*statements, nothing]}


def test_what_is_printed_is_enough(
    tmp_path: Path, strict_ministack: MiniStack, targets: list[dict[str, Any]], monkeypatch: pytest.MonkeyPatch
) -> None:
    become(monkeypatch, strict_ministack, printed(targets))
    item = make_item("gate", 1, (Attachment("snapshots/gate/1.jpg", "image/jpeg", b"x", "s3"),))
    for number, target in enumerate(targets):
        ((kind, settings),) = target.items()
        deliver(tmp_path / str(number), sink(kind, strict_ministack.url, **settings), [item])


@pytest.mark.parametrize(
    ("kind", "action"),
    [
        ("kinesis", "kinesis:DescribeStreamSummary"),
        ("kinesis", "kinesis:PutRecords"),
        ("s3", "s3:PutObject"),
        ("dynamodb", "dynamodb:DescribeTable"),
        ("dynamodb", "dynamodb:DescribeTimeToLive"),
        ("dynamodb", "dynamodb:PutItem"),
        ("eventbridge", "events:DescribeEventBus"),
        ("eventbridge", "events:PutEvents"),
        ("sns", "sns:GetTopicAttributes"),
        ("sns", "sns:Publish"),
    ],
)
def test_each_missing_permission_is_named_at_the_start(
    strict_ministack: MiniStack,
    targets: list[dict[str, Any]],
    monkeypatch: pytest.MonkeyPatch,
    kind: str,
    action: str,
) -> None:
    monkeypatch.setattr(kinesis, "is_real", lambda _: True)
    (target,) = (target for target in targets if kind in target)
    if kind == "dynamodb":
        maker = sink(kind, strict_ministack.url, **target[kind])
        maker.open()
        maker.close()
    become(monkeypatch, strict_ministack, without(printed([target]), action))
    refused = sink(kind, strict_ministack.url, **target[kind])
    with pytest.raises(SinkError, match=f"missing permission: {action}"):
        refused.open()
    refused.close()
