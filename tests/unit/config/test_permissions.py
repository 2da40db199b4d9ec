from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from inferfleet.config.base import read
from inferfleet.config.cameras import CamerasFile
from inferfleet.config.permissions import Place, document, of_cameras

KEY = "1234abcd-12ab-34cd-56ef-1234567890ab"
EVERYTHING = f"""
models: {{street: {{path: "s3://models/street/v1.onnx"}}}}
cameras:
  - {{id: front, source: {{type: kvs, stream: front}}}}
  - {{id: back, source: {{type: kvs, stream: back, region: eu-central-1}}}}
  - {{id: side, source: {{type: kvs, stream: side, via: hls}}}}
  - {{id: old, source: {{type: kvs, stream: old}}, enabled: false}}
sinks:
  - stdout
  - kinesis: events
  - kinesis: {{stream: "arn:aws:kinesis:eu-central-1:123456789012:stream/other"}}
  - s3: {{bucket: my-pictures, encryption: kms, kms_key: {KEY}}}
  - s3: {{bucket: more-pictures, template: "{{camera}}/{{id}}-{{kind}}.{{ext}}"}}
  - dynamodb: events
  - dynamodb: {{table: others, create: true, ttl_days: null}}
  - eventbridge: default
  - sns: arn:aws:sns:eu-central-1:123456789012:alarms
"""


@pytest.fixture
def cameras(tmp_path: Path) -> Path:
    path = tmp_path / "cameras.yaml"
    path.write_text(EVERYTHING)
    return path


def policy(cameras: Path, place: Place) -> dict[str, Any]:
    return document(of_cameras(read(cameras, CamerasFile), place))


def run(*arguments: str) -> subprocess.CompletedProcess[str]:
    script = "import sys; from inferfleet.cli.main import main; sys.argv = ['inferfleet', *sys.argv[1:]]; main()"
    command = [sys.executable, "-c", script, "policy", *arguments]
    return subprocess.run(command, capture_output=True, text=True, check=False)


def test_the_command_prints_what_the_configuration_needs(cameras: Path) -> None:
    result = run(str(cameras), "--account", "123456789012", "--region", "eu-west-1")
    assert result.returncode == 0, result.stderr
    statements = {statement["Sid"]: statement for statement in json.loads(result.stdout)["Statement"]}
    assert statements["ReadVideo"]["Action"] == ["kinesisvideo:GetDataEndpoint", "kinesisvideo:GetMedia"]
    assert statements["ReadVideo"]["Resource"] == [
        "arn:aws:kinesisvideo:eu-central-1:123456789012:stream/back/*",
        "arn:aws:kinesisvideo:eu-west-1:123456789012:stream/front/*",
    ], "a camera that is not enabled needs nothing"
    assert statements["ReadModels"]["Resource"] == "arn:aws:s3:::models/street/v1.onnx"
    assert statements["PublishEvents"]["Resource"] == [
        "arn:aws:kinesis:eu-central-1:123456789012:stream/other",
        "arn:aws:kinesis:eu-west-1:123456789012:stream/events",
    ]
    assert statements["StorePictures"]["Resource"] == [
        "arn:aws:s3:::more-pictures/*",
        "arn:aws:s3:::my-pictures/snapshots/*",
    ]
    assert statements["EncryptPictures"]["Resource"] == f"arn:aws:kms:eu-west-1:123456789012:key/{KEY}"
    assert "dynamodb:CreateTable" not in statements["StoreEvents"]["Action"]
    assert statements["StoreEvents2"]["Action"] == [
        "dynamodb:CreateTable",
        "dynamodb:DescribeTable",
        "dynamodb:PutItem",
    ]


@pytest.mark.parametrize("place", [Place(), Place("eu-west-1", "123456789012")])
def test_parliament_finds_nothing_wrong(cameras: Path, place: Place) -> None:
    parliament = pytest.importorskip("parliament")
    found = parliament.analyze_policy_string(json.dumps(policy(cameras, place))).findings
    assert [(finding.issue, finding.detail) for finding in found] == []


def test_no_action_is_allowed_on_everything_or_by_a_wildcard(cameras: Path) -> None:
    for statement in policy(cameras, Place())["Statement"]:
        resources = statement["Resource"]
        assert "*" not in ([resources] if isinstance(resources, str) else resources)
        assert not any("*" in action for action in statement["Action"])


@pytest.mark.parametrize(
    ("region", "partition"), [("eu-west-1", "aws"), ("cn-north-1", "aws-cn"), ("us-gov-west-1", "aws-us-gov")]
)
def test_the_partition_is_that_of_the_region(cameras: Path, region: str, partition: str) -> None:
    result = run(str(cameras), "--region", region)
    statements = {statement["Sid"]: statement for statement in json.loads(result.stdout)["Statement"]}
    assert statements["ReadModels"]["Resource"] == f"arn:{partition}:s3:::models/street/v1.onnx"


def test_a_configuration_without_aws_needs_no_policy(tmp_path: Path) -> None:
    path = tmp_path / "cameras.yaml"
    path.write_text("cameras: [{id: a, source: a.mp4}]\n")
    result = run(str(path))
    assert (result.returncode, result.stdout) == (0, "")
    assert "no policy is needed" in result.stderr
