from __future__ import annotations

from typing import Any

import pytest
from pydantic import ValidationError

from inferfleet.config.cameras import CamerasFile
from inferfleet.config.sinks import sink_names


def names(*sinks: Any) -> tuple[str, ...]:
    return sink_names(CamerasFile.model_validate({"sinks": list(sinks)}).sinks)


def test_sinks_are_named_after_their_kind_and_counted() -> None:
    assert names("stdout", {"file": "a.jsonl"}, {"file": "b.jsonl"}, {"snapshots": "p"}) == (
        "stdout",
        "file",
        "file-2",
        "snapshots",
    )


def test_a_name_of_its_own_is_kept() -> None:
    assert names({"file": {"path": "a", "name": "audit"}}, {"file": "b"}) == ("audit", "file")


@pytest.mark.parametrize(
    ("sinks", "message"),
    [
        ([{"file": {"path": "a", "name": "x"}}, {"file": {"path": "b", "name": "x"}}], "two sinks have the name 'x'"),
        ([{"file": {"path": "a", "name": "file-2"}}, {"file": "b"}, {"file": "c"}], "two sinks have the name 'file-2'"),
        ([{"file": "a"}, {"file": "a"}], "two file sinks write to a"),
        (["stdout", "stdout"], "two sinks|one standard output"),
        ([{"file": "a", "stdout": None}], "exactly one of"),
        ([{"snapshots": {"folder": "p", "template": "{id}.{ext}"}}], "must hold {id} and {kind}"),
        ([{"snapshots": {"folder": "p", "template": "{id}-{kind}-{nope}"}}], "unknown placeholder 'nope'"),
        ([{"snapshots": {"folder": "p", "template": "../{id}-{kind}"}}], "below the folder"),
        ([{"snapshots": {"folder": "p", "template": "/{id}-{kind}"}}], "below the folder"),
        ([], "at least 1"),
        ([{"s3": {"bucket": "abc", "kms_key": "k"}}], "needs `encryption: kms`"),
        ([{"s3": {"bucket": "abc", "encryption": "kms", "kms_key": "alias/k"}}], "an alias cannot be named"),
        ([{"sns": "alarms"}], "sns.topic"),
        ([{"kinesis": {"stream": "a b"}}], "kinesis.stream"),
        ([{"eventbridge": {"source": "aws.me"}}], "belong to AWS"),
        ([{"dynamodb": {"table": "events", "region": "frankfurt"}}], "dynamodb.region"),
    ],
)
def test_mistakes_are_named(sinks: list[Any], message: str) -> None:
    with pytest.raises(ValidationError, match=message):
        CamerasFile.model_validate({"sinks": sinks})


def test_each_kind_on_aws_has_a_short_form() -> None:
    topic = "arn:aws:sns:eu-central-1:123456789012:alarms.fifo"
    given = [{"kinesis": "events"}, {"s3": "my-pictures"}, {"dynamodb": "events"}, "eventbridge", {"sns": topic}]
    assert names(*given) == ("kinesis", "s3", "dynamodb", "eventbridge", "sns")
