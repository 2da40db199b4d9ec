"""What ECS, EC2 and the node agent say, as observations: from events and from listings alike."""

from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Any

from inferfleet.recovery.aws.settings import BOOT_ATTRIBUTE, EVIDENCE_ATTRIBUTE, FENCE_ATTRIBUTE, STOP_MARK
from inferfleet.recovery.core.model import Boot
from inferfleet.recovery.core.observations import CapacityWarning, Evidence, Maintenance, NodeGone, NodeSeen, TaskSeen
from inferfleet.recovery.core.terms import Rung, StopCause, TaskRole, TaskStatus
from inferfleet.recovery.core.xid import Catalog

GANG_PREFIX = "inferfleet/"
"""Begins `startedBy` of every gang task: `inferfleet/<job>/<generation>`; its group is `inferfleet:<job>:<rank>`."""
DIAGNOSIS_PREFIX = "inferfleet-diagnosis/"
_STOPPING = {"DEACTIVATING", "STOPPING", "DEPROVISIONING", "STOPPED"}
_CAPACITY = {"SpotInterruption", "TerminationNotice", "InfrastructureHealth"}


def seconds(value: Any) -> float:
    """Seconds since the epoch from an ISO 8601 text, a datetime or a number; 0 where there is none."""
    if isinstance(value, datetime):
        return value.timestamp()
    if isinstance(value, int | float):
        return float(value)
    return datetime.fromisoformat(str(value).replace("Z", "+00:00")).timestamp() if value else 0.0


def started_by(job: str, generation: int) -> str:
    """`startedBy` of a gang's tasks."""
    return f"{GANG_PREFIX}{job}/{generation}"


def gang_group(job: str, rank: int) -> str:
    """`group` of one of a gang's tasks."""
    return f"inferfleet:{job}:{rank}"


def task_seen(raw: Mapping[str, Any], nodes: Mapping[str, str], daemons: frozenset[str]) -> TaskSeen | None:
    """A task, from an event's detail or from DescribeTasks; None if it runs on no container instance.

    Args:
        raw: The task.
        nodes: Container instance ARN → EC2 instance id.
        daemons: Services whose tasks are never in the way.
    """
    node = nodes.get(str(raw.get("containerInstanceArn", "")), "")
    if not node:
        return None
    role, owner, generation, rank = _role(raw, daemons)
    status = _status(str(raw.get("lastStatus", "")))
    stopped = status is TaskStatus.STOPPED
    exit_code = _exit_code(raw) if stopped else None
    gpu_ids = tuple(gpu for item in raw.get("containers", ()) for gpu in item.get("gpuIds", ()))
    return TaskSeen(
        id=str(raw["taskArn"]),
        node=node,
        status=status,
        version=int(raw.get("version", 0)),
        role=role,
        owner=owner,
        generation=generation,
        rank=rank,
        gpus=len(gpu_ids),
        gpu_ids=gpu_ids,
        cause=_cause(raw, exit_code) if stopped else None,
        exit_code=exit_code,
        stopped_at=seconds(raw.get("stoppingAt") or raw.get("executionStoppedAt") or raw.get("stoppedAt"))
        if stopped
        else 0.0,
    )


def _role(raw: Mapping[str, Any], daemons: frozenset[str]) -> tuple[TaskRole, str, int, int]:
    by, group = str(raw.get("startedBy", "")), str(raw.get("group", ""))
    if by.startswith(DIAGNOSIS_PREFIX):
        return TaskRole.DIAGNOSTIC, by.removeprefix(DIAGNOSIS_PREFIX), 0, 0
    if by.startswith(GANG_PREFIX) and group.startswith("inferfleet:"):
        job, _, generation = by.removeprefix(GANG_PREFIX).rpartition("/")
        rank = group.rpartition(":")[2]
        if job and generation.isdigit() and rank.isdigit():
            return TaskRole.GANG, job, int(generation), int(rank)
    if group.startswith("service:"):
        service = group.removeprefix("service:")
        return (TaskRole.DAEMON if service in daemons else TaskRole.SERVICE), service, 0, 0
    return TaskRole.STANDALONE, "", 0, 0


def _status(last: str) -> TaskStatus:
    if last == "STOPPED":
        return TaskStatus.STOPPED
    return TaskStatus.RUNNING if last == "RUNNING" or last in _STOPPING else TaskStatus.PENDING


def _exit_code(raw: Mapping[str, Any]) -> int | None:
    """The task's exit status: the first that is not 0, of the containers that have one."""
    codes = [item["exitCode"] for item in raw.get("containers", ()) if item.get("exitCode") is not None]
    return next((code for code in codes if code != 0), codes[0] if codes else None)


def _cause(raw: Mapping[str, Any], exit_code: int | None) -> StopCause:
    code, reason = str(raw.get("stopCode", "")), str(raw.get("stoppedReason", ""))
    if reason.startswith(STOP_MARK):
        return StopCause.OURS
    if code in _CAPACITY:
        return StopCause.CAPACITY
    known = {
        "TaskFailedToStart": StopCause.NOT_STARTED,
        "UserInitiated": StopCause.USER,
        "ServiceSchedulerInitiated": StopCause.SCHEDULER,
    }.get(code)
    if known is not None:
        return known
    if code == "EssentialContainerExited" or exit_code is not None:
        return _cause_of_exit(raw, exit_code)
    return StopCause.UNKNOWN


def _cause_of_exit(raw: Mapping[str, Any], exit_code: int | None) -> StopCause:
    reasons = " ".join(str(item.get("reason", "")) for item in raw.get("containers", ()))
    if "OutOfMemory" in reasons:
        return StopCause.OUT_OF_MEMORY
    return StopCause.COMPLETED if exit_code == 0 else StopCause.FAILED


def node_seen(
    raw: Mapping[str, Any],
    impaired: Mapping[str, bool] | None = None,
    in_groups: frozenset[str] | None = None,
) -> NodeSeen | NodeGone | None:
    """A container instance, from an event's detail or from DescribeContainerInstances.

    Args:
        raw: The container instance.
        impaired: EC2 instance id → its status checks fail; None where they were not asked for.
        in_groups: EC2 instance ids that belong to an Auto Scaling group; None where it was not asked for.
    """
    node = str(raw.get("ec2InstanceId", ""))
    if not node:
        return None
    if raw.get("status") in ("INACTIVE", "DEREGISTERING"):
        return NodeGone(node)
    held = {item["name"]: str(item.get("value", "")) for item in raw.get("attributes", ())}
    return NodeSeen(
        node=node,
        version=int(raw.get("version", 0)),
        connected=bool(raw.get("agentConnected")),
        container_instance=str(raw.get("containerInstanceArn", "")),
        gpus=_gpus(raw.get("registeredResources", ())),
        boot=_boot(held.get(BOOT_ATTRIBUTE, "")),
        impaired=None if impaired is None else impaired.get(node, False),
        fence=FENCE_ATTRIBUTE in held if "attributes" in raw else None,
        draining=raw["status"] == "DRAINING" if "status" in raw else None,
        replaceable=None if in_groups is None else node in in_groups,
    )


def _gpus(resources: Iterable[Mapping[str, Any]]) -> int:
    return next((len(item.get("stringSetValue", ())) for item in resources if item.get("name") == "GPU"), 0)


def _boot(value: str) -> Boot | None:
    boot, _, at = value.partition("@")
    return Boot(boot, float(at or 0)) if boot else None


def pinned_evidence(raw: Mapping[str, Any], catalog: Catalog) -> Evidence | None:
    """What the node agent has pinned to its container instance: `xid/gpu/time/boot/text`."""
    held = {item["name"]: str(item.get("value", "")) for item in raw.get("attributes", ())}
    parts = held.get(EVIDENCE_ATTRIBUTE, "").split("/", 4)
    node = str(raw.get("ec2InstanceId", ""))
    if len(parts) != 5 or not node:  # noqa: PLR2004
        return None
    xid, gpu, at, boot, action = parts
    detail = {"node": node, "xid": int(xid or 0), "gpu": gpu, "at": float(at), "boot": boot, "text": action}
    return agent_evidence(detail, catalog)


def agent_evidence(detail: Mapping[str, Any], catalog: Catalog) -> Evidence | None:
    """A node agent's finding; None if the catalog asks for nothing."""
    xid, text = int(detail.get("xid", 0)), str(detail.get("text", ""))
    advice = catalog.advise(xid, text) if xid else catalog.advise(154, f"to 0x0 ({text})")
    if advice.rung is Rung.NONE:
        return None
    what = f"Xid {xid}: {advice.text} ({advice.action}, {advice.source})" if xid else f"NVML asks for: {text}"
    return Evidence(
        node=str(detail["node"]),
        rung=int(advice.rung),
        reason=what,
        at=seconds(detail.get("at")),
        boot_id=str(detail.get("boot", "")),
        gpu=str(detail.get("gpu", "")),
    )


def agent_maintenance(detail: Mapping[str, Any]) -> Maintenance | None:
    """What EC2 has scheduled, as a node agent tells it."""
    planned = detail.get("scheduled")
    if not planned:
        return None
    return Maintenance(str(detail["node"]), str(planned["code"]), float(planned["not_before"]))


def health_evidence(detail: Mapping[str, Any], catalog: Catalog) -> Evidence | None:
    """ECS's own verdict on the accelerators of a managed instance, such as `XID_46`."""
    for check in detail.get("healthChecks", ()):
        if check.get("type") != "ACCELERATED_COMPUTE" or check.get("status") != "IMPAIRED":
            continue
        reason = str(check.get("statusReason", ""))
        xid = reason.removeprefix("XID_")
        advice = catalog.advise(int(xid)) if xid.isdigit() else None
        rung = advice.rung if advice is not None and advice.rung is not Rung.NONE else Rung.EXAMINE
        at = seconds(check.get("lastStatusChange") or check.get("lastUpdated"))
        return Evidence(str(detail["ec2InstanceId"]), int(rung), f"ECS reports the accelerators impaired: {reason}", at)
    return None


def ec2_warning(event: Mapping[str, Any]) -> CapacityWarning | None:
    """EC2's Spot interruption warning."""
    node = str(event.get("detail", {}).get("instance-id", ""))
    return CapacityWarning(node, "Spot interruption") if node else None


def scheduled(status: Mapping[str, Any]) -> Maintenance | None:
    """The next scheduled event of an instance, from DescribeInstanceStatus, unless completed or cancelled."""
    for event in status.get("Events", ()):
        text = str(event.get("Description", ""))
        if not text.startswith(("[Completed]", "[Canceled]")):
            return Maintenance(str(status["InstanceId"]), str(event["Code"]), seconds(event.get("NotBefore")))
    return None
