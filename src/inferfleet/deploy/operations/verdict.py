"""How a deployment of a service ended, decided from what ECS says about it and from the tasks that it stopped."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from enum import StrEnum

from inferfleet.deploy.operations.service import ContainerState, DeploymentState, TaskState


class Outcome(StrEnum):
    """What became of a deployment."""

    SUCCEEDED = "succeeded"
    ROLLED_BACK = "rolled back"
    FAILED = "failed"
    STOPPED = "stopped"
    BAKING = "still baking"
    RUNNING = "in progress"
    UNCHANGED = "unchanged"


DECIDED = (Outcome.SUCCEEDED, Outcome.ROLLED_BACK, Outcome.FAILED, Outcome.STOPPED, Outcome.UNCHANGED)
BAD = (Outcome.ROLLED_BACK, Outcome.FAILED, Outcome.STOPPED)
NOT_YET = 4
"""Exit code for what is not decided yet; 0 to 3 are those of every command."""

_BY_STATUS = {
    "SUCCESSFUL": Outcome.SUCCEEDED,
    "ROLLBACK_SUCCESSFUL": Outcome.ROLLED_BACK,
    "ROLLBACK_FAILED": Outcome.FAILED,
    "STOPPED": Outcome.STOPPED,
}
# What the numbers mean on Linux: 128 and the signal that ended the process.
_EXIT_CODES = {
    137: "killed: out of memory, or not stopped in time",
    139: "crashed: segmentation fault",
    143: "told to stop",
    126: "the command cannot be executed",
    127: "the command is not in the image",
}
_LINES = 12


@dataclass(frozen=True, slots=True)
class Cause:
    """Why a task of a new version did not stay.

    Attributes:
        task: Its id.
        reason: Why it stopped, in ECS's words.
        exits: Each container's end: name, exit code, what that means.
        lines: The last of its output.
        times: How many tasks ended like this.
    """

    task: str
    reason: str
    exits: tuple[str, ...]
    lines: tuple[str, ...] = ()
    times: int = 1


@dataclass(frozen=True, slots=True)
class Verdict:
    """How a deployment ended, and why.

    Attributes:
        service: The service's name.
        outcome: How.
        deployment: Its id; empty when nothing was deployed.
        task_definition: What it brought, as `family:revision`.
        reason: ECS's words.
        causes: What the tasks that failed said.
    """

    service: str
    outcome: Outcome
    deployment: str = ""
    task_definition: str = ""
    reason: str = ""
    causes: tuple[Cause, ...] = ()

    @property
    def is_bad(self) -> bool:
        """Whether the new version does not run."""
        return self.outcome in BAD


def outcome_of(deployment: DeploymentState) -> Outcome:
    """What became of a deployment by now."""
    if deployment.status in _BY_STATUS:
        return _BY_STATUS[deployment.status]
    baking = deployment.stage == "BAKE_TIME" and deployment.status in ("IN_PROGRESS", "PENDING")
    return Outcome.BAKING if baking else Outcome.RUNNING


def exit_code(verdicts: Iterable[Verdict]) -> int:
    """What a command that followed these deployments ends with: 0 succeeded, 1 rolled back or failed, 4 undecided."""
    found = list(verdicts)
    if any(verdict.is_bad for verdict in found):
        return 1
    return NOT_YET if any(verdict.outcome not in DECIDED for verdict in found) else 0


def reason_of(deployment: DeploymentState) -> str:
    """Why ECS rolls or rolled back, in one line."""
    parts = [deployment.rollback_reason or deployment.reason]
    if deployment.breaker == "TRIGGERED":
        parts.append(f"circuit breaker: {deployment.failures} of {deployment.threshold} failures")
    if deployment.alarms:
        parts.append(f"alarms: {', '.join(deployment.alarms)}")
    return "; ".join(part for part in parts if part)


def failed_tasks(tasks: Sequence[TaskState], task_definition: str) -> list[TaskState]:
    """The stopped tasks of a version that did not stop because they were told to, newest first."""
    mine = [
        task for task in tasks if task.task_definition == task_definition and task.stopped and not task.was_scaled_in
    ]
    return sorted(mine, key=lambda task: task.stopped_at, reverse=True)


def causes(tasks: Sequence[TaskState], lines: dict[str, Sequence[str]]) -> tuple[Cause, ...]:
    """Tasks that ended for the same reason as one cause, with the output of the first that has any.

    Args:
        tasks: From `failed_tasks`.
        lines: The last output by task id.
    """
    found: dict[tuple[str, tuple[str, ...]], Cause] = {}
    for task in tasks:
        exits = tuple(_end(container) for container in task.containers if container.ended)
        key = (_without_ids(task), exits)
        before = found.get(key)
        tail = tuple(lines.get(task.id, ()))[-_LINES:]
        if before is None:
            found[key] = Cause(task.id, task.reason, exits, tail)
        else:
            found[key] = Cause(before.task, before.reason, exits, before.lines or tail, before.times + 1)
    return tuple(found.values())


def _end(container: ContainerState) -> str:
    words = [container.name]
    if container.exit_code is not None:
        meaning = _EXIT_CODES.get(container.exit_code)
        words.append(f"exit code {container.exit_code}" + (f" ({meaning})" if meaning else ""))
    if container.health == "UNHEALTHY":
        words.append("unhealthy")
    if container.reason:
        words.append(container.reason)
    return ", ".join(words)


def _without_ids(task: TaskState) -> str:
    """The reason without the task's own id, so that the same reasons are equal."""
    return task.reason.replace(task.id, "…").replace(task.address, "…") if task.address else task.reason
