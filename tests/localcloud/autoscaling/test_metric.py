"""What target tracking policies follow."""

from __future__ import annotations

import pytest

from inferfleet.localcloud.autoscaling.metric import followed
from inferfleet.localcloud.autoscaling.records import Identity
from inferfleet.localcloud.cloudwatch.metric import Formula, Metric

SERVICE = Identity("ecs", "service/fleet/api", "ecs:service:DesiredCount")


def predefined(kind: str, label: str | None = None) -> dict:
    return {"PredefinedMetricSpecification": {"PredefinedMetricType": kind, "ResourceLabel": label}}


def test_cpu_is_that_of_the_service() -> None:
    dimensions = (("ClusterName", "fleet"), ("ServiceName", "api"))
    assert followed(predefined("ECSServiceAverageCPUUtilization"), SERVICE) == Metric(
        "AWS/ECS", "CPUUtilization", dimensions, "Average"
    )


def test_requests_are_those_of_the_target_group() -> None:
    found = followed(predefined("ALBRequestCountPerTarget", "app/alb/1/targetgroup/tg/2"), SERVICE)
    assert isinstance(found, Metric)
    assert dict(found.dimensions) == {"LoadBalancer": "app/alb/1", "TargetGroup": "targetgroup/tg/2"}
    assert found.statistic == "Sum"


@pytest.mark.parametrize("label", ["loadbalancer/app/alb/1/targetgroup/tg/2", "app/alb/1", ""])
def test_a_wrong_label_is_said(label: str) -> None:
    with pytest.raises(ValueError, match="ResourceLabel"):
        followed(predefined("ALBRequestCountPerTarget", label), SERVICE)


def query(name: str, **more: object) -> dict:
    return {"Id": name, "ReturnData": False, **more}


def stat(metric: str) -> dict:
    return {"Metric": {"Namespace": "AWS/SQS", "MetricName": metric, "Dimensions": []}, "Stat": "Average"}


def test_expressions_are_put_in_the_order_in_which_they_can_be_evaluated() -> None:
    metrics = [
        {"Id": "result", "Expression": "half + 1"},
        query("half", Expression="m / 2"),
        query("m", MetricStat=stat("Visible")),
    ]
    found = followed({"CustomizedMetricSpecification": {"Metrics": metrics}}, SERVICE)
    assert isinstance(found, Formula)
    assert [name for name, _ in found.expressions] == ["half", "result"]
    assert found.result == "result"


def test_expressions_in_a_circle_are_refused() -> None:
    metrics = [{"Id": "a", "Expression": "b + 1"}, query("b", Expression="a + 1")]
    with pytest.raises(ValueError, match="use what is not there"):
        followed({"CustomizedMetricSpecification": {"Metrics": metrics}}, SERVICE)
