"""A stage on which the core is told things, and what it asks for is seen."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pytest

from inferfleet.recovery.core.model import Boot, Intent, Job, Node
from inferfleet.recovery.core.observations import (
    Diagnosed,
    IntentResult,
    JobSubmitted,
    NodeSeen,
    Observation,
    Started,
    TaskSeen,
    Tick,
    Verdict,
)
from inferfleet.recovery.core.policy import Policy
from inferfleet.recovery.core.reducer import decide
from inferfleet.recovery.core.state import Decision, State
from inferfleet.recovery.core.terms import IntentKind, IntentStatus, StopCause, TaskRole, TaskStatus

START = 1_800_000_000.0


class Stage:
    """The state of a fleet, a clock, and everything that was asked for."""

    def __init__(self, nodes: int, policy: Policy, gpus: int = 8) -> None:
        self.policy = policy
        self.state = State(policy)
        self.now = START
        self.log: list[Intent] = []
        self.versions: dict[str, int] = {}
        for at in range(nodes):
            name = chr(ord("A") + at)
            self.tell(NodeSeen(name, version=1, gpus=gpus, boot=Boot(f"{name}-boot-1")))
            self.versions[name] = 1

    def tell(self, seen: Observation) -> Decision:
        decision = decide(self.state, seen, self.now, self.policy)
        self.state.apply(decision.changes)
        self.log += [decision.changes.intents[key] for key in decision.intents]
        while decision.more:
            decision = decide(self.state, Tick(), self.now, self.policy)
            self.state.apply(decision.changes)
            self.log += [decision.changes.intents[key] for key in decision.intents]
        return decision

    def wait(self, seconds: float) -> None:
        self.now += seconds
        self.tell(Tick())

    def asked(self, kind: IntentKind, subject: str = "") -> list[Intent]:
        return [item for item in self.log if item.kind is kind and subject in ("", item.node, item.job)]

    def open(self, kind: IntentKind) -> list[Intent]:
        intents = (self.state.intents[item.id] for item in self.asked(kind))
        return [item for item in intents if item.status is IntentStatus.PENDING]

    def node(self, name: str) -> Node:
        return self.state.nodes[name]

    def job(self, name: str = "train") -> Job:
        return self.state.jobs[name]

    # What the world does

    def submit(self, size: int, job: str = "train", gpus: int = 8) -> Job:
        self.tell(JobSubmitted(job, size, gpus, launch="{}"))
        return self.job(job)

    def carry_out_start(self, job: str = "train", *, run: bool = True) -> None:
        for intent in self.open(IntentKind.START_GANG):
            if intent.job != job:
                continue
            started = tuple(Started(self.task_id(job, rank), rank, node) for rank, node in intent.ranks)
            self.tell(IntentResult(intent.id, True, tasks=started))
            if run:
                for item in started:
                    self.task(job, item.rank, TaskStatus.RUNNING)

    def run_job(self, size: int, job: str = "train", gpus: int = 8) -> Job:
        self.submit(size, job, gpus)
        self.carry_out_start(job)
        return self.job(job)

    def task_id(self, job: str, rank: int, generation: int = 0) -> str:
        return f"{job}/{generation or self.job(job).generation}/{rank}"

    def seen(self, job: str, rank: int, status: TaskStatus, cause: StopCause | None = None, **more: object) -> TaskSeen:
        known = self.job(job)
        base = TaskSeen(
            self.task_id(job, rank),
            known.assignment[rank],
            status,
            version=1 + int(status),
            role=TaskRole.GANG,
            owner=job,
            generation=known.generation,
            rank=rank,
            gpus=known.gpus_per_task,
            cause=cause,
            stopped_at=self.now if status is TaskStatus.STOPPED else 0.0,
        )
        return replace(base, **more)

    def task(self, job: str, rank: int, status: TaskStatus, cause: StopCause | None = None, **more: object) -> TaskSeen:
        seen = self.seen(job, rank, status, cause, **more)
        self.tell(seen)
        return seen

    def fails(self, rank: int, exit_code: int = 134, job: str = "train") -> TaskSeen:
        return self.task(job, rank, TaskStatus.STOPPED, StopCause.FAILED, exit_code=exit_code)

    def stopped_by_us(self, rank: int, job: str = "train") -> TaskSeen:
        return self.task(job, rank, TaskStatus.STOPPED, StopCause.OURS, exit_code=137)

    def carry_out_stop_listing(self, job: str = "train") -> None:
        for intent in self.open(IntentKind.STOP_GANG):
            if intent.job == job:
                self.tell(IntentResult(intent.id, True))

    def carry_out_stop(self, job: str = "train") -> None:
        for intent in self.open(IntentKind.STOP_GANG):
            if intent.job == job:
                self.tell(IntentResult(intent.id, True))
        for rank in range(self.job(job).size):
            task = self.state.tasks.get(self.task_id(job, rank))
            if task is not None and task.live:
                self.stopped_by_us(rank, job)

    def node_seen(self, name: str, *, connected: bool = True, boot: int | None = None, **more: object) -> None:
        self.versions[name] += 1
        seen_boot = None if boot is None else Boot(f"{name}-boot-{boot}")
        self.tell(NodeSeen(name, version=self.versions[name], connected=connected, boot=seen_boot, **more))

    def diagnosed(self, name: str, verdict: Verdict, boot: int = 1, rung: int = 3) -> None:
        self.tell(Diagnosed(name, self.node(name).request, verdict, rung, Boot(f"{name}-boot-{boot}"), "level 1"))

    def reboots(self, name: str, boot: int = 2) -> None:
        intent = self.asked(IntentKind.REBOOT, name)[-1]
        self.tell(IntentResult(intent.id, True))
        self.node_seen(name, connected=False)
        self.now += 180
        self.node_seen(name, boot=boot)


@pytest.fixture
def stage() -> Callable[..., Stage]:
    """Makes a stage of `nodes` nodes, named A, B, C …"""

    def make(nodes: int = 3, gpus: int = 8, **limits: object) -> Stage:
        return Stage(nodes, Policy(**{"max_fenced_share": 1.0, "max_repair_share": 1.0, **limits}), gpus)  # type: ignore[arg-type]

    return make
