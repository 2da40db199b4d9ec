"""ECS, EC2 and Auto Scaling as facts about them say they behave, for the calls that recovery makes.

A small cluster with a clock that the caller turns. Versions count up with every change; RunTask knows client tokens,
placement constraints, fences, draining and GPUs; a reboot takes effect only when the caller lets it; stopped tasks
are forgotten after an hour. Every change is also an EventBridge event in `events`, to deliver, lose or repeat.
"""

import itertools
import json
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from inferfleet.recovery.simulator.ec2 import Ec2Calls
from inferfleet.recovery.simulator.ecs import EcsCalls
from inferfleet.recovery.simulator.errors import ApiError

REGION = "us-east-1"
Json = dict[str, Any]


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
        self._parts = (EcsCalls(self), Ec2Calls(self))
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
        for part in self._parts:
            if operation in part.operations:
                answer: Json = part.operations[operation](given)
                return answer
        raise ApiError("InvalidAction", f"the simulator has no {operation}")

    # What the world does

    def exit_task(self, arn: str, exit_code: int, *, reason: str = "Essential container in task exited") -> None:
        """A task's container exits by itself."""
        self.end(self.tasks[arn], exit_code, "EssentialContainerExited", reason)

    def place_service(self, service: str, node: str, definition: str) -> str:
        """ECS places a task of a service on an instance; returns its ARN."""
        given = {"taskDefinition": definition, "group": f"service:{service}", "startedBy": f"ecs-svc/{service}"}
        return str(self.make_task(given, self.instances[node], self.gpus_of(given))["taskArn"])

    def user_stops(self, arn: str) -> None:
        """A person stops a task in the console."""
        self.end(self.tasks[arn], 143, "UserInitiated", "Task stopped by user")

    def run_pending(self) -> None:
        """Tasks that were placed come up; diagnoses run to their end."""
        for task in list(self.tasks.values()):
            if task["lastStatus"] == "PENDING":
                task["lastStatus"] = "RUNNING"
                self.task_changed(task)
                if task["startedBy"].startswith("inferfleet-diagnosis/"):
                    self._finish_diagnosis(task)

    def go_down(self, node: str) -> None:
        """An instance stops answering."""
        item = self.instances[node]
        item.connected = False
        self.instance_changed(item)

    def come_up(self, node: str) -> None:
        """An instance has booted; its agent reports that the tasks of the last boot have stopped."""
        item = self.instances[node]
        item.boot += 1
        item.booted_at = self.now
        item.connected, item.impaired = True, False
        self._set_boot(item)
        for task in self.tasks_on(item):
            self.end(task, None, "TerminationNotice", "Host EC2 instance rebooted")
        self.instance_changed(item)

    def leave(self, node: str) -> None:
        """A terminated instance is gone."""
        item = self.instances[node]
        item.gone, item.status, item.connected = True, "INACTIVE", False
        for task in self.tasks_on(item):
            self.end(task, None, "TerminationNotice", "Host EC2 instance terminated")
        self.instance_changed(item)

    def running(self, prefix: str = "inferfleet/") -> list[Json]:
        """Live tasks whose `startedBy` begins with a prefix."""
        return [
            task
            for task in self.tasks.values()
            if task["lastStatus"] != "STOPPED" and task["startedBy"].startswith(prefix)
        ]

    # What the services' calls are made of

    def make_task(self, given: Json, item: SimInstance, gpus: int) -> Json:
        """Places a task on an instance, with that many of its GPUs."""
        arn = f"arn:aws:ecs:{REGION}:{self.account}:task/{self.name}/{next(self._count):032x}"
        used = {gpu for task in self.tasks_on(item) for gpu in task["containers"][0]["gpuIds"]}
        free = [gpu for gpu in item.gpus if gpu not in used][:gpus]
        name = next((entry["name"] for entry in given.get("overrides", {}).get("containerOverrides", [])), "main")
        definition = _family(given["taskDefinition"])
        task = {
            "taskArn": arn,
            "clusterArn": self.cluster_arn,
            "containerInstanceArn": item.arn,
            "taskDefinitionArn": f"arn:aws:ecs:{REGION}:{self.account}:task-definition/{definition}:1",
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
        self.task_changed(task)
        return task

    def _finish_diagnosis(self, task: Json) -> None:
        item = self.instance_by_arn(task["containerInstanceArn"])
        if item is None:
            return
        asked: list[Json] = task["overrides"].get("containerOverrides", [])
        command = asked[0].get("command", []) if asked else []
        code, log = item.verdict(command) if item.verdict is not None else (0, "")
        head = f"boot-id: {_boot_id(item)} at {item.booted_at}"
        self._log(task, [head, *log.splitlines()])
        self.end(task, code, "EssentialContainerExited", "Essential container in task exited")

    def _log(self, task: Json, lines: list[str]) -> None:
        """Keeps what a container prints where its definition's awslogs options say."""
        container = self.definition_of(task["taskDefinitionArn"])["containerDefinitions"][0]
        options = container["logConfiguration"]["options"]
        stream = f"{options['awslogs-stream-prefix']}/{container['name']}/{task['taskArn'].rsplit('/', 1)[-1]}"
        self.logs[options["awslogs-group"], stream] = lines

    def _set_boot(self, item: SimInstance) -> None:
        item.attributes["inferfleet.boot"] = f"{_boot_id(item)}@{item.booted_at}"

    def end(self, task: Json, exit_code: int | None, code: str, reason: str) -> None:
        """A task stops."""
        task.update(desiredStatus="STOPPED", lastStatus="STOPPED", stopCode=code, stoppedReason=reason)
        task.update(stoppedAt=self.now, stoppingAt=self.now)
        for container in task["containers"]:
            container["lastStatus"] = "STOPPED"
            if exit_code is not None:
                container["exitCode"] = exit_code
        self.task_changed(task)

    def tasks_on(self, item: SimInstance) -> list[Json]:
        """Tasks on an instance that have not stopped."""
        return [
            task
            for task in self.tasks.values()
            if task["containerInstanceArn"] == item.arn and task["lastStatus"] != "STOPPED"
        ]

    def instance_by_arn(self, arn: str) -> SimInstance | None:
        """The container instance of an ARN."""
        return next((item for item in self.instances.values() if item.arn == arn), None)

    def definition_of(self, name: str) -> Json:
        """A task definition, by its family, `family:revision` or ARN.

        Raises:
            ApiError: It is not known.
        """
        found = self.definitions.get(_family(name))
        if found is None:
            raise ApiError("ClientException", f"TaskDefinition {name} not found.")
        return found

    def gpus_of(self, given: Json) -> int:
        """GPUs that a RunTask asks for: its overrides count, else its definition."""
        definition = self.definition_of(given["taskDefinition"])
        asked = {item.get("name"): item for item in given.get("overrides", {}).get("containerOverrides", [])}
        return sum(
            int(need["value"])
            for container in definition["containerDefinitions"]
            for need in asked.get(container["name"], {}).get(
                "resourceRequirements", container.get("resourceRequirements", [])
            )
            if need["type"] == "GPU"
        )

    def as_ecs(self, item: SimInstance) -> Json:
        """A container instance as ECS describes it."""
        return {
            "containerInstanceArn": item.arn,
            "ec2InstanceId": item.id,
            "version": item.version,
            "status": item.status,
            "agentConnected": item.connected,
            "registeredResources": [{"name": "GPU", "type": "STRINGSET", "stringSetValue": list(item.gpus)}],
            "attributes": [{"name": name, "value": value} for name, value in item.attributes.items()],
        }

    def task_changed(self, task: Json) -> None:
        """A task has changed: its version goes up, and an event tells."""
        task["version"] += 1
        self._emit("ECS Task State Change", {**task, **{key: _iso(task[key]) for key in _TIMES if key in task}})

    def instance_changed(self, item: SimInstance) -> None:
        """A container instance has changed: its version goes up, and an event tells."""
        item.version += 1
        self._emit("ECS Container Instance State Change", {**self.as_ecs(item), "clusterArn": self.cluster_arn})

    def _emit(self, kind: str, detail: Json) -> None:
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
