"""Scalable targets and scaling policies of Application Auto Scaling."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from inferfleet.localcloud.cloudformation import shapes
from inferfleet.localcloud.cloudformation.resource import Client, Made, ResourceType, Wanted, is_settled

_API = "application-autoscaling"
_GONE = "ObjectNotFoundException"
_IDENTITY = ("ServiceNamespace", "ResourceId", "ScalableDimension")


class ScalableTarget(ResourceType):
    """Something that can be scaled, with its limits and what changes them by the clock."""

    type = "AWS::ApplicationAutoScaling::ScalableTarget"
    create_only = ("ResourceId", "ScalableDimension", "ServiceNamespace")
    tags = "list"

    def create(self, wanted: Wanted) -> Made:
        """Registers it."""
        return self._put(wanted, {})

    def update(self, there: str, wanted: Wanted, before: Mapping[str, Any]) -> Made:
        """Changes its limits and its scheduled actions."""
        return self._put(wanted, before)

    def delete(self, there: str, properties: Mapping[str, Any], client: Client) -> None:
        """Deregisters it, with its policies and scheduled actions."""
        try:
            client(_API).deregister_scalable_target(**_identity(properties))
        except Exception as error:
            if not is_settled(error, _GONE):
                raise

    def _put(self, wanted: Wanted, before: Mapping[str, Any]) -> Made:
        client, properties = wanted.client(_API), dict(wanted.properties)
        before = dict(before)
        actions, old = (
            {action["ScheduledActionName"]: action for action in side.pop("ScheduledActions", None) or ()}
            for side in (properties, before)
        )
        tags, old_tags = (_tags(side.pop("Tags", None)) for side in (properties, before))
        made = client.register_scalable_target(**shapes.parameters(client, "RegisterScalableTarget", properties))
        arn = made["ScalableTargetARN"]
        if gone := sorted(old_tags.keys() - tags.keys()):
            client.untag_resource(ResourceARN=arn, TagKeys=gone)
        if tags:
            client.tag_resource(ResourceARN=arn, Tags=tags)
        for name in old.keys() - actions.keys():
            client.delete_scheduled_action(**_identity(properties), ScheduledActionName=name)
        for action in actions.values():
            client.put_scheduled_action(
                **_identity(properties), **shapes.parameters(client, "PutScheduledAction", action)
            )
        there = "|".join(str(properties[name]) for name in ("ResourceId", "ScalableDimension", "ServiceNamespace"))
        return Made(there, {"Id": there})


class ScalingPolicy(ResourceType):
    """How a target follows a metric. It names its target by `ScalingTargetId`, or by what identifies it."""

    type = "AWS::ApplicationAutoScaling::ScalingPolicy"
    create_only = ("PolicyName", "ServiceNamespace", "ResourceId", "ScalableDimension", "ScalingTargetId")

    def create(self, wanted: Wanted) -> Made:
        """Puts it on its target."""
        client = wanted.client(_API)
        properties = _with_target(wanted.properties)
        properties["PolicyName"] = wanted.named("PolicyName")
        made = client.put_scaling_policy(**shapes.parameters(client, "PutScalingPolicy", properties))
        return Made(made["PolicyARN"], {"Arn": made["PolicyARN"]})

    def update(self, there: str, wanted: Wanted, before: Mapping[str, Any]) -> Made:
        """Puts it anew under its name."""
        name = there.rpartition("policyName/")[2]
        return self.create(Wanted(wanted.properties, name, wanted.client))

    def delete(self, there: str, properties: Mapping[str, Any], client: Client) -> None:
        """Takes it off its target."""
        identity = _identity(_with_target(properties))
        try:
            client(_API).delete_scaling_policy(PolicyName=there.rpartition("policyName/")[2], **identity)
        except Exception as error:
            if not is_settled(error, _GONE):
                raise


def _identity(properties: Mapping[str, Any]) -> dict[str, str]:
    return {name: str(properties[name]) for name in _IDENTITY}


def _tags(given: Sequence[Mapping[str, Any]] | None) -> dict[str, str]:
    return {str(tag["Key"]): str(tag["Value"]) for tag in given or ()}


def _with_target(properties: Mapping[str, Any]) -> dict[str, Any]:
    """Properties with the target's identity in the place of its id."""
    found = dict(properties)
    target = found.pop("ScalingTargetId", None)
    if target is not None:
        resource, dimension, namespace = str(target).split("|")
        found |= {"ResourceId": resource, "ScalableDimension": dimension, "ServiceNamespace": namespace}
    return found


TYPES = (ScalableTarget(), ScalingPolicy())
