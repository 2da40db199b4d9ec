import pytest

from inferfleet.config import base, fleet_env
from inferfleet.config.cameras import CamerasFile
from inferfleet.config.fleet import read_fleet
from inferfleet.config.source import parse
from inferfleet.deploy import start
from inferfleet.deploy.lint import engine
from inferfleet.errors import InputError

OLD = """\
AWS_REGION=ap-southeast-1
AWS_ACCOUNT_ID=123456789012
PROJECT_NAME=kvs-infer
ECR_REPO_NAME=kvs-infer
ECS_CLUSTER_NAME=kvs-infer-cluster
VPC_ID=vpc-0abc
PRIVATE_SUBNET_1=subnet-0a
PRIVATE_SUBNET_2=subnet-0b
KVS_STREAM_PREFIX=camera
KDS_STREAM_NAME=kvs-detection-events
S3_BUCKET_NAME=kvs-inference-snapshots
S3_PREFIX=snapshots
DYNAMODB_TABLE_NAME=kvs-inference-metadata
INSTANCE_TYPE=g4dn.2xlarge
MIN_SIZE=1
MAX_SIZE=4
DESIRED_COUNT=2
LOG_LEVEL=DEBUG
HTTP_PORT=9090
USE_SPOT_INSTANCES=true
ENABLE_VPC_ENDPOINTS=false
CUDA_VISIBLE_DEVICES=0
MY_OWN=7
ALERT_EMAIL=a@example.com
"""
RECOVERY = """\
TASK_TABLE_NAME=my_ecs_task
JOB_TABLE_NAME=my_ecs_job
NODE_TABLE_NAME=my_ecs_node
ECS_CLUSTER_NAME=my-gpu-cluster
DCGM_HEALTH_CHECK_TASK=arn:aws:ecs:us-east-1:123456789012:task-definition/gpu-dcgm-health-check:1
LAMBDA_TIMEOUT_SECONDS=90
LAMBDA_MEMORY_SIZE=1024
SNS_TOPIC_NAME=my-gpu-notifications
SNS_TOPIC_DISPLAY_NAME=My GPU Notifications
"""


def made(tmp_path, text):
    begun = start.from_env(fleet_env.parse(text, ".env"), ".env")
    for name, content in begun.files.items():
        (tmp_path / name).write_text(content)
    (tmp_path / ".env").write_text(text)
    return begun, read_fleet(tmp_path / "fleet.yaml")


def test_every_variable_of_an_old_deployment_finds_its_place(tmp_path):
    begun, fleet = made(tmp_path, OLD)
    service = fleet.services["kvs-infer"]
    gpu = fleet.capacity["gpu"]
    assert (fleet.region, fleet.account, fleet.cluster) == ("ap-southeast-1", "123456789012", "kvs-infer-cluster")
    assert fleet.network.private_subnets == ("subnet-0a", "subnet-0b")
    assert fleet.network.endpoints == "none"
    assert (gpu.instances, gpu.min, gpu.max, gpu.spot) == (("g4dn.2xlarge",), 1, 4, 100)
    assert (service.count, service.port) == (2, 9090)
    assert service.environment == {"LOG_LEVEL": "DEBUG", "MY_OWN": "7"}
    assert fleet.alerts.emails == ("a@example.com",)
    assert any(note.startswith("CUDA_VISIBLE_DEVICES: ") for note in begun.notes)


def test_values_of_the_account_stay_out_of_the_file(tmp_path):
    begun, _ = made(tmp_path, OLD)
    for value in ("123456789012", "vpc-0abc", "subnet-0a", "subnet-0b"):
        assert value not in begun.files["fleet.yaml"]


def test_a_recovery_system_becomes_a_fleet_with_recovery(tmp_path):
    _, fleet = made(tmp_path, RECOVERY)
    assert fleet.cluster == "my-gpu-cluster"
    assert fleet.recovery is not None
    assert (fleet.recovery.task_table, fleet.recovery.timeout_seconds) == ("my_ecs_task", 90)
    assert (fleet.recovery.topic, fleet.recovery.topic_display_name) == ("my-gpu-notifications", "My GPU Notifications")
    assert fleet.services == {}


@pytest.mark.parametrize("text", [OLD, RECOVERY])
def test_what_is_made_has_no_findings(tmp_path, text):
    made(tmp_path, text)
    assert [(f.rule, f.message) for f in engine.lint_paths([tmp_path]).findings] == []


def test_the_cameras_and_sinks_are_those_of_the_old_deployment(tmp_path):
    begun, _ = made(tmp_path, OLD)
    values = {**fleet_env.parse(OLD, ".env"), "KVS_STREAM_PREFIX": "door"}
    cameras = base.validate(parse(begun.files["cameras.yaml"], "cameras.yaml", values), CamerasFile)
    kinesis, s3, dynamodb = (sink.settings for sink in cameras.sinks)
    assert cameras.cameras[0].source.stream == "door-1"
    assert kinesis.stream == "kvs-detection-events"
    assert (s3.bucket, s3.template.split("/")[0]) == ("kvs-inference-snapshots", "snapshots")
    assert dynamodb.table == "kvs-inference-metadata"


def test_an_empty_file_is_refused():
    with pytest.raises(InputError, match="no variable in it"):
        start.from_env({}, ".env")


@pytest.mark.parametrize("template", list(start.Template))
def test_a_template_is_a_fleet_under_its_new_name(tmp_path, template):
    begun = start.from_template(template, "my-fleet", "eu-west-1")
    for name, content in begun.files.items():
        (tmp_path / name).write_text(content)
    fleet = read_fleet(tmp_path / "fleet.yaml", {})
    assert fleet.name == "my-fleet"
    assert fleet.region == "eu-west-1"


def test_templates_are_the_examples(examples):
    for path in examples:
        shipped = start.from_template(start.Template(path.parent.name), path.parent.name, _region(path))
        for name, text in shipped.files.items():
            expected = (
                (path.parent / name).read_text().replace("{build: ../.., dockerfile: docker/Dockerfile", "{build: .")
            )
            assert text == expected


def _region(path):
    return read_fleet(path, {}).region


def test_a_name_that_cannot_be_one_is_refused():
    with pytest.raises(InputError, match="small letters"):
        start.from_template(start.Template.API, "My Fleet", "eu-west-1")
