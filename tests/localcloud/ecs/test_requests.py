"""What requests and container definitions are read as, and what probes make of targets."""

from __future__ import annotations

import pytest

from inferfleet.localcloud.ecs import launch, settings, views
from inferfleet.localcloud.ecs.balancer import Target
from inferfleet.localcloud.ecs.model import Health, Phase, Step, Strategy
from inferfleet.localcloud.ecs.probes import judge, matches
from inferfleet.localcloud.ecs.settings import Refused

BLUE, GREEN = "arn:blue", "arn:green"
PAIR = [{"targetGroupArn": BLUE, "advancedConfiguration": {"alternateTargetGroupArn": GREEN}}]


def test_a_revision_takes_the_other_target_group_of_a_pair():
    assert settings.groups(PAIR, (), "BLUE_GREEN") == (BLUE,)
    assert settings.groups(PAIR, (BLUE,), "BLUE_GREEN") == (GREEN,)
    assert settings.groups(PAIR, (GREEN,), "CANARY") == (BLUE,)
    assert settings.groups(PAIR, (GREEN,), "ROLLING") == (GREEN,)
    assert settings.groups([{"targetGroupArn": GREEN}], (BLUE,), "ROLLING") == (GREEN,)


@pytest.mark.parametrize(
    ("share", "percents"), [(10, [10, 20, 30, 40, 50, 60, 70, 80, 90]), (30, [30, 60, 90]), (50, [50]), (100, [])]
)
def test_linear_steps_end_below_all_of_the_traffic(share, percents):
    given = {"linearConfiguration": {"stepPercent": share, "stepBakeTimeInMinutes": 2}}
    assert settings.steps(Strategy.LINEAR, given, 60) == tuple(Step(percent, 2) for percent in percents)


def test_an_update_keeps_what_it_does_not_name():
    before = settings.configuration({"strategy": "CANARY", "bakeTimeInMinutes": 5, "maximumPercent": 150})
    after = settings.configuration({"maximumPercent": 200}, before)
    assert after == {**before, "maximumPercent": 200}


def test_a_target_group_without_a_load_balancer_is_refused():
    with pytest.raises(Refused, match="arn:blue does not have an associated load balancer"):
        settings.checked_balancers([{"targetGroupArn": BLUE}], "ROLLING", {})


def test_blue_green_without_a_second_target_group_is_refused():
    with pytest.raises(Refused, match="alternateTargetGroupArn and productionListenerRule"):
        settings.checked_balancers([{"targetGroupArn": BLUE}], "BLUE_GREEN", {BLUE: {"lb"}})


def test_a_container_definition_becomes_what_the_engine_is_told():
    definition = {
        "name": "web",
        "command": ["serve"],
        "entryPoint": ["python"],
        "user": "1000",
        "memoryReservation": 64,
        "readonlyRootFilesystem": True,
        "linuxParameters": {
            "capabilities": {"drop": ["ALL"]},
            "tmpfs": [{"containerPath": "/tmp", "size": 16, "mountOptions": ["noexec"]}],
            "sharedMemorySize": 128,
        },
        "healthCheck": {"command": ["CMD-SHELL", "true"], "interval": 10},
    }
    found = launch.options(definition, {"cpu": "512", "memory": "1024"}, {"A": "b"}, [])
    assert found["mem_limit"] == 1024 * 2**20
    assert found["mem_reservation"] == 64 * 2**20
    assert found["cap_drop"] == ["ALL"]
    assert found["tmpfs"] == {"/tmp": "size=16m,noexec"}
    assert found["shm_size"] == 128 * 2**20
    assert found["healthcheck"]["interval"] == 10 * 10**9
    assert (found["read_only"], found["user"], found["entrypoint"]) == (True, "1000", ["python"])


def test_gpus_are_asked_for_where_the_engine_has_them():
    definition = {"name": "web", "resourceRequirements": [{"type": "GPU", "value": "2"}]}
    (request,) = launch.options(definition, {}, {}, [], has_gpus=True)["device_requests"]
    assert (request["Count"], request["Capabilities"]) == (2, [["gpu"]])
    assert "device_requests" not in launch.options(definition, {}, {}, [])


def test_the_health_check_of_an_image_is_not_looked_at():
    assert launch.health_check({"name": "web"}) == {"test": ["NONE"]}


def test_volumes_are_the_hosts_or_the_tasks_own():
    task = {"volumes": [{"name": "models", "host": {"sourcePath": "/opt/models"}}, {"name": "spool"}]}
    mounts = [
        {"sourceVolume": "models", "containerPath": "/models", "readOnly": True},
        {"sourceVolume": "spool", "containerPath": "/spool"},
    ]
    assert launch.binds(task, {"mountPoints": mounts}, "ecs-1") == ["/opt/models:/models:ro", "ecs-1-spool:/spool:rw"]


def test_containers_start_after_what_they_depend_on():
    links = [{"containerName": "b", "condition": "START"}]
    found = launch.in_order([{"name": "a", "dependsOn": links}, {"name": "b"}])
    assert [one["name"] for one in found] == ["b", "a"]
    circle = [{"name": "a", "dependsOn": links}, {"name": "b", "dependsOn": [{"containerName": "a"}]}]
    assert [one["name"] for one in launch.in_order(circle)] == ["a", "b"]


def test_a_target_is_healthy_after_one_good_answer_and_unhealthy_after_its_threshold():
    group = {"HealthyThresholdCount": 3, "UnhealthyThresholdCount": 2}
    target = Target()
    states = []
    for problem in ("", "a\nb", "a\nb", "", "", ""):
        judge(target, group, problem)
        states.append(target.state)
    assert states == ["healthy", "healthy", "unhealthy", "unhealthy", "unhealthy", "healthy"]


@pytest.mark.parametrize(
    ("status", "codes", "fits"), [(200, "200", True), (302, "200-299,302", True), (404, "200", False)]
)
def test_matchers_read_ranges_and_lists(status, codes, fits):
    assert matches(status, codes) is fits


def test_health_checks_do_not_count_within_the_grace_period():
    record = {
        "taskArn": "t",
        "lastStatus": "RUNNING",
        "desiredStatus": "RUNNING",
        "createdAt": 0,
        "startedAt": 100.0,
        "healthStatus": "UNHEALTHY",
        "_checked": True,
        "_docker_ids": ["c"],
    }
    early = views.task(record, [], grace=30, now=110)
    late = views.task(record, [], grace=30, now=140)
    assert (early.phase, early.health) == (Phase.RUNNING, Health.UNKNOWN)
    assert (late.health, late.reason) == (Health.UNHEALTHY, "Task failed container health checks")
