"""Alarms of the running emulator."""

from __future__ import annotations

import time
from typing import Any

from tests.localcloud.cloudformation.emulator import Emulator


def _alarm(cloudwatch: Any, name: str, **more: Any) -> None:
    cloudwatch.put_metric_alarm(
        AlarmName=name, Namespace=name, MetricName="Lag", Statistic="Maximum", Period=60, Threshold=10,
        ComparisonOperator="GreaterThanThreshold", **more,
    )  # fmt: skip


def _put(cloudwatch: Any, name: str, value: float, *, minutes_ago: int = 0, **dimensions: str) -> None:
    named = [{"Name": key, "Value": text} for key, text in dimensions.items()]
    data = {"MetricName": "Lag", "Dimensions": named, "Value": value, "Timestamp": time.time() - 60 * minutes_ago}
    cloudwatch.put_metric_data(Namespace=name, MetricData=[data])


def _state(cloudwatch: Any, name: str) -> str:
    (found,) = cloudwatch.describe_alarms(AlarmNames=[name])["MetricAlarms"]
    return str(found["StateValue"])


def test_an_alarm_looks_at_its_own_dimensions_alone(aws: Emulator) -> None:
    cloudwatch = aws.client("cloudwatch")
    _alarm(cloudwatch, "own", EvaluationPeriods=1, Dimensions=[{"Name": "Camera", "Value": "gate"}])
    _put(cloudwatch, "own", 99.0, Camera="door")
    _put(cloudwatch, "own", 99.0)
    assert _state(cloudwatch, "own") == "INSUFFICIENT_DATA"
    _put(cloudwatch, "own", 1.0, Camera="gate")
    assert _state(cloudwatch, "own") == "OK"
    _put(cloudwatch, "own", 99.0, Camera="gate")
    assert _state(cloudwatch, "own") == "ALARM"


def test_one_bad_minute_of_three_is_no_alarm(aws: Emulator) -> None:
    cloudwatch = aws.client("cloudwatch")
    _alarm(cloudwatch, "three", EvaluationPeriods=3, DatapointsToAlarm=2)
    _put(cloudwatch, "three", 1.0, minutes_ago=2)
    _put(cloudwatch, "three", 99.0, minutes_ago=1)
    assert _state(cloudwatch, "three") == "OK"
    _put(cloudwatch, "three", 99.0)
    assert _state(cloudwatch, "three") == "ALARM"


def test_silence_is_what_the_alarm_makes_of_it(aws: Emulator) -> None:
    cloudwatch = aws.client("cloudwatch")
    states = {"missing": "INSUFFICIENT_DATA", "notBreaching": "OK", "breaching": "ALARM"}
    for treatment in states:
        _alarm(cloudwatch, treatment, EvaluationPeriods=1, TreatMissingData=treatment)
        _put(cloudwatch, treatment, 5.0, minutes_ago=10)
    assert {treatment: _state(cloudwatch, treatment) for treatment in states} == states
