import pytest

from inferfleet.config.base import read
from inferfleet.config.cameras import CamerasFile
from inferfleet.config.permissions import Place, of_cameras
from inferfleet.deploy import permissions
from inferfleet.errors import InputError

CAMERAS = """
cameras:
  - {id: a, source: {stream: gate, region: eu-west-1}, steps: [detect]}
  - {id: b, source: "kvs://yard", steps: [detect]}
  - {id: c, source: "rtsp://10.0.0.7/x", steps: [detect]}
  - {id: d, source: "kvs://off", steps: [detect], enabled: false}
models:
  street: {path: "s3://models/street.onnx"}
sinks:
  - kinesis: {stream: detections}
  - s3: {bucket: snapshots, template: "pictures/{id}-{kind}.{ext}", encryption: kms, kms_key: 1234abcd}
  - dynamodb: {table: events}
  - eventbridge: {bus: cameras}
  - sns: {topic: "arn:aws:sns:us-east-1:111122223333:people"}
  - stdout
workers: {leases: {table: leases}}
"""


def role(make_fleet, tmp_path, cameras=CAMERAS, more=""):
    (tmp_path / "cameras.yaml").write_text(cameras)
    fleet = make_fleet(f"services: {{r: {{kind: streams, image: 'x/r:1', config: cameras.yaml{more}}}}}")
    return {s.sid: s for s in permissions.task_role(fleet, fleet.services[0], tmp_path)}


def test_each_stream_and_sink_gets_its_own_actions_on_its_own_resource(make_fleet, tmp_path):
    found = role(make_fleet, tmp_path)
    assert found["ReadVideo"].resources == (
        "arn:aws:kinesisvideo:eu-west-1:111122223333:stream/gate/*",
        "arn:aws:kinesisvideo:us-east-1:111122223333:stream/yard/*",
    )
    assert "kinesisvideo:GetDataEndpoint" in found["ReadVideo"].actions
    assert found["StorePictures"].actions == ("s3:PutObject",)
    assert found["StorePictures"].resources == ("arn:aws:s3:::snapshots/pictures/*",)
    assert found["StoreEvents"].resources == ("arn:aws:dynamodb:us-east-1:111122223333:table/events",)


def test_it_is_what_the_worker_says_that_it_needs(make_fleet, tmp_path):
    found = role(make_fleet, tmp_path)
    config = read(tmp_path / "cameras.yaml", CamerasFile)
    assert list(found.values()) == of_cameras(config, Place("us-east-1", "111122223333"))


def test_an_api_may_load_the_models_of_its_serve_yaml(make_fleet, tmp_path):
    (tmp_path / "serve.yaml").write_text("models: {street: 's3://models/street.onnx', text: 'zoo:text'}\n")
    fleet = make_fleet("services: {r: {kind: api, image: 'x/r:1', config: serve.yaml}}")
    (statement,) = permissions.task_role(fleet, fleet.services[0], tmp_path)
    assert (statement.actions, statement.resources) == (("s3:GetObject",), ("arn:aws:s3:::models/street.onnx",))


def test_nothing_is_allowed_on_everything_but_what_knows_no_resources(make_fleet, tmp_path):
    found = role(make_fleet, tmp_path, more=", exec: true")
    open_to_all = [sid for sid, statement in found.items() if statement.resources == ("*",)]
    assert open_to_all == ["OpenShell"]
    assert all("*" not in action for statement in found.values() for action in statement.actions)


def test_every_statement_says_why(make_fleet, tmp_path):
    assert all(statement.why for statement in role(make_fleet, tmp_path).values())


def test_cameras_without_aws_need_nothing(make_fleet, tmp_path):
    cameras = "cameras: [{id: a, source: 'rtsp://10.0.0.7/x', steps: [detect]}]\nsinks: [stdout]\n"
    assert role(make_fleet, tmp_path, cameras) == {}


def test_a_configuration_that_cannot_be_read_is_named(make_fleet, tmp_path):
    with pytest.raises(InputError, match=r"cameras\.yaml:1"):
        role(make_fleet, tmp_path, "sinks: [{kinesis: {}}]\n")


def test_the_execution_role_pulls_one_repository_and_writes_one_log_group(make_fleet):
    fleet = make_fleet(
        "images: {api: {build: .}}\nservices: {api: {image: api, secrets: {KEY: "
        "'arn:aws:secretsmanager:us-east-1:111122223333:secret:key-AbCdEf:value::'}}}"
    )
    found = {s.sid: s for s in permissions.execution_role(fleet, fleet.services[0])}
    assert found["PullImage"].resources == ("arn:aws:ecr:us-east-1:111122223333:repository/api",)
    assert found["WriteLogs"].resources == ("arn:aws:logs:us-east-1:111122223333:log-group:/ecs/api:*",)
    assert found["ReadSecrets"].resources == ("arn:aws:secretsmanager:us-east-1:111122223333:secret:key-AbCdEf",)
    assert "logs:CreateLogGroup" not in found["WriteLogs"].actions
