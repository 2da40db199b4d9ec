"""Carries intents out on ECS and EC2, each so that doing it twice does it once.

RunTask has a client token, derived from the intent; what it cannot tell is read back by `startedBy`. A reboot has
none: its intent is claimed once, and the boot id tells whether it happened. Everything else sets a state, so repeating
is harmless.
"""

import hashlib
import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from inferfleet.recovery.aws.settings import EMPTIED, FENCE_ATTRIBUTE, STOP_MARK, Settings
from inferfleet.recovery.aws.translate import DIAGNOSIS_PREFIX, gang_group, node_seen, started_by, task_seen
from inferfleet.recovery.core.model import Intent, Job, Node
from inferfleet.recovery.core.observations import IntentResult, NodeSeen, Started, TaskSeen, as_task
from inferfleet.recovery.core.state import View, in_the_way
from inferfleet.recovery.core.terms import IntentKind, TaskRole, TaskStatus

_DESCRIBE_AT_ONCE = 100


@dataclass(frozen=True, slots=True)
class Clients:
    """The boto3 clients that effects use."""

    ecs: Any
    ec2: Any
    autoscaling: Any
    sns: Any


class AwsExecutor:
    """Carries intents out."""

    def __init__(self, clients: Clients, settings: Settings, view: Callable[[], View]) -> None:
        self.clients = clients
        self.settings = settings
        self.view = view

    def carry_out(self, intent: Intent, now: float) -> IntentResult:
        """Carries an intent out, or finds that it was.

        An error of AWS becomes a failed result with its code, so that the reducer can decide what comes next.
        """
        from botocore.exceptions import BotoCoreError, ClientError

        effects: dict[IntentKind, Callable[[Intent], IntentResult]] = {
            IntentKind.START_GANG: self._start_gang,
            IntentKind.STOP_GANG: self._stop_gang,
            IntentKind.STOP_TASKS: self._stop_tasks,
            IntentKind.FENCE: self._fence,
            IntentKind.UNFENCE: self._fence,
            IntentKind.DIAGNOSE: self._diagnose,
            IntentKind.RESET_GPU: self._diagnose,
            IntentKind.REBOOT: self._reboot,
            IntentKind.REPLACE: self._replace,
            IntentKind.NOTIFY: self._notify,
        }
        try:
            return effects[intent.kind](intent)
        except ClientError as error:
            code = error.response["Error"].get("Code", "Unknown")
            return IntentResult(intent.id, ok=False, detail=f"{error.operation_name}: {code}: {error}"[:500])
        except BotoCoreError as error:
            return IntentResult(intent.id, ok=False, detail=f"{type(error).__name__}: {error}"[:500])

    # Gangs

    def _start_gang(self, intent: Intent) -> IntentResult:
        view = self.view()
        job = view.job(intent.job)
        if job is None:
            return IntentResult(intent.id, ok=False, detail="the job is not known")
        found = {seen.rank: seen for seen in self.gang(job.id, intent.generation)}
        started = [Started(seen.id, rank, seen.node) for rank, seen in found.items()]
        failures: list[tuple[int, str]] = []
        for rank, node in intent.ranks:
            if rank in found:
                continue
            answer = self._run_rank(job, intent, rank, node)
            if isinstance(answer, str):
                failures.append((rank, answer))
            else:
                started.append(answer)
        return IntentResult(intent.id, not failures, tasks=tuple(started), failures=tuple(failures))

    def _run_rank(self, job: Job, intent: Intent, rank: int, node: str) -> Started | str:
        from botocore.exceptions import ClientError

        launch = json.loads(job.launch or "{}")
        overrides = launch.get("overrides", {})
        container = launch.get("container", "")
        if container:
            environment = [
                {"name": "INFERFLEET_JOB", "value": job.id},
                {"name": "INFERFLEET_RANK", "value": str(rank)},
                {"name": "INFERFLEET_SIZE", "value": str(job.size)},
                {"name": "INFERFLEET_GENERATION", "value": str(intent.generation)},
            ]
            overrides = _with_environment(overrides, container, environment)
        request: dict[str, Any] = {
            "cluster": self.settings.cluster,
            "taskDefinition": launch.get("task_definition", ""),
            "count": 1,
            "clientToken": token(f"{job.id}/{intent.generation}/{rank}/{node}"),
            "startedBy": started_by(job.id, intent.generation),
            "group": gang_group(job.id, rank),
            "placementConstraints": [
                {"type": "memberOf", "expression": f"ec2InstanceId == {node}"},
                {"type": "memberOf", "expression": f"attribute:{FENCE_ATTRIBUTE} !exists"},
            ],
            "overrides": overrides,
            "propagateTags": "TASK_DEFINITION",
        }
        if "network" in launch:
            request["networkConfiguration"] = launch["network"]
        try:
            answer = self.clients.ecs.run_task(**request)
        except ClientError as error:
            return str(error.response["Error"].get("Code", "Unknown"))
        for task in answer.get("tasks", []):
            return Started(task["taskArn"], rank, node)
        return (
            "; ".join(str(item.get("reason", "unknown")) for item in answer.get("failures", [])) or "no task, no reason"
        )

    def _stop_gang(self, intent: Intent) -> IntentResult:
        seen = list(self.gang(intent.job, intent.generation))
        for task in seen:
            if task.status is not TaskStatus.STOPPED:
                self._stop_one(task.id, intent)
        return IntentResult(intent.id, ok=True, seen=tuple(seen))

    def _stop_tasks(self, intent: Intent) -> IntentResult:
        for task in intent.tasks:
            self._stop_one(task, intent)
        return IntentResult(intent.id, ok=True)

    def _stop_one(self, task: str, intent: Intent) -> None:
        reason = f"{STOP_MARK}: {intent.reason}"[:255]
        self.clients.ecs.stop_task(cluster=self.settings.cluster, task=task, reason=reason)

    def gang(self, job: str, generation: int) -> Iterator[TaskSeen]:
        """Every task of one start of a gang that ECS still knows, the stopped ones too."""
        arns: list[str] = []
        for desired in ("RUNNING", "STOPPED"):
            pages = self.clients.ecs.get_paginator("list_tasks").paginate(
                cluster=self.settings.cluster,
                startedBy=started_by(job, generation),
                desiredStatus=desired,
            )
            arns += [arn for page in pages for arn in page["taskArns"]]
        yield from self.describe_tasks(list(dict.fromkeys(arns)))

    def describe_tasks(self, arns: list[str]) -> Iterator[TaskSeen]:
        """Tasks by ARN, as observations."""
        raw: list[Any] = []
        for at in range(0, len(arns), _DESCRIBE_AT_ONCE):
            answer = self.clients.ecs.describe_tasks(
                cluster=self.settings.cluster, tasks=arns[at : at + _DESCRIBE_AT_ONCE], include=["TAGS"]
            )
            raw += answer["tasks"]
        instances = self.instance_ids(sorted({item.get("containerInstanceArn", "") for item in raw} - {""}))
        for item in raw:
            seen = task_seen(item, instances, self.settings.daemons)
            if seen is not None:
                yield seen

    def instance_ids(self, arns: list[str]) -> dict[str, str]:
        """Container instance ARN → EC2 instance id."""
        found: dict[str, str] = {}
        for at in range(0, len(arns), _DESCRIBE_AT_ONCE):
            answer = self.clients.ecs.describe_container_instances(
                cluster=self.settings.cluster, containerInstances=arns[at : at + _DESCRIBE_AT_ONCE]
            )
            found |= {item["containerInstanceArn"]: item["ec2InstanceId"] for item in answer["containerInstances"]}
        return found

    # Nodes

    def _fence(self, intent: Intent) -> IntentResult:
        """Makes the fence what the store says now, so that a late executor cannot undo a later one.

        The attribute goes last when a fence is lifted: while it is there, a listing shows that something is left to do.
        """
        for _ in range(3):
            node = self.view().node(intent.node)
            if node is None or not node.container_instance:
                return IntentResult(intent.id, ok=False, detail="its container instance is not known")
            attribute = {
                "name": FENCE_ATTRIBUTE,
                "targetType": "container-instance",
                "targetId": node.container_instance,
            }
            if node.fenced:
                value = {**attribute, "value": EMPTIED if node.emptied else str(node.phase)}
                self.clients.ecs.put_attributes(cluster=self.settings.cluster, attributes=[value])
                if node.emptied:
                    self._set_state(node, "DRAINING")
            else:
                self._leave_standby(node.id)
                self._activate(node)
                self._clear(attribute)
            after = self.view().node(intent.node)
            if after is not None and (after.fenced, after.emptied) == (node.fenced, node.emptied):
                return IntentResult(intent.id, ok=True)
        return IntentResult(intent.id, ok=False, detail="the fence kept changing")

    def _activate(self, node: Node) -> None:
        """Takes DRAINING back where recovery has set it: on a node that drains, ECS starts no diagnosis, no agent."""
        raw = self._describe(node)
        if raw is None or raw.get("status") != "DRAINING":
            return
        held = {item["name"]: item.get("value") for item in raw.get("attributes", ())}
        if held.get(FENCE_ATTRIBUTE) == EMPTIED:
            self._set_state(node, "ACTIVE")

    def _set_state(self, node: Node, status: str) -> None:
        self.clients.ecs.update_container_instances_state(
            cluster=self.settings.cluster, containerInstances=[node.container_instance], status=status
        )

    def _clear(self, attribute: dict[str, str]) -> None:
        from botocore.exceptions import ClientError

        try:
            self.clients.ecs.delete_attributes(cluster=self.settings.cluster, attributes=[attribute])
        except ClientError as error:
            if error.response["Error"].get("Code") != "TargetNotFoundException":
                raise

    def _diagnose(self, intent: Intent) -> IntentResult:
        """Runs the diagnosis, or a reset, on the node. It asks for all GPUs, so it starts only if they are idle."""
        node = self.view().node(intent.node)
        if node is None:
            return IntentResult(intent.id, ok=False, detail="the node is not known")
        self._activate(node)
        command = ["reset"] if intent.kind is IntentKind.RESET_GPU else ["diagnose", "--level", str(intent.level)]
        override: dict[str, Any] = {"name": self.settings.diagnosis_container, "command": command}
        if node.gpus:
            override["resourceRequirements"] = [{"type": "GPU", "value": str(node.gpus)}]
        answer = self.clients.ecs.run_task(
            cluster=self.settings.cluster,
            taskDefinition=self.settings.diagnosis_task,
            count=1,
            clientToken=token(intent.id),
            startedBy=DIAGNOSIS_PREFIX + token(intent.id),
            group=f"inferfleet-diagnosis:{intent.id}"[:255],
            placementConstraints=[{"type": "memberOf", "expression": f"ec2InstanceId == {intent.node}"}],
            overrides={"containerOverrides": [override]},
        )
        if answer.get("tasks"):
            return IntentResult(intent.id, ok=True, detail=answer["tasks"][0]["taskArn"])
        return IntentResult(intent.id, ok=False, detail=f"the diagnostic task could not be placed: {_reasons(answer)}")

    def _reboot(self, intent: Intent) -> IntentResult:
        node = self.view().node(intent.node)
        refusal = self._unsafe(intent, node)
        if refusal:
            return IntentResult(intent.id, ok=False, detail=refusal)
        if intent.boot_before:
            seen = self._look(node)
            if seen is not None and seen.boot is not None and seen.boot.id != intent.boot_before:
                return IntentResult(intent.id, ok=True, detail="it has booted already")
        if node is not None:
            self._activate(node)
        exposed = self._enter_standby(intent.node)
        self.clients.ec2.reboot_instances(InstanceIds=[intent.node])
        return IntentResult(intent.id, ok=True, detail=exposed)

    def _enter_standby(self, node: str) -> str:
        """Keeps the Auto Scaling group from replacing a node that reboots; why it could not be kept, or "".

        A group at its least size lends no instance. The reboot goes ahead: at worst the group replaces the node.
        """
        from botocore.exceptions import ClientError

        group = self._group(node)
        if group is None or group["LifecycleState"] != "InService":
            return ""
        try:
            self.clients.autoscaling.enter_standby(
                InstanceIds=[node],
                AutoScalingGroupName=group["AutoScalingGroupName"],
                ShouldDecrementDesiredCapacity=True,
            )
        except ClientError as error:
            if error.response["Error"].get("Code") != "ValidationError":
                raise
            return f"its Auto Scaling group may replace it during the reboot: {error.response['Error']['Message']}"
        return ""

    def _replace(self, intent: Intent) -> IntentResult:
        node = self.view().node(intent.node)
        refusal = self._unsafe(intent, node)
        if refusal:
            return IntentResult(intent.id, ok=False, detail=refusal)
        group = self._group(intent.node)
        if group is None:
            return IntentResult(
                intent.id, ok=False, detail="it belongs to no Auto Scaling group, so nothing would replace it"
            )
        if group["LifecycleState"].startswith("Terminat"):
            return IntentResult(intent.id, ok=True, detail="it is being terminated already")
        self._leave_standby(intent.node)
        self.clients.autoscaling.terminate_instance_in_auto_scaling_group(
            InstanceId=intent.node, ShouldDecrementDesiredCapacity=False
        )
        return IntentResult(intent.id, ok=True)

    def _leave_standby(self, node: str) -> None:
        """Gives an instance back to its Auto Scaling group."""
        group = self._group(node)
        if group is not None and group["LifecycleState"] == "Standby":
            self.clients.autoscaling.exit_standby(
                InstanceIds=[node], AutoScalingGroupName=group["AutoScalingGroupName"]
            )

    def _group(self, node: str) -> Any:
        answer = self.clients.autoscaling.describe_auto_scaling_instances(InstanceIds=[node])
        return next(iter(answer["AutoScalingInstances"]), None)

    def _look(self, node: Node | None) -> NodeSeen | None:
        raw = self._describe(node) if node is not None else None
        seen = node_seen(raw) if raw is not None else None
        return seen if isinstance(seen, NodeSeen) else None

    def _describe(self, node: Node) -> Any:
        if not node.container_instance:
            return None
        answer = self.clients.ecs.describe_container_instances(
            cluster=self.settings.cluster, containerInstances=[node.container_instance]
        )
        return next(iter(answer["containerInstances"]), None)

    def _unsafe(self, intent: Intent, node: Node | None) -> str:
        """Reads back, at the last moment, what runs on the node; why it must not be harmed, or ""."""
        if node is None or not node.container_instance:
            return "its container instance is not known"
        pages = self.clients.ecs.get_paginator("list_tasks").paginate(
            cluster=self.settings.cluster, containerInstance=node.container_instance
        )
        arns = [arn for page in pages for arn in page["taskArns"]]
        for seen in self.describe_tasks(arns):
            if seen.status is TaskStatus.STOPPED or seen.id in intent.tasks or not in_the_way(as_task(seen, 0.0)):
                continue
            what = f"job {seen.owner}" if seen.role is TaskRole.GANG else seen.owner or "a standalone task"
            return f"{seen.id} of {what} runs there"
        return ""

    # People

    def _notify(self, intent: Intent) -> IntentResult:
        if intent.notice is None or not self.settings.topic:
            return IntentResult(intent.id, ok=intent.notice is None, detail="no topic: SNS_TOPIC_ARN is not set")
        from inferfleet.recovery.aws.notices import message

        subject, body = message(intent, self.settings)
        self.clients.sns.publish(TopicArn=self.settings.topic, Subject=subject, Message=body)
        return IntentResult(intent.id, ok=True)


def token(text: str) -> str:
    """A client token for RunTask: at most 64 characters, the same for the same text."""
    return hashlib.sha256(text.encode()).hexdigest()[:32]


def _reasons(answer: Mapping[str, Any]) -> str:
    """Why RunTask placed nothing."""
    return "; ".join(str(item.get("reason", "unknown")) for item in answer.get("failures", ()))


def _with_environment(overrides: dict[str, Any], container: str, environment: list[dict[str, str]]) -> dict[str, Any]:
    """Adds environment variables to a container's overrides, keeping what is there."""
    names = {item["name"] for item in environment}
    others = [item for item in overrides.get("containerOverrides", []) if item.get("name") != container]
    mine: dict[str, Any] = next(
        (item for item in overrides.get("containerOverrides", []) if item.get("name") == container), {}
    )
    kept = [item for item in mine.get("environment", []) if item["name"] not in names]
    merged = {**mine, "name": container, "environment": [*kept, *environment]}
    return {**overrides, "containerOverrides": [*others, merged]}
