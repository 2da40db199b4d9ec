"""Services of the local cloud on real containers: deployed, updated, failed, rolled back, removed."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import uuid

from inferfleet.localcloud import cloud
from tests.localcloud.ecs.conftest import World


def test_a_rolling_update_under_load_loses_no_request(world):
    balanced = world.balanced()
    service = world.create(world.define(world.container("v1")), count=2, balanced=balanced)
    assert world.settled(service)["status"] == "SUCCESSFUL"
    with world.load(balanced.host) as answers:
        world.update(service, taskDefinition=world.define(world.container("v2")))
        assert world.settled(service)["status"] == "SUCCESSFUL"
        world.wait(lambda: answers[200, "v2"] > 3)
    assert set(answers) == {(200, "v1"), (200, "v2")}
    gone = world.tasks(service, "STOPPED")
    assert [task["containers"][0]["exitCode"] for task in gone] == [0, 0]
    assert {task["stopCode"] for task in gone} == {"ServiceSchedulerInitiated"}
    shown = world.service(service)
    assert [(one["status"], one["rolloutState"], one["runningCount"]) for one in shown["deployments"]] == [
        ("PRIMARY", "COMPLETED", 2)
    ]
    assert "has reached a steady state" in shown["events"][0]["message"]


def test_blue_green_shifts_the_listener_and_loses_no_request(world):
    balanced = world.balanced()
    first = world.define(world.container("v1"))
    service = world.create(first, balanced=balanced, strategy="BLUE_GREEN", bakeTimeInMinutes=1)
    assert world.settled(service)["status"] == "SUCCESSFUL"
    with world.load(balanced.host) as answers:
        world.update(service, taskDefinition=world.define(world.container("v2")))
        baking = world.wait(lambda: (found := world.deployment(service)).get("lifecycleStage") == "BAKE_TIME" and found)
        assert baking["targetServiceRevision"]["requestedProductionTrafficWeight"] == 100
        assert baking["sourceServiceRevisions"][0]["runningTaskCount"] == 1
        assert world.settled(service)["status"] == "SUCCESSFUL"
    assert set(answers) == {(200, "v1"), (200, "v2")}
    (action,) = world.elb.describe_rules(ListenerArn=balanced.listener)["Rules"][0]["Actions"]
    weights = {group["TargetGroupArn"]: group["Weight"] for group in action["ForwardConfig"]["TargetGroups"]}
    assert weights == dict(zip(balanced.groups, (0, 100), strict=True))
    assert [task["taskDefinitionArn"] for task in world.tasks(service)] != [first]


def test_a_service_that_leaves_blue_green_keeps_its_traffic_where_its_tasks_are(world):
    balanced = world.balanced()
    service = world.create(world.define(world.container("v1")), balanced=balanced, strategy="BLUE_GREEN")
    world.settled(service)
    world.update(service, taskDefinition=world.define(world.container("v2")))
    world.settled(service)
    with world.load(balanced.host) as answers:
        rolling = {"strategy": "ROLLING"}
        world.update(service, taskDefinition=world.define(world.container("v3")), deploymentConfiguration=rolling)
        assert world.settled(service)["status"] == "SUCCESSFUL"
        world.wait(lambda: answers[200, "v3"])
    assert set(answers) == {(200, "v2"), (200, "v3")}


def test_a_version_that_fails_its_health_check_is_rolled_back_and_reported(world):
    balanced = world.balanced()
    service = world.create(world.define(world.container("v1")), balanced=balanced)
    world.settled(service)
    with world.load(balanced.host) as answers:
        sick = world.define(world.container("v2", SICK=1))
        world.update(service, taskDefinition=sick, healthCheckGracePeriodSeconds=0)
        decided = world.settled(service)
    assert decided["status"] == "ROLLBACK_SUCCESSFUL"
    assert "circuit breaker" in decided["statusReason"]
    assert decided["rollback"]["serviceRevisionArn"] == decided["sourceServiceRevisions"][0]["arn"]
    assert decided["deploymentCircuitBreaker"] == {"status": "TRIGGERED", "failureCount": 3, "threshold": 3}
    assert answers.keys() == {(200, "v1")}
    failed = [task for task in world.tasks(service, "STOPPED") if "health checks" in task["stoppedReason"]]
    assert len(failed) == 3
    assert world.service(service)["deployments"][0]["rolloutState"] == "COMPLETED"


def test_a_blue_green_deployment_whose_tasks_crash_gives_the_traffic_back(world):
    balanced = world.balanced()
    service = world.create(world.define(world.container("v1")), balanced=balanced, strategy="BLUE_GREEN")
    world.settled(service)
    world.update(service, taskDefinition=world.define(world.container("v2", CRASH=7)))
    assert world.settled(service)["status"] == "ROLLBACK_SUCCESSFUL"
    assert world.get(balanced.host) == (200, "v1")
    ended = [(task["stopCode"], task["containers"][0]["exitCode"]) for task in world.tasks(service, "STOPPED")]
    assert ended.count(("EssentialContainerExited", 7)) == 3, ended


def test_a_killed_task_is_replaced_and_says_how_it_ended(world):
    service = world.create(world.define(world.container()))
    world.settled(service)
    (before,) = world.tasks(service)
    subprocess.run(["docker", "kill", before["containers"][0]["runtimeId"]], check=True, capture_output=True)
    gone = world.wait(lambda: [task for task in world.tasks(service, "STOPPED") if task["lastStatus"] == "STOPPED"])
    world.wait(lambda: [task for task in world.tasks(service) if task["lastStatus"] == "RUNNING"])
    assert gone[0]["stopCode"] == "EssentialContainerExited"
    assert gone[0]["stoppedReason"] == "Essential container in task exited"
    assert gone[0]["containers"][0]["exitCode"] == 137


def test_an_unhealthy_container_is_replaced(world):
    check = {"command": ["CMD-SHELL", "test ! -e /tmp/sick"], "interval": 1, "retries": 1, "timeout": 5}
    service = world.create(world.define(world.container(healthCheck=check)))
    world.settled(service)
    (before,) = world.tasks(service)
    assert before["healthStatus"] == "HEALTHY"
    world.update(service, healthCheckGracePeriodSeconds=0)
    subprocess.run(["docker", "exec", before["containers"][0]["runtimeId"], "touch", "/tmp/sick"], check=True)
    gone = world.wait(lambda: world.tasks(service, "STOPPED"))
    assert gone[0]["stoppedReason"] == "Task failed container health checks"
    world.wait(lambda: [task for task in world.tasks(service) if task["healthStatus"] == "HEALTHY"])


def test_an_image_that_is_nowhere_fails_the_deployment(world):
    missing = "000000000000.dkr.ecr.us-east-1.amazonaws.com/nothing:1"
    service = world.create(world.define(world.container(image=missing)))
    decided = world.settled(service)
    assert decided["status"] == "ROLLBACK_FAILED"
    assert "no completed deployment" in decided["statusReason"]
    failed = world.tasks(service, "STOPPED")[0]
    assert failed["stopCode"] == "TaskFailedToStart"
    assert failed["stoppedReason"].startswith(f"CannotPullContainerError: {missing}")


def test_a_deployment_that_a_person_stops_rolls_back(world):
    service = world.create(world.define(world.container("v1")))
    world.settled(service)
    world.update(service, taskDefinition=world.define(world.container("v2", healthCheck={"command": ["CMD", "false"]})))
    arn = world.deployment(service)["serviceDeploymentArn"]
    world.ecs.stop_service_deployment(serviceDeploymentArn=arn)
    decided = world.settled(service)
    assert decided["status"] == "ROLLBACK_SUCCESSFUL"
    assert "a user stopped it" in decided["rollback"]["reason"]


def test_an_alarm_fails_a_deployment(world):
    name = f"errors-{uuid.uuid4().hex[:8]}"
    world.cloudwatch.put_metric_alarm(
        AlarmName=name,
        Namespace="Test",
        MetricName="Errors",
        Statistic="Sum",
        Period=60,
        EvaluationPeriods=1,
        Threshold=1,
        ComparisonOperator="GreaterThanThreshold",
    )
    alarms = {"alarmNames": [name], "enable": True, "rollback": True}
    service = world.create(world.define(world.container("v1")), alarms=alarms, bakeTimeInMinutes=60)
    world.settled(service)
    world.update(service, taskDefinition=world.define(world.container("v2")))
    world.wait(lambda: world.deployment(service).get("lifecycleStage") == "BAKE_TIME")
    world.cloudwatch.set_alarm_state(AlarmName=name, StateValue="ALARM", StateReason="a test")
    decided = world.settled(service)
    assert decided["status"] == "ROLLBACK_SUCCESSFUL"
    assert decided["alarms"] == {"status": "TRIGGERED", "alarmNames": [name], "triggeredAlarmNames": [name]}


def test_eventbridge_is_told_of_tasks_and_deployments(world):
    name = f"ecs-{uuid.uuid4().hex[:8]}"
    queue = world.sqs.create_queue(QueueName=name)["QueueUrl"]
    arn = world.sqs.get_queue_attributes(QueueUrl=queue, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]
    world.events.put_rule(Name=name, EventPattern=json.dumps({"source": ["aws.ecs"]}))
    world.events.put_targets(Rule=name, Targets=[{"Id": "queue", "Arn": arn}])
    service = world.create(world.define(world.container()))
    told: set[tuple[str, str]] = set()

    def is_told():
        for message in world.sqs.receive_message(QueueUrl=queue, MaxNumberOfMessages=10).get("Messages", []):
            event = json.loads(message["Body"])
            if service in str(event):
                told.add((event["detail-type"], event["detail"].get("lastStatus") or event["detail"]["eventName"]))
        return told >= {
            ("ECS Task State Change", "RUNNING"),
            ("ECS Deployment State Change", "SERVICE_DEPLOYMENT_IN_PROGRESS"),
            ("ECS Deployment State Change", "SERVICE_DEPLOYMENT_COMPLETED"),
        }

    world.wait(is_told)
    world.events.remove_targets(Rule=name, Ids=["queue"])
    world.events.delete_rule(Name=name)


def test_the_desired_count_is_followed_and_deletion_leaves_nothing(world):
    family = f"family-{uuid.uuid4().hex[:8]}"
    service = world.create(world.define(world.container(), family=family), count=1)
    world.settled(service)
    deployment = world.deployment(service)["serviceDeploymentArn"]
    for count in (3, 1):
        world.update(service, desiredCount=count)
        world.wait(lambda count=count: world.service(service)["runningCount"] == count)
    assert world.deployment(service)["serviceDeploymentArn"] == deployment
    world.ecs.delete_service(cluster="fleet", service=service, force=True)
    world.wait(lambda: world.service(service)["status"] == "INACTIVE")
    label = f"label=com.amazonaws.ecs.task-definition-family={family}"
    listed = subprocess.run(["docker", "ps", "-aq", "--filter", label], check=True, capture_output=True)
    assert not listed.stdout
    assert service not in str(world.ecs.list_services(cluster="fleet")["serviceArns"])


def test_a_changed_setting_makes_a_revision_and_a_forced_deployment_another(world):
    service = world.create(world.define(world.container()))
    first = world.settled(service)["targetServiceRevision"]["arn"]
    world.update(service, forceNewDeployment=True)
    second = world.settled(service)["targetServiceRevision"]["arn"]
    assert first != second
    shown = world.ecs.describe_service_revisions(serviceRevisionArns=[first, second])["serviceRevisions"]
    assert [one["taskDefinition"] for one in shown] == [world.service(service)["taskDefinition"]] * 2
    assert shown[1]["containerImages"][0]["image"] == world.image


def test_the_containers_of_a_killed_cloud_go_when_the_next_one_starts(python_image, tmp_path, monkeypatch):
    monkeypatch.delenv("AWS_ENDPOINT_URL", raising=False)
    family = f"family-{uuid.uuid4().hex[:8]}"
    listing = ["docker", "ps", "-aq", "--filter", f"label=com.amazonaws.ecs.task-definition-family={family}"]

    def containers():
        return subprocess.run(listing, check=True, capture_output=True, text=True).stdout.split()

    first = cloud.start(tmp_path, port=0, kvs_port=0)
    try:
        before = World(first, python_image)
        before.settled(before.create(before.define(before.container(), family=family)))
        assert containers()
    finally:
        for service in first.services.values():
            os.killpg(service.process.pid, signal.SIGKILL)
    second = cloud.start(tmp_path, port=0, kvs_port=0)
    try:
        World(second, python_image).wait(lambda: not containers())
    finally:
        cloud.stop(tmp_path)


def test_a_cloud_that_stops_leaves_no_container(python_image, tmp_path):
    running = cloud.start(tmp_path, port=0, kvs_port=0)
    try:
        world = World(running, python_image)
        world.settled(world.create(world.define(world.container()), count=2))
        names = [task["containers"][0]["runtimeId"] for task in world.tasks(world.services[0])]
    finally:
        cloud.stop(tmp_path)
    listed = subprocess.run(["docker", "ps", "-aq", "--no-trunc"], check=True, capture_output=True, text=True)
    assert len(names) == 2
    assert not set(names) & set(listed.stdout.split())
