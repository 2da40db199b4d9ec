"""What a small world is made of: machines, tasks, executors at work, and the mischief that is left to do."""

from dataclasses import dataclass
from typing import TypeVar

from inferfleet.recovery.core.model import Boot
from inferfleet.recovery.core.observations import NodeSeen, Started, TaskSeen
from inferfleet.recovery.core.terms import Rung, StopCause, TaskRole, TaskStatus

T = TypeVar("T")
LEASE = 60.0
"""Seconds that an executor may work on an intent."""
Step = tuple[str, ...]


class Violation(AssertionError):
    """Something happened that must never happen."""


@dataclass(frozen=True, slots=True)
class Machine:
    """A real node: its boot, what it takes to heal it, and its fence attribute."""

    id: str
    boot: int = 1
    sick: Rung = Rung.NONE
    gpus: int = 1
    fence: bool = False
    up: bool = True
    version: int = 1
    gone: bool = False
    passed_boot: int = 0


@dataclass(frozen=True, slots=True)
class RealTask:
    """A real task."""

    id: str
    node: str
    job: str
    generation: int
    rank: int
    status: TaskStatus = TaskStatus.RUNNING
    cause: StopCause | None = None
    stopped_at: float = 0.0
    version: int = 1


@dataclass(frozen=True, slots=True)
class Executor:
    """Someone who has claimed an intent and is at work on it."""

    intent: str
    at: int = 0
    started: tuple[Started, ...] = ()
    seen: tuple[TaskSeen, ...] = ()
    failures: tuple[tuple[int, str], ...] = ()
    done: bool = False
    ok: bool = True
    detail: str = ""


@dataclass(frozen=True, slots=True)
class Mischief:
    """What the adversary may still do."""

    faults: int = 1
    app_faults: int = 0
    user_stops: int = 0
    duplicates: int = 1
    losses: int = 1
    crashes: int = 1
    flaps: int = 0
    false_reports: int = 0
    reports: int = 0
    pauses: int = 0
    kinds: tuple[Rung, ...] = (Rung.REBOOT,)


def without(items: tuple[T, ...], at: int) -> tuple[T, ...]:
    """All items but one."""
    return (*items[:at], *items[at + 1 :])


def node_seen(machine: Machine) -> NodeSeen:
    """A machine as ECS shows it."""
    return NodeSeen(
        machine.id,
        version=machine.version,
        connected=machine.up,
        gpus=machine.gpus,
        boot=Boot(f"b{machine.boot}") if machine.up else None,
        fence=machine.fence,
    )


def task_seen(task: RealTask) -> TaskSeen:
    """A task as ECS shows it."""
    return TaskSeen(
        task.id,
        task.node,
        task.status,
        version=task.version,
        role=TaskRole.GANG,
        owner=task.job,
        generation=task.generation,
        rank=task.rank,
        gpus=1,
        gpu_ids=(task.id,),
        cause=task.cause,
        exit_code={StopCause.FAILED: 134}.get(task.cause) if task.cause else None,
        stopped_at=task.stopped_at,
    )
