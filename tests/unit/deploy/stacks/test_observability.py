"""What a fleet is watched by, and that it watches what workers really say."""

import io
import json
import threading
from pathlib import Path
from typing import get_args

import pytest

FLEET = """
name: shop
account: "111122223333"
capacity: {gpu: {instances: [g5.xlarge], max: 3}, fargate: {}}
services:
  eyes: {kind: streams, target: ecs-ec2, capacity: gpu, image: 'x/eyes:1', gpu: 1, config: cameras.yaml}
  api: {kind: api, target: fargate, image: 'x/api:1', load_balancer: {public: false}}
  own: {kind: api, target: fargate, image: 'x/own:1', load_balancer: {}, deployment: {alarms: [slow]}}
  other: {target: fargate, image: 'x/other:1', scaling: {min: 0, max: 3, queue: {name: jobs}}}
alerts: {emails: [oncall@example.com]}
budget: {monthly_usd: 900}
"""
CAMERAS = """
cameras:
  - {id: gate, source: {stream: gate}, steps: [detect]}
  - {id: yard, source: {stream: yard, via: hls}, steps: [detect]}
  - {id: old, source: {stream: old}, steps: [detect], enabled: false}
sinks: [{kinesis: events}, {dynamodb: events}]
"""


@pytest.fixture(scope="module")
def stacks(synthesise):
    return _by_type(synthesise(FLEET, CAMERAS))


def _by_type(templates):
    found = {}
    for name, template in templates.stacks.items():
        for resource in template["Resources"].values():
            found.setdefault(name, {}).setdefault(resource["Type"], []).append(resource.get("Properties", {}))
    return found


@pytest.fixture(scope="module")
def alarms(stacks):
    return {
        alarm["AlarmName"]: alarm
        for resources in stacks.values()
        for alarm in resources.get("AWS::CloudWatch::Alarm", [])
    }


@pytest.fixture(scope="module")
def dashboard(stacks):
    (found,) = stacks["shop-observability"]["AWS::CloudWatch::Dashboard"]
    body = found["DashboardBody"]
    parts = body["Fn::Join"][1] if isinstance(body, dict) else [body]
    return json.loads("".join(part if isinstance(part, str) else "x" for part in parts))


def test_no_task_metrics_mean_no_tasks_unless_the_service_may_rest(alarms):
    assert alarms["shop-eyes-tasks"]["TreatMissingData"] == "breaching"
    assert alarms["shop-other-tasks"]["TreatMissingData"] == "notBreaching"


def test_no_requests_are_no_errors_and_no_targets_are_no_healthy_task(alarms):
    assert alarms["shop-own-errors"]["TreatMissingData"] == "notBreaching"
    assert alarms["shop-api-no-healthy-task"]["TreatMissingData"] == "breaching"
    assert alarms["shop-api-no-healthy-task"]["ComparisonOperator"] == "LessThanThreshold"


def test_each_video_stream_that_is_read_has_an_alarm_on_not_being_read(alarms):
    assert [name for name in alarms if "-video-" in name] == ["shop-eyes-video-gate"]
    gate = alarms["shop-eyes-video-gate"]
    assert (gate["MetricName"], gate["TreatMissingData"]) == ("GetMedia.MillisBehindNow", "breaching")


def test_tasks_that_wait_for_instances_are_told_of(alarms):
    alarm = alarms["shop-gpu-capacity"]
    dimensions = {item["Name"]: item["Value"] for item in alarm["Dimensions"]}
    assert dimensions == {"ClusterName": "shop-cluster", "CapacityProviderName": "shop-gpu-capacity-provider"}
    assert alarm["Threshold"] == 100


def test_what_takes_deployments_back_also_tells_people_and_is_not_there_twice(alarms):
    assert alarms["shop-api-deployment"]["AlarmActions"]
    assert "shop-api-errors" not in alarms
    assert "shop-own-deployment" not in alarms


def test_every_alarm_says_what_is_wrong_and_tells_people_when_it_begins_and_ends(alarms):
    for name, alarm in alarms.items():
        assert alarm["AlarmDescription"]
        assert alarm["AlarmActions"]
        # The log tells when a sink's failure begins, not that it lasts.
        assert ("OKActions" in alarm) == (name != "shop-eyes-sinks")


def test_alarms_and_the_budget_may_publish_to_the_topic_of_this_account_only(stacks):
    watching = stacks["shop-observability"]
    (topic,) = watching["AWS::SNS::Topic"]
    assert topic["TopicName"] == "shop-alerts"
    (policy,) = watching["AWS::SNS::TopicPolicy"]
    allowed = next(item for item in policy["PolicyDocument"]["Statement"] if item["Effect"] == "Allow")
    assert allowed["Principal"]["Service"] == ["cloudwatch.amazonaws.com", "budgets.amazonaws.com"]
    assert allowed["Condition"] == {"StringEquals": {"aws:SourceAccount": "111122223333"}}
    assert [item["Endpoint"] for item in watching["AWS::SNS::Subscription"]] == ["oncall@example.com"]


def test_the_budget_warns_before_it_is_spent_and_counts_this_fleet_alone(stacks):
    (budget,) = stacks["shop-observability"]["AWS::Budgets::Budget"]
    assert budget["Budget"]["BudgetLimit"] == {"Amount": 900, "Unit": "USD"}
    assert budget["Budget"]["CostFilters"] == {"TagKeyValue": ["user:inferfleet:fleet$shop"]}
    notified = [item["Notification"] for item in budget["NotificationsWithSubscribers"]]
    assert [(item["NotificationType"], item["Threshold"]) for item in notified] == [
        ("ACTUAL", 80), ("ACTUAL", 100), ("FORECASTED", 100),
    ]  # fmt: skip


def test_what_the_log_tells_is_counted_by_the_words_that_the_worker_logs(stacks):
    from inferfleet.deploy.stacks.observability_alarms import CAMERA_EVENTS, SINK_EVENTS, STREAM_EVENT
    from inferfleet.streams import camera
    from inferfleet.streams.delivery import dispatcher
    from inferfleet.streams.kvs import client, hls

    assert {event.removeprefix("camera ") for event in CAMERA_EVENTS} <= set(get_args(camera.CameraState))
    for event, *modules in ((SINK_EVENTS[0], dispatcher), (SINK_EVENTS[1], dispatcher), (STREAM_EVENT, client, hls)):
        assert all(f'"{event}"' in Path(module.__file__).read_text() for module in modules)
    filters = {
        item["MetricTransformations"][0]["MetricName"]: item for item in stacks["shop-eyes"]["AWS::Logs::MetricFilter"]
    }
    assert set(filters) == {"Errors", "CameraTroubles", "CameraTroublesByCamera", "SinkFailures", "SinkRecoveries"}
    by_camera = filters["CameraTroublesByCamera"]["MetricTransformations"][0]
    assert by_camera["Dimensions"] == [{"Key": "Camera", "Value": "$.camera"}]
    assert "DefaultValue" not in by_camera


def test_the_filters_find_what_a_worker_really_writes(stacks):
    import inferfleet.logs
    from inferfleet.config.cameras import Camera
    from inferfleet.streams.camera import Backoff, CameraReader
    from inferfleet.streams.mailbox import LiveMailbox

    written = io.StringIO()
    inferfleet.logs.set_up("INFO", written)
    camera = Camera.model_validate({"id": "gate", "source": "rtsp://127.0.0.1:9/none", "steps": ["detect"]})
    told = threading.Event()
    reader = CameraReader(
        camera, LiveMailbox(lambda: None), base=Path(), backoff=Backoff(first=1000, most=1000),
        on_change=lambda status: told.set() if status.state == "reconnecting" else None,
    )  # fmt: skip
    reader.start(None)
    assert told.wait(30)
    assert reader.stop(30)
    line = next(line for line in map(json.loads, written.getvalue().splitlines()) if "reconnecting" in line["event"])
    pattern = next(
        item["FilterPattern"]
        for item in stacks["shop-eyes"]["AWS::Logs::MetricFilter"]
        if item["MetricTransformations"][0]["MetricName"] == "CameraTroublesByCamera"
    )
    assert f'($.event = "{line["event"]}")' in pattern
    assert line["camera"] == "gate"


def test_a_container_of_another_kind_has_no_filters_on_a_log_that_is_not_ours(stacks):
    assert "AWS::Logs::MetricFilter" not in stacks["shop-other"]


def test_the_dashboard_shows_each_part_of_the_fleet(dashboard):
    texts = [item["properties"]["markdown"] for item in dashboard["widgets"] if item["type"] == "text"]
    assert [text.removeprefix("## ") for text in texts if text.startswith("## ")] == [
        "Fleet", "Cameras: eyes", "Requests: api", "Requests: own", "GPUs", "What drives the cost",
    ]  # fmt: skip
    shown = json.dumps(dashboard)
    for name in ("PutMedia.IncomingBytes", "TaskGPUUtilization", "shop-gpu-capacity-provider", "shop-eyes-tasks"):
        assert name in shown
    assert "api internal alb" in shown, "a load balancer is found by the words of its name"


def test_what_watches_refers_to_no_other_stack(stacks):
    assert "Fn::ImportValue" not in json.dumps(stacks["shop-observability"])


def test_an_existing_topic_is_used_and_none_is_made(synthesise):
    arn = "arn:aws:sns:us-east-1:111122223333:people"
    text = f"name: shop\nservices: {{api: {{image: 'x/api:1'}}}}\nalerts: {{topic: '{arn}'}}\ndashboards: false\n"
    stacks = _by_type(synthesise(text, ""))
    assert "shop-observability" not in stacks, "it would be an empty stack"
    assert {tuple(item["AlarmActions"]) for item in stacks["shop-api"]["AWS::CloudWatch::Alarm"]} == {(arn,)}
