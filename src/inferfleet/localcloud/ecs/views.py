"""Records of tasks → what the controller decides on."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import TYPE_CHECKING

from inferfleet.localcloud.ecs.launch import Json
from inferfleet.localcloud.ecs.model import Health, Phase, Task

if TYPE_CHECKING:
    from inferfleet.localcloud.ecs.balancer import Address, Target
    from inferfleet.localcloud.ecs.records import Revision

_STABLE_S = 1.0
"""How long a task without any health check has to run before it counts as healthy."""
GOING_UP = ("PROVISIONING", "PENDING", "ACTIVATING")


def task(
    record: Json, targets: Sequence[tuple[Address, Target]], grace: float, now: float, *, has_served: bool = False
) -> Task:
    """A task as the controller decides on it.

    Args:
        record: Of the task.
        targets: What it is registered as.
        grace: Seconds after its start in which no health check counts against it.
        now: Seconds since the epoch.
        has_served: Whether it has been healthy before.
    """
    phase = Phase.STARTING if record["lastStatus"] in GOING_UP else Phase.RUNNING
    if record["desiredStatus"] == "STOPPED":
        phase = Phase.STOPPING
    health, reason = _health(record, targets, grace, now) if phase is Phase.RUNNING else (Health.UNKNOWN, "")
    revision = record.get("_deployment_id") or ""
    return Task(record["taskArn"], revision, phase, health, seconds(record["createdAt"]), reason, has_served)


def addresses(revision: Revision, containers: Mapping[str, str]) -> list[Address]:
    """Where a task is registered: for each load balancer, the address of the container that it names."""
    return [
        (group, containers[entry["containerName"]], int(entry["containerPort"]))
        for entry, group in zip(revision.settings.get("loadBalancers") or (), revision.groups, strict=True)
        if containers.get(entry.get("containerName", ""))
    ]


def seconds(when: float | str) -> float:
    """A time as it is kept, in seconds since the epoch."""
    return datetime.fromisoformat(when).timestamp() if isinstance(when, str) else float(when)


def _health(record: Json, targets: Sequence[tuple[Address, Target]], grace: float, now: float) -> tuple[Health, str]:
    """What all health checks of a task say together, and why it is unhealthy."""
    age = now - seconds(record["startedAt"])
    is_checked = bool(record.get("_checked"))
    if age >= grace:
        if record["healthStatus"] == "UNHEALTHY":
            return Health.UNHEALTHY, "Task failed container health checks"
        for (group, _, _), target in targets:
            if target.state == "unhealthy":
                return Health.UNHEALTHY, f"Task failed ELB health checks in (target-group {group})"
    if not is_checked and not targets:
        is_stable = age >= _STABLE_S or not record["_docker_ids"]
        return (Health.HEALTHY if is_stable else Health.UNKNOWN), ""
    is_well = record["healthStatus"] == "HEALTHY" or not is_checked
    is_reached = all(target.state == "healthy" for _, target in targets)
    return (Health.HEALTHY if is_well and is_reached else Health.UNKNOWN), ""
