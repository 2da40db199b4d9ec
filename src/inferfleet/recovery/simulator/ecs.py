"""ECS's calls on a small cluster: placement, tasks, attributes, DRAINING, as facts about ECS say."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import TYPE_CHECKING

from inferfleet.recovery.simulator.errors import ApiError

if TYPE_CHECKING:
    from inferfleet.recovery.simulator.aws import Json, SimInstance, SmallCluster

_FORGET_AFTER = 3600.0
_TOKEN_LIVES = 24 * 3600.0
_ATTRIBUTE_VALUE = re.compile(r"(?! )[A-Za-z0-9._@/\\: -]{0,128}(?<! )")
"""What an attribute's value takes (ECS API reference, Attribute)."""


class EcsCalls:
    """Answers ECS's operations, by their names."""

    def __init__(self, cluster: SmallCluster) -> None:
        self.cluster = cluster
        self._tokens: dict[str, tuple[float, Json, str]] = {}
        self.operations: dict[str, Callable[[Json], Json]] = {
            "RunTask": self._run_task,
            "StopTask": self._stop_task,
            "ListTasks": self._list_tasks,
            "DescribeTasks": self._describe_tasks,
            "DescribeTaskDefinition": self._describe_task_definition,
            "ListContainerInstances": self._list_container_instances,
            "DescribeContainerInstances": self._describe_container_instances,
            "UpdateContainerInstancesState": self._update_container_instances_state,
            "PutAttributes": self._put_attributes,
            "DeleteAttributes": self._delete_attributes,
        }

    def _run_task(self, given: Json) -> Json:
        key = given.get("clientToken")
        if key in self._tokens:
            at, answer, fingerprint = self._tokens[key]
            if self.cluster.now - at < _TOKEN_LIVES:
                if fingerprint != _fingerprint(given):
                    raise ApiError("ConflictException", "the same clientToken was used with other parameters")
                return answer
        wanted = self.cluster.gpus_of(given)
        item, reason = self._place(given, wanted)
        if item is None:
            return {"tasks": [], "failures": [{"arn": self.cluster.cluster_arn, "reason": reason}]}
        task = self.cluster.make_task(given, item, wanted)
        answer = {"tasks": [task], "failures": []}
        if key:
            self._tokens[key] = (self.cluster.now, answer, _fingerprint(given))
        return answer

    def _place(self, given: Json, gpus: int) -> tuple[SimInstance | None, str]:
        reason = "RESOURCE:GPU"
        for item in self.cluster.instances.values():
            if item.gone or not _fits(item, given.get("placementConstraints", [])):
                reason = "MemberOf placement constraint unsatisfied." if reason == "RESOURCE:GPU" else reason
            elif item.status != "ACTIVE":
                reason = "INACTIVE" if item.status == "INACTIVE" else "DRAINING"
            elif not item.connected:
                reason = "AGENT"
            elif (
                len(item.gpus) - sum(len(task["containers"][0]["gpuIds"]) for task in self.cluster.tasks_on(item))
                < gpus
            ):
                reason = "RESOURCE:GPU"
                return None, reason
            else:
                return item, ""
        return None, reason

    def _stop_task(self, given: Json) -> Json:
        task = self.cluster.tasks.get(given["task"])
        if task is None:
            raise ApiError("InvalidParameterException", "The referenced task was not found.")
        item = self.cluster.instance_by_arn(task["containerInstanceArn"])
        task["desiredStatus"] = "STOPPED"
        if item is not None and item.connected and task["lastStatus"] != "STOPPED":
            self.cluster.end(task, 137, "UserInitiated", given.get("reason", "Task stopped by user"))
        return {"task": task}

    def _list_tasks(self, given: Json) -> Json:
        desired = given.get("desiredStatus", "RUNNING")
        arns = [
            arn
            for arn, task in self.cluster.tasks.items()
            if task["desiredStatus"] == desired
            and given.get("startedBy") in (None, task["startedBy"])
            and given.get("containerInstance") in (None, task["containerInstanceArn"])
            and (task["lastStatus"] != "STOPPED" or self.cluster.now - task["stoppedAt"] < _FORGET_AFTER)
        ]
        return _page("taskArns", arns, given)

    def _describe_tasks(self, given: Json) -> Json:
        found = [self.cluster.tasks[arn] for arn in given["tasks"] if arn in self.cluster.tasks]
        return {"tasks": found, "failures": []}

    def _describe_task_definition(self, given: Json) -> Json:
        return {"taskDefinition": self.cluster.definition_of(given["taskDefinition"])}

    def _list_container_instances(self, given: Json) -> Json:
        return _page(
            "containerInstanceArns", [item.arn for item in self.cluster.instances.values() if not item.gone], given
        )

    def _describe_container_instances(self, given: Json) -> Json:
        wanted = set(given["containerInstances"])
        found = [
            self.cluster.as_ecs(item)
            for item in self.cluster.instances.values()
            if item.arn in wanted and not item.gone
        ]
        return {"containerInstances": found, "failures": []}

    def _update_container_instances_state(self, given: Json) -> Json:
        found = [
            item
            for item in self.cluster.instances.values()
            if item.arn in given["containerInstances"] and not item.gone
        ]
        for item in found:
            item.status = given["status"]
            self.cluster.instance_changed(item)
            if item.status == "DRAINING":
                for task in self.cluster.tasks_on(item):
                    if task["group"].startswith("service:"):
                        self.cluster.end(
                            task, 143, "ServiceSchedulerInitiated", "Scaling activity initiated by deployment"
                        )
        return {"containerInstances": [self.cluster.as_ecs(item) for item in found], "failures": []}

    def _put_attributes(self, given: Json) -> Json:
        for attribute in given["attributes"]:
            item = self._target(attribute)
            if not _ATTRIBUTE_VALUE.fullmatch(attribute.get("value", "")):
                raise ApiError("InvalidParameterException", f"the value of {attribute['name']} has unfit characters")
            item.attributes[attribute["name"]] = attribute.get("value", "")
            self.cluster.instance_changed(item)
        return {"attributes": given["attributes"]}

    def _delete_attributes(self, given: Json) -> Json:
        for attribute in given["attributes"]:
            item = self._target(attribute)
            item.attributes.pop(attribute["name"], None)
            self.cluster.instance_changed(item)
        return {"attributes": given["attributes"]}

    def _target(self, attribute: Json) -> SimInstance:
        item = self.cluster.instance_by_arn(attribute.get("targetId", ""))
        if item is None or item.gone:
            raise ApiError("TargetNotFoundException", "The specified target wasn't found.")
        return item


def _fingerprint(given: Json) -> str:
    return repr(sorted((key, repr(value)) for key, value in given.items()))


def _page(name: str, arns: list[str], given: Json) -> Json:
    """A page of at most 100, as ECS lists."""
    begin = int(given.get("nextToken", 0))
    size = min(100, given.get("maxResults", 100))
    answer: Json = {name: arns[begin : begin + size]}
    if begin + size < len(arns):
        answer["nextToken"] = str(begin + size)
    return answer


def _fits(item: SimInstance, constraints: list[Json]) -> bool:
    """Whether an instance satisfies placement constraints of the two kinds that recovery writes.

    Raises:
        ApiError: For an expression that the simulator does not know: it never guesses.
    """
    for constraint in constraints:
        words = constraint.get("expression", "").split()
        match words:
            case ["ec2InstanceId", "==", node]:
                fits = item.id == node
            case [name, "!exists"] if name.startswith("attribute:"):
                fits = name.removeprefix("attribute:") not in item.attributes
            case _:
                raise ApiError("InvalidParameterException", f"the simulator cannot judge {constraint}")
        if not fits:
            return False
    return True
