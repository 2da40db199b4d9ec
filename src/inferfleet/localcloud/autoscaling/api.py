"""The calls of Application Auto Scaling, in the JSON that boto3 and CloudFormation speak."""

from __future__ import annotations

import asyncio
import json
import uuid
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from inferfleet.localcloud.autoscaling import answers, schedule
from inferfleet.localcloud.autoscaling.alarms import Alarms
from inferfleet.localcloud.autoscaling.capacity import Services
from inferfleet.localcloud.autoscaling.records import Identity, Policy, Records, Region, Scheduled, Target
from inferfleet.localcloud.autoscaling.refusal import Refusal

_Parameters = Mapping[str, Any]
_KINDS = ("TargetTrackingScaling", "StepScaling")


@dataclass(frozen=True, slots=True)
class Caller:
    """For whom a call is done."""

    account: str
    region: str

    def arn(self, resource: str) -> str:
        """The ARN of something of theirs."""
        return f"arn:aws:{resource.split(':', 1)[0]}:{self.region}:{self.account}:{resource.split(':', 1)[1]}"


class Api:
    """Answers the calls.

    Args:
        records: Where everything is kept.
        services: The services that can be scaled.
        alarms: Makes the alarms of target tracking policies.
    """

    def __init__(self, records: Records, services: Services, alarms: Alarms) -> None:
        self._records = records
        self._services = services
        self._alarms = alarms
        self._calls: Mapping[str, Callable[[Caller, Region, _Parameters], dict[str, Any]]] = {
            "RegisterScalableTarget": self._register,
            "DeregisterScalableTarget": self._deregister,
            "DescribeScalableTargets": self._describe_targets,
            "PutScalingPolicy": self._put_policy,
            "DeleteScalingPolicy": self._delete_policy,
            "DescribeScalingPolicies": self._describe_policies,
            "PutScheduledAction": self._put_scheduled,
            "DeleteScheduledAction": self._delete_scheduled,
            "DescribeScheduledActions": self._describe_scheduled,
            "DescribeScalingActivities": self._describe_activities,
            "TagResource": self._tag,
            "UntagResource": self._untag,
            "ListTagsForResource": self._list_tags,
        }

    async def handle_request(
        self, method: str, path: str, headers: Mapping[str, str], body: bytes, query: _Parameters
    ) -> tuple[int, dict[str, str], bytes]:
        """Answers a request as MiniStack hands it over; what it calls in turn must not wait for this thread."""
        from ministack.core.responses import error_response_json, get_account_id, get_region

        call = self._calls.get(headers.get("x-amz-target", "").rpartition(".")[2])
        if call is None:
            refused: tuple[int, dict[str, str], bytes] = error_response_json("UnknownOperationException", "", 400)
            return refused
        caller = Caller(get_account_id(), get_region())
        region = self._records.region(caller.account, caller.region)
        try:
            answer = await asyncio.to_thread(call, caller, region, json.loads(body or b"{}"))
        except Refusal as refusal:
            refused = error_response_json(refusal.code, str(refusal), 400)
            return refused
        return 200, {"Content-Type": "application/x-amz-json-1.1"}, json.dumps(answer).encode()

    def _register(self, caller: Caller, region: Region, given: _Parameters) -> dict[str, Any]:
        identity = _identity(given)
        target = region.targets.get(identity)
        least, most = (given.get(name, getattr(target, old, None)) for name, old in
                       (("MinCapacity", "least"), ("MaxCapacity", "most")))  # fmt: skip
        if least is None or most is None:
            raise Refusal("ValidationException", "MinCapacity and MaxCapacity are required to register a target")
        if least > most:
            raise Refusal("ValidationException", "Maximum capacity cannot be less than minimum capacity")
        if target is None:
            self._services.check(caller.account, caller.region, identity)
            arn = caller.arn(f"application-autoscaling:scalable-target/{uuid.uuid4().hex[:32]}")
            target = Target(identity, arn, least, most, given.get("RoleARN") or _linked_role(caller, identity))
        with self._records.lock:
            target.least, target.most = least, most
            target.role = given.get("RoleARN") or target.role
            target.suspended |= given.get("SuspendedState") or {}
            target.tags |= given.get("Tags") or {}
            region.targets[identity] = target
        return {"ScalableTargetARN": target.arn}

    def _deregister(self, caller: Caller, region: Region, given: _Parameters) -> dict[str, Any]:
        target = _target(region, given)
        for policy in target.policies.values():
            self._alarms.remove(caller.account, caller.region, policy)
        with self._records.lock:
            region.targets.pop(target.identity, None)
        return {}

    def _describe_targets(self, caller: Caller, region: Region, given: _Parameters) -> dict[str, Any]:
        found = _matching(region, given)
        if wanted := given.get("ResourceIds"):
            found = [target for target in found if target.identity.resource in wanted]
        return {"ScalableTargets": [answers.target(item) for item in found]}

    def _put_policy(self, caller: Caller, region: Region, given: _Parameters) -> dict[str, Any]:
        target, name = _target(region, given), given["PolicyName"]
        old = target.policies.get(name)
        kind = given.get("PolicyType") or (old.kind if old else "StepScaling")
        if kind not in _KINDS:
            raise Refusal("ValidationException", f"the local cloud has no policies of type {kind}")
        configuration = given.get(f"{kind}PolicyConfiguration")
        if not configuration:
            raise Refusal("ValidationException", f"{kind}PolicyConfiguration is required for a policy of type {kind}")
        identity = target.identity
        resource = f"resource/{identity.namespace}/{identity.resource}"
        made_up = caller.arn(f"autoscaling:scalingPolicy:{uuid.uuid4()}:{resource}:policyName/{name}")
        policy = Policy(name, old.arn if old else made_up, kind, configuration)
        if old is not None:
            self._alarms.remove(caller.account, caller.region, old)
            policy.past, policy.created = old.past, old.created
        self._alarms.make(caller.account, caller.region, target, policy)
        with self._records.lock:
            target.policies[name] = policy
        return {"PolicyARN": policy.arn, "Alarms": answers.alarms(policy)}

    def _delete_policy(self, caller: Caller, region: Region, given: _Parameters) -> dict[str, Any]:
        target = _target(region, given)
        policy = target.policies.get(given["PolicyName"])
        if policy is None:
            raise Refusal("ObjectNotFoundException", f"No scaling policy found for {given['PolicyName']}")
        self._alarms.remove(caller.account, caller.region, policy)
        with self._records.lock:
            target.policies.pop(policy.name, None)
        return {}

    def _describe_policies(self, caller: Caller, region: Region, given: _Parameters) -> dict[str, Any]:
        names = given.get("PolicyNames")
        found = [
            answers.policy(target, policy)
            for target in _matching(region, given)
            for policy in target.policies.values()
            if not names or policy.name in names
        ]
        return {"ScalingPolicies": found}

    def _put_scheduled(self, caller: Caller, region: Region, given: _Parameters) -> dict[str, Any]:
        target, name = _target(region, given), given["ScheduledActionName"]
        old = target.scheduled.get(name)
        expression = given.get("Schedule") or (old.schedule if old else "")
        timezone = given.get("Timezone") or (old.timezone if old else "UTC")
        try:
            schedule.check(expression, timezone)
        except ValueError as error:
            raise Refusal("ValidationException", str(error)) from error
        limits = given.get("ScalableTargetAction") or {}
        resource = f"resource/{target.identity.namespace}/{target.identity.resource}"
        arn = caller.arn(f"autoscaling:scheduledAction:{uuid.uuid4()}:{resource}:scheduledActionName/{name}")
        action = Scheduled(
            name, old.arn if old else arn, expression, timezone, _moment(given.get("StartTime")),
            _moment(given.get("EndTime")), limits.get("MinCapacity"), limits.get("MaxCapacity"),
        )  # fmt: skip
        with self._records.lock:
            target.scheduled[name] = action
        return {}

    def _delete_scheduled(self, caller: Caller, region: Region, given: _Parameters) -> dict[str, Any]:
        target, name = _target(region, given), given["ScheduledActionName"]
        with self._records.lock:
            if target.scheduled.pop(name, None) is None:
                raise Refusal("ObjectNotFoundException", f"No scheduled action found for {name}")
        return {}

    def _describe_scheduled(self, caller: Caller, region: Region, given: _Parameters) -> dict[str, Any]:
        names = given.get("ScheduledActionNames")
        found = [
            answers.scheduled(target, action)
            for target in _matching(region, given)
            for action in target.scheduled.values()
            if not names or action.name in names
        ]
        return {"ScheduledActions": found}

    def _describe_activities(self, caller: Caller, region: Region, given: _Parameters) -> dict[str, Any]:
        found = [item for item in region.activities if _is_asked_for(item.identity, given)]
        return {"ScalingActivities": [answers.activity(item) for item in found]}

    def _tag(self, caller: Caller, region: Region, given: _Parameters) -> dict[str, Any]:
        _by_arn(region, given).tags.update(given.get("Tags") or {})
        return {}

    def _untag(self, caller: Caller, region: Region, given: _Parameters) -> dict[str, Any]:
        tags = _by_arn(region, given).tags
        for key in given.get("TagKeys") or ():
            tags.pop(key, None)
        return {}

    def _list_tags(self, caller: Caller, region: Region, given: _Parameters) -> dict[str, Any]:
        return {"Tags": _by_arn(region, given).tags}


def _identity(given: _Parameters) -> Identity:
    missing = [name for name in ("ServiceNamespace", "ResourceId", "ScalableDimension") if not given.get(name)]
    if missing:
        raise Refusal("ValidationException", f"{', '.join(missing)} must be given")
    return Identity(given["ServiceNamespace"], given["ResourceId"], given["ScalableDimension"])


def _target(region: Region, given: _Parameters) -> Target:
    identity = _identity(given)
    target = region.targets.get(identity)
    if target is None:
        about = f"service namespace: {identity.namespace}, resource ID: {identity.resource}, "
        about += f"scalable dimension: {identity.dimension}"
        raise Refusal("ObjectNotFoundException", f"No scalable target found for {about}")
    return target


def _by_arn(region: Region, given: _Parameters) -> Target:
    arn = given.get("ResourceARN")
    found = next((target for target in region.targets.values() if target.arn == arn), None)
    if found is None:
        raise Refusal("ResourceNotFoundException", f"The specified resource doesn't exist: {arn}")
    return found


def _matching(region: Region, given: _Parameters) -> list[Target]:
    return [target for target in region.targets.values() if _is_asked_for(target.identity, given)]


def _is_asked_for(identity: Identity, given: _Parameters) -> bool:
    wanted = {"ServiceNamespace": identity.namespace, "ResourceId": identity.resource}
    wanted["ScalableDimension"] = identity.dimension
    return all(given.get(name) in (None, value) for name, value in wanted.items())


def _linked_role(caller: Caller, identity: Identity) -> str:
    name = {"ecs": "ECSService"}.get(identity.namespace, identity.namespace.title())
    path = f"aws-service-role/{identity.namespace}.application-autoscaling.amazonaws.com"
    role = f"AWSServiceRoleForApplicationAutoScaling_{name}"
    return f"arn:aws:iam::{caller.account}:role/{path}/{role}"


def _moment(value: Any) -> datetime | None:
    if value is None:
        return None
    return (
        datetime.fromtimestamp(float(value), UTC) if isinstance(value, int | float) else datetime.fromisoformat(value)
    )
