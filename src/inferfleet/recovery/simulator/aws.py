"""ECS, EC2 and Auto Scaling as facts about them say they behave, for the calls that recovery makes.

A small cluster with a clock that the caller turns. Versions count up with every change; RunTask knows client tokens,
placement constraints, fences, draining and GPUs; a reboot takes effect only when the caller lets it; stopped tasks
are forgotten after an hour. Every change is also an EventBridge event in `events`, to deliver, lose or repeat.
"""

import itertools
import re
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

REGION = "us-east-1"
_FORGET_AFTER = 3600.0
_TOKEN_LIVES = 24 * 3600.0
_ATTRIBUTE_VALUE = re.compile(r"(?! )[A-Za-z0-9._@/\\: -]{0,128}(?<! )")
"""What an attribute's value takes (ECS API reference, Attribute)."""

Json = dict[str, Any]


class ApiError(Exception):
    """An error that the service answers with."""

    def __init__(self, code: str, message: str, status: int = 400) -> None:
        super().__init__(message)
        self.code, self.message, self.status = code, message, status


@dataclass(slots=True)
class SimInstance:
    """An EC2 instance that is a container instance."""

    id: str
    arn: str
    gpus: tuple[str, ...]
    version: int = 1
    status: str = "ACTIVE"
    connected: bool = True
    impaired: bool = False
    boot: int = 1
    booted_at: float = 0.0
    gone: bool = False
    lifecycle: str = "InService"
    grouped: bool = True
    """Whether it belongs to the Auto Scaling group."""
    attributes: dict[str, str] = field(default_factory=dict)
    scheduled: list[Json] = field(default_factory=list)
    verdict: Callable[[list[str]], tuple[int, str]] | None = None
    """What a diagnostic task on it ends with: command → (exit code, log)."""


class SmallCluster:
    """One cluster of container instances in one Auto Scaling group."""

    def __init__(
        self,
        name: str = "gpu",
        nodes: int = 2,
        gpus: int = 8,
        now: float = 1_800_000_000.0,
        *,
        account: str = "111122223333",
    ) -> None:
        self.name = name
        self.account = account
        self.now = now
        self.instances: dict[str, SimInstance] = {}
        self.tasks: dict[str, Json] = {}
        self.definitions: dict[str, Json] = {}
        self.events: list[Json] = []
        self.calls: list[tuple[str, Json]] = []
        self.published: list[Json] = []
        self.logs: dict[tuple[str, str], list[str]] = {}
        self.rebooted: list[str] = []
        self.terminated: list[str] = []
        self.throttle: dict[str, int] = {}
        """Operation → how many of its next calls are throttled."""
        self.least = 0
        """The Auto Scaling group's least size."""
        self._tokens: dict[str, tuple[float, Json, str]] = {}
        self._count = itertools.count(1)
        for _ in range(nodes):
            self.add_instance(gpus)

    @property
    def cluster_arn(self) -> str:
        """ARN of the cluster."""
        return f"arn:aws:ecs:{REGION}:{self.account}:cluster/{self.name}"

    def add_instance(self, gpus: int = 8) -> SimInstance:
        """An instance joins the cluster."""
        number = next(self._count)
        node = f"i-{number:017x}"
        arn = f"arn:aws:ecs:{REGION}:{self.account}:container-instance/{self.name}/{number:032x}"
        names = tuple(f"GPU-{number:04d}-{at}" for at in range(gpus))
        item = SimInstance(node, arn, names, booted_at=self.now)
        self.instances[node] = item
        self._set_boot(item)
        return item

    def serve(self, operation: str, given: Json) -> Json:
        """Answers one call, by the name of its operation.

        Raises:
            ApiError: As the service would.
        """
        self.calls.append((operation, given))
        if self.throttle.get(operation, 0) > 0:
            self.throttle[operation] -= 1
            raise ApiError("ThrottlingException", "Rate exceeded")
        handler = getattr(self, f"_{operation}", None)
        if handler is None:
            raise ApiError("InvalidAction", f"the simulator has no {operation}")
        answer: Json = handler(given)
        return answer

    # What the world does

    def exit_task(self, arn: str, exit_code: int, *, reason: str = "Essential container in task exited") -> None:
        """A task's container exits by itself."""
        self._end(self.tasks[arn], exit_code, "EssentialContainerExited", reason)

    def place_service(self, service: str, node: str, definition: str) -> str:
        """ECS places a task of a service on an instance; returns its ARN."""
        given = {"taskDefinition": definition, "group": f"service:{service}", "startedBy": f"ecs-svc/{service}"}
        return str(self._make_task(given, self.instances[node], self._gpus_of(given))["taskArn"])

    def user_stops(self, arn: str) -> None:
        """A person stops a task in the console."""
        self._end(self.tasks[arn], 143, "UserInitiated", "Task stopped by user")

    def run_pending(self) -> None:
        """Tasks that were placed come up; diagnoses run to their end."""
        for task in list(self.tasks.values()):
            if task["lastStatus"] == "PENDING":
                task["lastStatus"] = "RUNNING"
                self._task_changed(task)
                if task["startedBy"].startswith("inferfleet-diagnosis/"):
                    self._finish_diagnosis(task)

    def go_down(self, node: str) -> None:
        """An instance stops answering."""
        item = self.instances[node]
        item.connected = False
        self._instance_changed(item)

    def come_up(self, node: str) -> None:
        """An instance has booted; its agent reports that the tasks of the last boot have stopped."""
        item = self.instances[node]
        item.boot += 1
        item.booted_at = self.now
        item.connected, item.impaired = True, False
        self._set_boot(item)
        for task in self._tasks_on(item):
            self._end(task, None, "TerminationNotice", "Host EC2 instance rebooted")
        self._instance_changed(item)

    def leave(self, node: str) -> None:
        """A terminated instance is gone."""
        item = self.instances[node]
        item.gone, item.status, item.connected = True, "INACTIVE", False
        for task in self._tasks_on(item):
            self._end(task, None, "TerminationNotice", "Host EC2 instance terminated")
        self._instance_changed(item)

    def running(self, prefix: str = "inferfleet/") -> list[Json]:
        """Live tasks whose `startedBy` begins with a prefix."""
        return [
            task
            for task in self.tasks.values()
            if task["lastStatus"] != "STOPPED" and task["startedBy"].startswith(prefix)
        ]

    # ECS

    def _RunTask(self, given: Json) -> Json:
        key = given.get("clientToken")
        if key in self._tokens:
            at, answer, fingerprint = self._tokens[key]
            if self.now - at < _TOKEN_LIVES:
                if fingerprint != _fingerprint(given):
                    raise ApiError("ConflictException", "the same clientToken was used with other parameters")
                return answer
        wanted = self._gpus_of(given)
        item, reason = self._place(given, wanted)
        if item is None:
            return {"tasks": [], "failures": [{"arn": self.cluster_arn, "reason": reason}]}
        task = self._make_task(given, item, wanted)
        answer = {"tasks": [task], "failures": []}
        if key:
            self._tokens[key] = (self.now, answer, _fingerprint(given))
        return answer

    def _place(self, given: Json, gpus: int) -> tuple[SimInstance | None, str]:
        reason = "RESOURCE:GPU"
        for item in self.instances.values():
            if item.gone or not _fits(item, given.get("placementConstraints", [])):
                reason = "MemberOf placement constraint unsatisfied." if reason == "RESOURCE:GPU" else reason
            elif item.status != "ACTIVE":
                reason = "INACTIVE" if item.status == "INACTIVE" else "DRAINING"
            elif not item.connected:
                reason = "AGENT"
            elif len(item.gpus) - sum(len(task["containers"][0]["gpuIds"]) for task in self._tasks_on(item)) < gpus:
                reason = "RESOURCE:GPU"
                return None, reason
            else:
                return item, ""
        return None, reason

    def _make_task(self, given: Json, item: SimInstance, gpus: int) -> Json:
        arn = f"arn:aws:ecs:{REGION}:{self.account}:task/{self.name}/{next(self._count):032x}"
        used = {gpu for task in self._tasks_on(item) for gpu in task["containers"][0]["gpuIds"]}
        free = [gpu for gpu in item.gpus if gpu not in used][:gpus]
        name = next((entry["name"] for entry in given.get("overrides", {}).get("containerOverrides", [])), "main")
        task = {
            "taskArn": arn,
            "clusterArn": self.cluster_arn,
            "containerInstanceArn": item.arn,
            "taskDefinitionArn": f"arn:aws:ecs:{REGION}:{self.account}:task-definition/{given['taskDefinition']}:1",
            "containers": [{"name": name, "lastStatus": "PENDING", "gpuIds": free}],
            "desiredStatus": "RUNNING",
            "lastStatus": "PENDING",
            "group": given.get("group", ""),
            "startedBy": given.get("startedBy", ""),
            "overrides": given.get("overrides", {}),
            "createdAt": self.now,
            "version": 1,
        }
        self.tasks[arn] = task
        self._task_changed(task)
        return task

    def _StopTask(self, given: Json) -> Json:
        task = self.tasks.get(given["task"])
        if task is None:
            raise ApiError("InvalidParameterException", "The referenced task was not found.")
        item = self._instance_by_arn(task["containerInstanceArn"])
        task["desiredStatus"] = "STOPPED"
        if item is not None and item.connected and task["lastStatus"] != "STOPPED":
            self._end(task, 137, "UserInitiated", given.get("reason", "Task stopped by user"))
        return {"task": task}

    def _ListTasks(self, given: Json) -> Json:
        desired = given.get("desiredStatus", "RUNNING")
        arns = [
            arn
            for arn, task in self.tasks.items()
            if task["desiredStatus"] == desired
            and given.get("startedBy") in (None, task["startedBy"])
            and given.get("containerInstance") in (None, task["containerInstanceArn"])
            and (task["lastStatus"] != "STOPPED" or self.now - task["stoppedAt"] < _FORGET_AFTER)
        ]
        return _page("taskArns", arns, given)

    def _DescribeTasks(self, given: Json) -> Json:
        found = [self.tasks[arn] for arn in given["tasks"] if arn in self.tasks]
        return {"tasks": found, "failures": []}

    def _DescribeTaskDefinition(self, given: Json) -> Json:
        name = _family(given["taskDefinition"])
        if name not in self.definitions:
            raise ApiError("ClientException", "Unable to describe task definition.")
        return {"taskDefinition": self.definitions[name]}

    def _ListContainerInstances(self, given: Json) -> Json:
        return _page("containerInstanceArns", [item.arn for item in self.instances.values() if not item.gone], given)

    def _DescribeContainerInstances(self, given: Json) -> Json:
        wanted = set(given["containerInstances"])
        found = [self._as_ecs(item) for item in self.instances.values() if item.arn in wanted and not item.gone]
        return {"containerInstances": found, "failures": []}

    def _PutAttributes(self, given: Json) -> Json:
        for attribute in given["attributes"]:
            item = self._target(attribute)
            if not _ATTRIBUTE_VALUE.fullmatch(attribute.get("value", "")):
                raise ApiError("InvalidParameterException", f"the value of {attribute['name']} has unfit characters")
            item.attributes[attribute["name"]] = attribute.get("value", "")
            self._instance_changed(item)
        return {"attributes": given["attributes"]}

    def _DeleteAttributes(self, given: Json) -> Json:
        for attribute in given["attributes"]:
            item = self._target(attribute)
            item.attributes.pop(attribute["name"], None)
            self._instance_changed(item)
        return {"attributes": given["attributes"]}

    def _UpdateContainerInstancesState(self, given: Json) -> Json:
        found = [item for item in self.instances.values() if item.arn in given["containerInstances"] and not item.gone]
        for item in found:
            item.status = given["status"]
            self._instance_changed(item)
            if item.status == "DRAINING":
                for task in self._tasks_on(item):
                    if task["group"].startswith("service:"):
                        self._end(task, 143, "ServiceSchedulerInitiated", "Scaling activity initiated by deployment")
        return {"containerInstances": [self._as_ecs(item) for item in found], "failures": []}

    # EC2, Auto Scaling, SNS, Logs

    def _RebootInstances(self, given: Json) -> Json:
        self.rebooted += given["InstanceIds"]
        return {}

    def _DescribeInstanceStatus(self, given: Json) -> Json:
        items = [self.instances[key] for key in given["InstanceIds"] if key in self.instances]
        return {
            "InstanceStatuses": [
                {
                    "InstanceId": item.id,
                    "InstanceStatus": {"Status": "impaired" if item.impaired else "ok"},
                    "SystemStatus": {"Status": "ok"},
                    "Events": item.scheduled,
                }
                for item in items
            ]
        }

    def _DescribeAutoScalingInstances(self, given: Json) -> Json:
        items = [self.instances[key] for key in given["InstanceIds"] if key in self.instances]
        return {
            "AutoScalingInstances": [
                {
                    "InstanceId": item.id,
                    "AutoScalingGroupName": "gpu-nodes",
                    "AvailabilityZone": "us-east-1a",
                    "LifecycleState": item.lifecycle,
                    "HealthStatus": "HEALTHY",
                    "ProtectedFromScaleIn": False,
                }
                for item in items
                if item.grouped and not item.gone
            ]
        }

    def _EnterStandby(self, given: Json) -> Json:
        serving = sum(item.grouped and item.lifecycle == "InService" for item in self.instances.values())
        if given["ShouldDecrementDesiredCapacity"] and serving - len(given["InstanceIds"]) < self.least:
            raise ApiError("ValidationError", f"AutoScalingGroup gpu-nodes has min-size={self.least}")
        for key in given["InstanceIds"]:
            self._in_group(key, "InService").lifecycle = "Standby"
        return {"Activities": []}

    def _ExitStandby(self, given: Json) -> Json:
        for key in given["InstanceIds"]:
            self._in_group(key, "Standby").lifecycle = "InService"
        return {"Activities": []}

    def _in_group(self, node: str, lifecycle: str) -> SimInstance:
        item = self.instances[node]
        if not item.grouped or item.lifecycle != lifecycle:
            raise ApiError("ValidationError", f"The instance {node} is in {item.lifecycle}, not in {lifecycle}")
        return item

    def _TerminateInstanceInAutoScalingGroup(self, given: Json) -> Json:
        self._in_group(given["InstanceId"], "InService").lifecycle = "Terminating"
        self.terminated.append(given["InstanceId"])
        return {}

    def _Publish(self, given: Json) -> Json:
        self.published.append(given)
        return {"MessageId": f"message-{len(self.published)}"}

    def _GetLogEvents(self, given: Json) -> Json:
        lines = self.logs.get((given["logGroupName"], given["logStreamName"]))
        if lines is None:
            raise ApiError("ResourceNotFoundException", "The specified log stream does not exist.")
        first = "nextToken" not in given
        return {
            "events": [{"timestamp": 1, "message": line, "ingestionTime": 1} for line in lines] if first else [],
            "nextForwardToken": "f/end",
            "nextBackwardToken": "b/start",
        }

    # Inside

    def _finish_diagnosis(self, task: Json) -> None:
        item = self._instance_by_arn(task["containerInstanceArn"])
        if item is None:
            return
        asked: list[Json] = task["overrides"].get("containerOverrides", [])
        command = asked[0].get("command", []) if asked else []
        code, log = item.verdict(command) if item.verdict is not None else (0, "")
        head = f"boot-id: {_boot_id(item)} at {item.booted_at}"
        self._log(task, [head, *log.splitlines()])
        self._end(task, code, "EssentialContainerExited", "Essential container in task exited")

    def _log(self, task: Json, lines: list[str]) -> None:
        """Keeps what a container prints where its definition's awslogs options say."""
        definition = self.definitions[_family(task["taskDefinitionArn"])]
        container = definition["containerDefinitions"][0]
        options = container["logConfiguration"]["options"]
        stream = f"{options['awslogs-stream-prefix']}/{container['name']}/{task['taskArn'].rsplit('/', 1)[-1]}"
        self.logs[options["awslogs-group"], stream] = lines

    def _set_boot(self, item: SimInstance) -> None:
        item.attributes["inferfleet.boot"] = f"{_boot_id(item)}@{item.booted_at}"

    def _end(self, task: Json, exit_code: int | None, code: str, reason: str) -> None:
        task.update(desiredStatus="STOPPED", lastStatus="STOPPED", stopCode=code, stoppedReason=reason)
        task.update(stoppedAt=self.now, stoppingAt=self.now)
        for container in task["containers"]:
            container["lastStatus"] = "STOPPED"
            if exit_code is not None:
                container["exitCode"] = exit_code
        self._task_changed(task)

    def _tasks_on(self, item: SimInstance) -> list[Json]:
        return [
            task
            for task in self.tasks.values()
            if task["containerInstanceArn"] == item.arn and task["lastStatus"] != "STOPPED"
        ]

    def _instance_by_arn(self, arn: str) -> SimInstance | None:
        return next((item for item in self.instances.values() if item.arn == arn), None)

    def _target(self, attribute: Json) -> SimInstance:
        item = self._instance_by_arn(attribute.get("targetId", ""))
        if item is None or item.gone:
            raise ApiError("TargetNotFoundException", "The specified target wasn't found.")
        return item

    def _gpus_of(self, given: Json) -> int:
        definition = self.definitions.get(_family(given["taskDefinition"]))
        if definition is None:
            raise ApiError("ClientException", "TaskDefinition not found.")
        asked = {item.get("name"): item for item in given.get("overrides", {}).get("containerOverrides", [])}
        return sum(
            int(need["value"])
            for container in definition["containerDefinitions"]
            for need in asked.get(container["name"], {}).get(
                "resourceRequirements", container.get("resourceRequirements", [])
            )
            if need["type"] == "GPU"
        )

    def _as_ecs(self, item: SimInstance) -> Json:
        return {
            "containerInstanceArn": item.arn,
            "ec2InstanceId": item.id,
            "version": item.version,
            "status": item.status,
            "agentConnected": item.connected,
            "registeredResources": [{"name": "GPU", "type": "STRINGSET", "stringSetValue": list(item.gpus)}],
            "attributes": [{"name": name, "value": value} for name, value in item.attributes.items()],
        }

    def _task_changed(self, task: Json) -> None:
        task["version"] += 1
        self._emit("ECS Task State Change", {**task, **{key: _iso(task[key]) for key in _TIMES if key in task}})

    def _instance_changed(self, item: SimInstance) -> None:
        item.version += 1
        self._emit("ECS Container Instance State Change", {**self._as_ecs(item), "clusterArn": self.cluster_arn})

    def _emit(self, kind: str, detail: Json) -> None:
        import json

        self.events.append(
            {
                "version": "0",
                "id": f"event-{len(self.events)}",
                "detail-type": kind,
                "source": "aws.ecs",
                "account": self.account,
                "region": REGION,
                "time": _iso(self.now),
                "resources": [],
                "detail": json.loads(json.dumps(detail)),
            }
        )


_TIMES = ("createdAt", "startedAt", "stoppedAt", "stoppingAt")


def _family(definition: str) -> str:
    """A task definition's family, from its name, `family:revision` or ARN."""
    return definition.rsplit("/", 1)[-1].split(":", maxsplit=1)[0]


def _boot_id(item: SimInstance) -> str:
    return f"{item.boot:08x}-{item.id[2:]}"


def _iso(value: float) -> str:
    return datetime.fromtimestamp(value, UTC).isoformat().replace("+00:00", "Z")


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
