"""Alarms that follow from other alarms."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from inferfleet.localcloud.cloudformation import shapes
from inferfleet.localcloud.cloudformation.resource import Client, Made, ResourceType, Wanted


class CompositeAlarm(ResourceType):
    """An alarm whose state is a rule over the states of others."""

    type = "AWS::CloudWatch::CompositeAlarm"
    create_only = ("AlarmName",)
    tags = "list"

    def create(self, wanted: Wanted) -> Made:
        """Puts it."""
        return self._put(wanted, wanted.named("AlarmName"))

    def update(self, there: str, wanted: Wanted, before: Mapping[str, Any]) -> Made:
        """Puts it anew; its state and its history stay."""
        return self._put(wanted, there)

    def delete(self, there: str, properties: Mapping[str, Any], client: Client) -> None:
        """Deletes it."""
        client("cloudwatch").delete_alarms(AlarmNames=[there])

    def _put(self, wanted: Wanted, name: str) -> Made:
        client = wanted.client("cloudwatch")
        client.put_composite_alarm(
            **shapes.parameters(client, "PutCompositeAlarm", {**wanted.properties, "AlarmName": name})
        )
        (alarm,) = client.describe_alarms(AlarmNames=[name], AlarmTypes=["CompositeAlarm"])["CompositeAlarms"]
        return Made(name, {"Arn": alarm["AlarmArn"]})


TYPES = (CompositeAlarm(),)
