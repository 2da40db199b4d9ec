"""What a diagnostic task found: exit status from ECS, report and boot id from CloudWatch Logs."""

import re
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from inferfleet.recovery.aws.effects import token
from inferfleet.recovery.aws.settings import Settings
from inferfleet.recovery.aws.translate import DIAGNOSIS_PREFIX
from inferfleet.recovery.core.dcgm import read_diagnosis
from inferfleet.recovery.core.model import Boot, Node
from inferfleet.recovery.core.observations import Diagnosed, Verdict
from inferfleet.recovery.core.terms import NodePhase

_BOOT_LINE = re.compile(r"^boot-id: (?P<id>[0-9a-f-]{8,64}) at (?P<at>\d+(?:\.\d+)?)$", re.MULTILINE)
"""First line of the diagnosis container: /proc/sys/kernel/random/boot_id and `btime` of /proc/stat."""
_REPORT_LIMIT = 10_000


class Diagnoses:
    """Reads diagnostic tasks."""

    def __init__(self, ecs: Any, logs: Any, settings: Settings) -> None:
        self.ecs = ecs
        self.logs = logs
        self.settings = settings

    def of_examined_nodes(self, nodes: Iterable[Node]) -> Iterator[Diagnosed]:
        """Verdicts of nodes under examination whose diagnostic task has stopped: this makes a lost event good."""
        for node in nodes:
            if node.phase not in (NodePhase.EXAMINING, NodePhase.RESETTING) or not node.request:
                continue
            arns = self.ecs.list_tasks(
                cluster=self.settings.cluster,
                startedBy=DIAGNOSIS_PREFIX + token(node.request),
                desiredStatus="STOPPED",
            )["taskArns"]
            if arns:
                raw = self.ecs.describe_tasks(cluster=self.settings.cluster, tasks=arns)["tasks"]
                stopped = [item for item in raw if item.get("lastStatus") == "STOPPED"]
                reset = node.phase is NodePhase.RESETTING
                for item in stopped[:1]:
                    yield self.read(item, node.id, node.request, reset=reset)

    def read(self, task: Mapping[str, Any], node: str, request: str, *, reset: bool = False) -> Diagnosed:
        """The verdict of one stopped diagnostic task; for a reset, whether it was done."""
        containers = [
            item for item in task.get("containers", ()) if item.get("name") == self.settings.diagnosis_container
        ]
        code = next((item.get("exitCode") for item in containers), None)
        output = self._output(task)
        if reset:
            return _reset_done(node, request, code, output or str(task.get("stoppedReason", "")))
        found = read_diagnosis(code, output)
        boot = _BOOT_LINE.search(output)
        reason = str(task.get("stoppedReason", "")) if code is None else ""
        return Diagnosed(
            node=node,
            request=request,
            verdict=found.verdict,
            rung=int(found.rung),
            boot=Boot(boot["id"], float(boot["at"])) if boot else None,
            detail="; ".join((*found.reasons, *([reason] if reason else [])))[:500],
        )

    def _output(self, task: Mapping[str, Any]) -> str:
        """The container's log, by the awslogs convention `<prefix>/<container>/<task id>`; empty if there is none."""
        from botocore.exceptions import ClientError

        place = self._log_place(str(task.get("taskDefinitionArn", "")))
        if place is None:
            return ""
        group, prefix = place
        stream = f"{prefix}/{self.settings.diagnosis_container}/{str(task['taskArn']).rsplit('/', 1)[-1]}"
        lines: list[str] = []
        follow: dict[str, str] = {}
        try:
            while len(lines) < _REPORT_LIMIT:
                answer = self.logs.get_log_events(
                    logGroupName=group,
                    logStreamName=stream,
                    startFromHead=True,
                    **follow,
                )
                lines += [event["message"] for event in answer["events"]]
                if not answer["events"] or answer["nextForwardToken"] == follow.get("nextToken"):
                    break
                follow = {"nextToken": answer["nextForwardToken"]}
        except ClientError as error:
            if error.response["Error"].get("Code") != "ResourceNotFoundException":
                raise
        return "\n".join(lines)

    def _log_place(self, definition: str) -> tuple[str, str] | None:
        if not definition:
            return None
        answer = self.ecs.describe_task_definition(taskDefinition=definition)
        for container in answer["taskDefinition"].get("containerDefinitions", ()):
            if container.get("name") == self.settings.diagnosis_container:
                options = container.get("logConfiguration", {}).get("options", {})
                if "awslogs-group" in options and "awslogs-stream-prefix" in options:
                    return options["awslogs-group"], options["awslogs-stream-prefix"]
        return None


def _reset_done(node: str, request: str, code: int | None, said: str) -> Diagnosed:
    """The verdict of a reset: `nvidia-smi --gpu-reset` exits with 0 if every GPU was reset."""
    if code == 0:
        return Diagnosed(node, request, Verdict.PASS, detail="the GPUs were reset")
    return Diagnosed(node, request, Verdict.FAIL, detail=f"exit code {code}: {said.strip()[-300:]}")
