"""Alarms: on a metric, on metric math, and on other alarms."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from inferfleet.localcloud.cloudformation import shapes
from inferfleet.localcloud.cloudformation.resource import Client, Made, ResourceType, Wanted
from inferfleet.localcloud.cloudwatch.derived import NAMESPACE, Derivation
from inferfleet.localcloud.cloudwatch.metric import Formula

_OF_AWS = "aws:"


class Alarm(ResourceType):
    """An alarm on a metric, or on metric math, which MiniStack's own type refuses.

    Args:
        derivation: Evaluates metric math.
    """

    type = "AWS::CloudWatch::Alarm"
    create_only = ("AlarmName",)
    tags = "list"

    def __init__(self, derivation: Derivation) -> None:
        self._derivation = derivation

    def create(self, wanted: Wanted) -> Made:
        """Puts it."""
        return self._put(wanted, wanted.named("AlarmName"), {})

    def update(self, there: str, wanted: Wanted, before: Mapping[str, Any]) -> Made:
        """Puts it anew; its state and its history stay."""
        return self._put(wanted, there, before)

    def delete(self, there: str, properties: Mapping[str, Any], client: Client) -> None:
        """Deletes it."""
        cloudwatch = client("cloudwatch")
        self._derivation.forget(cloudwatch, there)
        cloudwatch.delete_alarms(AlarmNames=[there])

    def _put(self, wanted: Wanted, name: str, before: Mapping[str, Any]) -> Made:
        client = wanted.client("cloudwatch")
        properties = {key: value for key, value in wanted.properties.items() if key != "Tags"}
        metrics = properties.pop("Metrics", None)
        formula = Formula.of(metrics) if metrics else None
        if formula is not None:
            watched = {"Namespace": NAMESPACE, "MetricName": name, "Statistic": "Average", "Period": formula.period_s}
            properties |= watched
        client.put_metric_alarm(**shapes.parameters(client, "PutMetricAlarm", {**properties, "AlarmName": name}))
        if formula is None:
            self._derivation.forget(client, name)
        else:
            self._derivation.keep(client, name, formula)
        (alarm,) = client.describe_alarms(AlarmNames=[name], AlarmTypes=["MetricAlarm"])["MetricAlarms"]
        _tagged(client, alarm["AlarmArn"], before, wanted.properties)
        return Made(name, {"Arn": alarm["AlarmArn"]})


class CompositeAlarm(ResourceType):
    """An alarm whose state is a rule over the states of others."""

    type = "AWS::CloudWatch::CompositeAlarm"
    create_only = ("AlarmName",)
    tags = "list"

    def create(self, wanted: Wanted) -> Made:
        """Puts it."""
        return self._put(wanted, wanted.named("AlarmName"), {})

    def update(self, there: str, wanted: Wanted, before: Mapping[str, Any]) -> Made:
        """Puts it anew; its state and its history stay."""
        return self._put(wanted, there, before)

    def delete(self, there: str, properties: Mapping[str, Any], client: Client) -> None:
        """Deletes it."""
        client("cloudwatch").delete_alarms(AlarmNames=[there])

    def _put(self, wanted: Wanted, name: str, before: Mapping[str, Any]) -> Made:
        client = wanted.client("cloudwatch")
        properties = {key: value for key, value in wanted.properties.items() if key != "Tags"} | {"AlarmName": name}
        client.put_composite_alarm(**shapes.parameters(client, "PutCompositeAlarm", properties))
        (alarm,) = client.describe_alarms(AlarmNames=[name], AlarmTypes=["CompositeAlarm"])["CompositeAlarms"]
        _tagged(client, alarm["AlarmArn"], before, wanted.properties)
        return Made(name, {"Arn": alarm["AlarmArn"]})


def _tagged(client: Any, arn: str, before: Mapping[str, Any], after: Mapping[str, Any]) -> None:
    """Brings the tags from what the template said to what it says; those of AWS's own CloudWatch does not take."""
    old, new = (
        {tag["Key"]: str(tag["Value"]) for tag in side.get("Tags") or () if not tag["Key"].startswith(_OF_AWS)}
        for side in (before, after)
    )
    if gone := sorted(old.keys() - new.keys()):
        client.untag_resource(ResourceARN=arn, TagKeys=gone)
    if set_ := [{"Key": key, "Value": value} for key, value in new.items() if old.get(key) != value]:
        client.tag_resource(ResourceARN=arn, Tags=set_)


TYPES = (CompositeAlarm(),)
