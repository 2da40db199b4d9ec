"""Application Auto Scaling on the local cloud: metrics in, desired counts out."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from inferfleet.errors import InputError
from inferfleet.localcloud import autoscaling
from tests.localcloud.cloudformation.emulator import Emulator, error_of

DEADLINE_S = 90.0
CPU = {"PredefinedMetricSpecification": {"PredefinedMetricType": "ECSServiceAverageCPUUtilization"}}


class Service:
    """A service of ECS that is scaled. Its tasks never start; what counts is how many are wanted."""

    def __init__(self, aws: Emulator, name: str, count: int = 2) -> None:
        self.aws = aws
        self.ecs, self.cloudwatch = aws.client("ecs"), aws.client("cloudwatch")
        self.scaling = aws.client("application-autoscaling")
        self.name = name
        self.identity = {
            "ServiceNamespace": "ecs",
            "ResourceId": f"service/{name}/{name}",
            "ScalableDimension": "ecs:service:DesiredCount",
        }
        self.ecs.create_cluster(clusterName=name)
        container = {"name": "none", "image": "none.invalid/none:1", "memory": 64}
        self.ecs.register_task_definition(family=name, containerDefinitions=[container])
        self.ecs.create_service(cluster=name, serviceName=name, taskDefinition=name, desiredCount=count)

    def register(self, least: int = 1, most: int = 6, **more: Any) -> None:
        self.scaling.register_scalable_target(**self.identity, MinCapacity=least, MaxCapacity=most, **more)

    def follow(self, target: float, name: str = "cpu", **configuration: Any) -> dict[str, Any]:
        tracking = {"TargetValue": target, "ScaleOutCooldown": 60, "ScaleInCooldown": 60, **(configuration or CPU)}
        return dict(
            self.scaling.put_scaling_policy(
                **self.identity,
                PolicyName=name,
                PolicyType="TargetTrackingScaling",
                TargetTrackingScalingPolicyConfiguration=tracking,
            )
        )

    @property
    def desired(self) -> int:
        return int(self.ecs.describe_services(cluster=self.name, services=[self.name])["services"][0]["desiredCount"])

    def feed(self, until: Callable[[int], bool], *metrics: Mapping[str, Any], namespace: str = "AWS/ECS") -> int:
        """Publishes metrics until the desired count is as it should be."""
        end = time.monotonic() + DEADLINE_S
        while not until(count := self.desired):
            assert time.monotonic() < end, f"{count} tasks are wanted"
            self.cloudwatch.put_metric_data(Namespace=namespace, MetricData=list(metrics))
            time.sleep(0.1)
        return count

    def cpu(self, value: float) -> dict[str, Any]:
        names = {"ClusterName": self.name, "ServiceName": self.name}
        dimensions = [{"Name": name, "Value": value} for name, value in names.items()]
        return {"MetricName": "CPUUtilization", "Dimensions": dimensions, "Value": value}

    def activities(self) -> list[str]:
        found = self.scaling.describe_scaling_activities(**self.identity)["ScalingActivities"]
        return [f"{item['Description']} {item['Cause']}" for item in found]

    def remove(self) -> None:
        for target in self.scaling.describe_scalable_targets(ServiceNamespace="ecs")["ScalableTargets"]:
            if target["ResourceId"] == self.identity["ResourceId"]:
                self.scaling.deregister_scalable_target(**self.identity)
        self.ecs.delete_service(cluster=self.name, service=self.name, force=True)


@pytest.fixture
def service(aws: Emulator, request: pytest.FixtureRequest) -> Any:
    made = Service(aws, f"scaled-{abs(hash(request.node.nodeid)) % 10**8}")
    yield made
    made.remove()


def test_load_scales_out_and_calm_scales_in(service: Service) -> None:
    service.register(least=1, most=5)
    alarms = service.follow(50.0)["Alarms"]
    assert service.feed(lambda count: count == 4, service.cpu(100.0)) == 4
    assert service.feed(lambda count: count == 1, service.cpu(5.0)) == 1
    less, more = service.activities()
    names = sorted(alarm["AlarmName"] for alarm in alarms)
    assert more == f"Setting desired count to 4. monitor alarm {names[0]} in state ALARM triggered policy cpu"
    assert less == f"Setting desired count to 1. monitor alarm {names[1]} in state ALARM triggered policy cpu"


def test_the_largest_capacity_is_never_exceeded(service: Service) -> None:
    service.register(least=1, most=3)
    service.follow(10.0)
    assert service.feed(lambda count: count > 2, service.cpu(100.0)) == 3


def test_requests_are_counted_for_each_minute_and_target(service: Service) -> None:
    service.register(most=20)
    predefined = {
        "PredefinedMetricType": "ALBRequestCountPerTarget",
        "ResourceLabel": f"app/{service.name}/1/targetgroup/{service.name}/2",
    }
    service.follow(600.0, PredefinedMetricSpecification=predefined)
    names = {"LoadBalancer": f"app/{service.name}/1", "TargetGroup": f"targetgroup/{service.name}/2"}
    dimensions = [{"Name": name, "Value": value} for name, value in names.items()]
    metric = {"MetricName": "RequestCountPerTarget", "Dimensions": dimensions, "Value": 40.0}
    assert service.feed(lambda count: count > 2, metric, namespace="AWS/ApplicationELB") > 2


def test_a_backlog_for_each_task_is_metric_math(service: Service) -> None:
    service.register(most=10)

    def query(name: str, metric: str) -> dict[str, Any]:
        stat = {"Metric": {"Namespace": service.name, "MetricName": metric, "Dimensions": []}, "Stat": "Average"}
        return {"Id": name, "MetricStat": stat, "ReturnData": False}

    metrics = [
        query("backlog", "Visible"),
        query("tasks", "Running"),
        {"Id": "each", "Expression": "backlog / MAX([FILL(tasks, 1), 1])", "ReturnData": True},
    ]
    service.follow(100.0, CustomizedMetricSpecification={"Metrics": metrics})
    data = {"MetricName": "Visible", "Value": 800.0}, {"MetricName": "Running", "Value": 2.0}
    assert service.feed(lambda count: count > 2, *data, namespace=service.name) == 8


def test_a_step_policy_answers_to_its_alarm(service: Service) -> None:
    service.register()
    steps = [
        {"MetricIntervalLowerBound": 0, "MetricIntervalUpperBound": 50, "ScalingAdjustment": 1},
        {"MetricIntervalLowerBound": 50, "ScalingAdjustment": 3},
    ]
    configuration = {"AdjustmentType": "ChangeInCapacity", "StepAdjustments": steps, "Cooldown": 3600}
    policy = service.scaling.put_scaling_policy(
        **service.identity, PolicyName="lag", PolicyType="StepScaling", StepScalingPolicyConfiguration=configuration
    )
    service.cloudwatch.put_metric_alarm(
        AlarmName=f"{service.name}-lag", Namespace=service.name, MetricName="Lag", Statistic="Maximum", Period=1,
        EvaluationPeriods=1, Threshold=100, ComparisonOperator="GreaterThanThreshold",
        AlarmActions=[policy["PolicyARN"]],
    )  # fmt: skip
    lag = {"MetricName": "Lag", "Value": 200.0}
    assert service.feed(lambda count: count > 2, lag, namespace=service.name) == 5
    assert f"monitor alarm {service.name}-lag in state ALARM triggered policy lag" in service.activities()[0]


def test_a_scheduled_action_sets_the_limits_when_its_time_comes(service: Service) -> None:
    service.register()
    moment = datetime.now(UTC) + timedelta(seconds=2)
    service.scaling.put_scheduled_action(
        **service.identity,
        ScheduledActionName="morning",
        Schedule=f"at({moment:%Y-%m-%dT%H:%M:%S})",
        ScalableTargetAction={"MinCapacity": 4, "MaxCapacity": 8},
    )
    assert service.feed(lambda count: count != 2, service.cpu(50.0)) == 4
    assert "scheduled action name morning was triggered" in service.activities()[0]
    (target,) = service.scaling.describe_scalable_targets(
        ServiceNamespace="ecs", ResourceIds=[service.identity["ResourceId"]]
    )["ScalableTargets"]
    assert (target["MinCapacity"], target["MaxCapacity"]) == (4, 8)


def test_scaling_that_is_suspended_waits(service: Service) -> None:
    service.register(SuspendedState={"DynamicScalingOutSuspended": True})
    service.follow(50.0)
    before = time.monotonic()
    service.feed(lambda count: count != 2 or time.monotonic() > before + 6, service.cpu(100.0))
    assert service.desired == 2
    service.scaling.register_scalable_target(**service.identity, SuspendedState={"DynamicScalingOutSuspended": False})
    assert service.feed(lambda count: count > 2, service.cpu(100.0)) == 4


def test_calls_about_what_is_not_there_are_refused(service: Service) -> None:
    scaling = service.scaling
    assert error_of(scaling.deregister_scalable_target, **service.identity) == "ObjectNotFoundException"
    assert error_of(scaling.register_scalable_target, **service.identity) == "ValidationException"
    nobody = {**service.identity, "ResourceId": "service/nowhere/nobody", "MinCapacity": 0, "MaxCapacity": 1}
    assert error_of(scaling.register_scalable_target, **nobody) == "ValidationException"
    service.register()
    assert error_of(scaling.delete_scaling_policy, **service.identity, PolicyName="x") == "ObjectNotFoundException"
    action = {"ScheduledActionName": "x", "Schedule": "cron(0 8 * * *)"}
    assert error_of(scaling.put_scheduled_action, **service.identity, **action) == "ValidationException"
    action["Schedule"] = "cron(0 8 * * ? *)"
    assert error_of(scaling.put_scheduled_action, **service.identity, **action) == ""
    assert error_of(scaling.delete_scheduled_action, **service.identity, ScheduledActionName="x") == ""


@pytest.mark.parametrize("value", ["0", "61", "soon", "1.5"])
def test_a_minute_is_between_one_and_sixty_seconds(monkeypatch: pytest.MonkeyPatch, value: str) -> None:
    monkeypatch.setenv(autoscaling.MINUTE, value)
    with pytest.raises(InputError, match="from 1 to 60"):
        autoscaling.minute_s()
