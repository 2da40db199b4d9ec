"""What is kept, in the words of Application Auto Scaling's answers."""

from __future__ import annotations

from typing import Any

from inferfleet.localcloud.autoscaling.records import Activity, Identity, Policy, Scheduled, Target

_SUSPENDABLE = ("DynamicScalingInSuspended", "DynamicScalingOutSuspended", "ScheduledScalingSuspended")


def target(item: Target) -> dict[str, Any]:
    """A scalable target."""
    return {
        **_identity(item.identity),
        "MinCapacity": item.least,
        "MaxCapacity": item.most,
        "RoleARN": item.role,
        "CreationTime": item.created,
        "SuspendedState": {name: item.suspended.get(name, False) for name in _SUSPENDABLE},
        "ScalableTargetARN": item.arn,
    }


def policy(on: Target, item: Policy) -> dict[str, Any]:
    """A scaling policy of a target."""
    return {
        **_identity(on.identity),
        "PolicyARN": item.arn,
        "PolicyName": item.name,
        "PolicyType": item.kind,
        f"{item.kind}PolicyConfiguration": item.configuration,
        "Alarms": alarms(item),
        "CreationTime": item.created,
    }


def alarms(item: Policy) -> list[dict[str, str]]:
    """The alarms of a policy."""
    return [{"AlarmName": name, "AlarmARN": arn} for name, arn in item.alarms]


def scheduled(on: Target, item: Scheduled) -> dict[str, Any]:
    """A scheduled action of a target."""
    limits = {"MinCapacity": item.least, "MaxCapacity": item.most}
    found = {
        **_identity(on.identity),
        "ScheduledActionName": item.name,
        "ScheduledActionARN": item.arn,
        "Schedule": item.schedule,
        "Timezone": item.timezone,
        "ScalableTargetAction": {name: value for name, value in limits.items() if value is not None},
        "CreationTime": item.created,
    }
    times = {"StartTime": item.start, "EndTime": item.end}
    return found | {name: value.timestamp() for name, value in times.items() if value is not None}


def activity(item: Activity) -> dict[str, Any]:
    """Something that was done."""
    return {
        **_identity(item.identity),
        "ActivityId": item.id,
        "Description": item.description,
        "Cause": item.cause,
        "StartTime": item.at,
        "EndTime": item.at,
        "StatusCode": "Failed" if item.failure else "Successful",
        "StatusMessage": item.failure or f"Successfully {item.description[0].lower()}{item.description[1:]}",
    }


def _identity(item: Identity) -> dict[str, str]:
    return {
        "ServiceNamespace": item.namespace,
        "ResourceId": item.resource,
        "ScalableDimension": item.dimension,
    }
