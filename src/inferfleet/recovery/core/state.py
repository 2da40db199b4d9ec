"""The state that a decision reads, and the draft in which it writes.

`View` is all that the core may know of the world; `State` keeps it in memory. A `Draft` lays changes over a view
without touching it, so a decision is a value: it can be stored in one transaction, thrown away, or replayed.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any, Protocol

from inferfleet.recovery.core.model import Fleet, Incident, Intent, Job, Node, Step, Task, evolve
from inferfleet.recovery.core.policy import Policy
from inferfleet.recovery.core.terms import (
    FENCED_PHASES,
    FINAL_JOB_PHASES,
    REPAIR_PHASES,
    IntentKind,
    JobPhase,
    NodePhase,
    TaskRole,
)

_STEPS_KEPT = 60
ALWAYS_DUE = 0.0
LOSABLE_PHASES = frozenset({NodePhase.IN_SERVICE, NodePhase.SUSPECT, NodePhase.EXAMINING})
"""Phases in which an agent that stays away means a lost node; in the others its absence is expected or acted on."""


class View(Protocol):
    """What a decision may read."""

    @property
    def fleet(self) -> Fleet:
        """Budgets and the brake."""

    def node(self, key: str) -> Node | None:
        """A node by its EC2 instance id."""

    def job(self, key: str) -> Job | None:
        """A job by its id."""

    def task(self, key: str) -> Task | None:
        """A task by its id."""

    def intent(self, key: str) -> Intent | None:
        """An intent by its id."""

    def incident(self, key: str) -> Incident | None:
        """An incident by its id."""

    def live_tasks_on(self, node: str) -> Iterable[str]:
        """Ids of tasks on a node that have not stopped."""

    def nodes_in_service(self) -> Iterable[str]:
        """Ids of nodes in service, in a stable order."""

    def waiting_jobs(self) -> Iterable[str]:
        """Ids of jobs that wait for nodes, oldest first."""

    def starting_jobs(self) -> Iterable[str]:
        """Ids of jobs that are being started."""

    def due(self, now: float) -> Iterable[tuple[str, str]]:
        """("node" or "job", id) of all whose time has come, longest due first."""


@dataclass(slots=True)
class Changes:
    """Records that a decision writes, by id."""

    nodes: dict[str, Node] = field(default_factory=dict)
    jobs: dict[str, Job] = field(default_factory=dict)
    tasks: dict[str, Task] = field(default_factory=dict)
    intents: dict[str, Intent] = field(default_factory=dict)
    incidents: dict[str, Incident] = field(default_factory=dict)
    fleet: Fleet | None = None

    def __bool__(self) -> bool:
        return bool(self.nodes or self.jobs or self.tasks or self.intents or self.incidents or self.fleet is not None)


@dataclass(frozen=True, slots=True)
class Decision:
    """What one observation leads to.

    Attributes:
        changes: All records that differ afterwards, new intents among them.
        intents: Ids of the intents that are new.
        reasons: Why, in words, in the order of the decisions taken.
        more: Work is left that did not fit; tick again at once.
    """

    changes: Changes
    intents: tuple[str, ...]
    reasons: tuple[str, ...]
    more: bool = False


def node_due_at(node: Node, policy: Policy) -> float | None:
    """When a node must be looked at again although nothing is heard of it; None for never."""
    phase = node.phase
    if phase is NodePhase.RETIRED:
        return None
    if phase in (NodePhase.SUSPECT, NodePhase.CONDEMNED):
        return ALWAYS_DUE
    times = [node.deadline] if node.deadline is not None else []
    if node.disconnected_at is not None and phase in LOSABLE_PHASES:
        wait = policy.agent_lost_after_impaired if node.impaired else policy.agent_lost_after
        times.append(node.disconnected_at + wait)
    return min(times) if times else None


def job_due_at(job: Job) -> float | None:
    """When a job must be looked at again although nothing is heard of it; None for never."""
    if job.phase in (JobPhase.HELD, JobPhase.WAITING):
        return ALWAYS_DUE
    if job.phase in FINAL_JOB_PHASES and job.live == 0:
        return None
    return job.deadline


class State:
    """The whole state in memory, with the indexes that decisions read."""

    def __init__(self, policy: Policy) -> None:
        self.policy = policy
        self.fleet = Fleet()
        self.nodes: dict[str, Node] = {}
        self.jobs: dict[str, Job] = {}
        self.tasks: dict[str, Task] = {}
        self.intents: dict[str, Intent] = {}
        self.incidents: dict[str, Incident] = {}
        self._live: dict[str, set[str]] = {}
        self._due: dict[tuple[str, str], float] = {}
        self._in_phase: dict[JobPhase, dict[str, None]] = {}

    def node(self, key: str) -> Node | None:
        """A node by its id."""
        return self.nodes.get(key)

    def job(self, key: str) -> Job | None:
        """A job by its id."""
        return self.jobs.get(key)

    def task(self, key: str) -> Task | None:
        """A task by its id."""
        return self.tasks.get(key)

    def intent(self, key: str) -> Intent | None:
        """An intent by its id."""
        return self.intents.get(key)

    def incident(self, key: str) -> Incident | None:
        """An incident by its id."""
        return self.incidents.get(key)

    def live_tasks_on(self, node: str) -> Iterable[str]:
        """Ids of live tasks on a node."""
        return sorted(self._live.get(node, ()))

    def nodes_in_service(self) -> Iterator[str]:
        """Ids of nodes in service, in the order in which they joined."""
        return (key for key, node in self.nodes.items() if node.phase is NodePhase.IN_SERVICE)

    def waiting_jobs(self) -> Iterable[str]:
        """Ids of jobs that wait for nodes."""
        return tuple(self._in_phase.get(JobPhase.WAITING, ()))

    def starting_jobs(self) -> Iterable[str]:
        """Ids of jobs that are being started."""
        return tuple(self._in_phase.get(JobPhase.STARTING, ()))

    def due(self, now: float) -> list[tuple[str, str]]:
        """All whose time has come, longest due first."""
        found = [(at, key) for key, at in self._due.items() if at <= now]
        found.sort()
        return [key for _, key in found]

    def next_due(self, after: float) -> float | None:
        """The next moment after `after` at which something falls due."""
        return min((at for at in self._due.values() if at > after), default=None)

    def anything_due(self, now: float) -> bool:
        """Whether a tick now would have anything to look at."""
        return any(at <= now for at in self._due.values())

    def apply(self, changes: Changes) -> None:
        """Makes a decision's changes the truth."""
        for node in changes.nodes.values():
            self.nodes[node.id] = node
            self._index(("node", node.id), node_due_at(node, self.policy))
        for job in changes.jobs.values():
            old = self.jobs.get(job.id)
            if old is not None and old.phase is not job.phase:
                self._in_phase[old.phase].pop(job.id, None)
            self._in_phase.setdefault(job.phase, {})[job.id] = None
            self.jobs[job.id] = job
            self._index(("job", job.id), job_due_at(job))
        for task in changes.tasks.values():
            self.tasks[task.id] = task
            if task.live:
                self._live.setdefault(task.node, set()).add(task.id)
            else:
                self._live.get(task.node, set()).discard(task.id)
        self.intents.update(changes.intents)
        self.incidents.update(changes.incidents)
        if changes.fleet is not None:
            self.fleet = changes.fleet

    def forget(self, tasks: Iterable[str] = (), intents: Iterable[str] = ()) -> None:
        """Drops stopped tasks and settled intents that nobody will ask for again."""
        for key in tasks:
            self.tasks.pop(key, None)
        for key in intents:
            self.intents.pop(key, None)

    def copy(self) -> "State":
        """A state that can be changed without changing this one."""
        twin = State(self.policy)
        twin.fleet = self.fleet
        twin.nodes = dict(self.nodes)
        twin.jobs = dict(self.jobs)
        twin.tasks = dict(self.tasks)
        twin.intents = dict(self.intents)
        twin.incidents = dict(self.incidents)
        twin._live = {key: set(value) for key, value in self._live.items()}
        twin._due = dict(self._due)
        twin._in_phase = {key: dict(value) for key, value in self._in_phase.items()}
        return twin

    def _index(self, key: tuple[str, str], at: float | None) -> None:
        if at is None:
            self._due.pop(key, None)
        else:
            self._due[key] = at


class Draft:
    """Changes over a view. Every record read is remembered, so that a decision can be explained and replayed."""

    def __init__(self, view: View, policy: Policy, now: float) -> None:
        self.view = view
        self.policy = policy
        self.now = now
        self.changes = Changes()
        self.asked: list[str] = []
        self.reasons: list[str] = []
        self.freed = False
        """A node came back into service: waiting gangs may start."""

    @property
    def fleet(self) -> Fleet:
        """Budgets and the brake, as changed so far."""
        return self.view.fleet if self.changes.fleet is None else self.changes.fleet

    def set_fleet(self, **changes: Any) -> None:
        """Changes the fleet's record."""
        self.changes.fleet = evolve(self.fleet, **changes)

    def node(self, key: str) -> Node | None:
        """A node, as changed so far."""
        return self.changes.nodes.get(key) or self.view.node(key)

    def job(self, key: str) -> Job | None:
        """A job, as changed so far."""
        return self.changes.jobs.get(key) or self.view.job(key)

    def task(self, key: str) -> Task | None:
        """A task, as changed so far."""
        return self.changes.tasks.get(key) or self.view.task(key)

    def intent(self, key: str) -> Intent | None:
        """An intent, as changed so far."""
        return (self.changes.intents.get(key) or self.view.intent(key)) if key else None

    def live_on(self, node: str) -> list[Task]:
        """Tasks on a node that have not stopped, as changed so far."""
        keys = dict.fromkeys(self.view.live_tasks_on(node))
        keys.update(dict.fromkeys(key for key, task in self.changes.tasks.items() if task.node == node))
        tasks = (self.task(key) for key in keys)
        return [task for task in tasks if task is not None and task.live]

    def put_node(self, node: Node) -> Node:
        """Writes a node and keeps the fleet's counts true."""
        old = self.node(node.id)
        if old is None or old.phase is not node.phase or old.gpus != node.gpus:
            self._count(old, node)
        self.changes.nodes[node.id] = node
        return node

    def put_job(self, job: Job) -> Job:
        """Writes a job."""
        self.changes.jobs[job.id] = job
        return job

    def put_task(self, task: Task) -> Task:
        """Writes a task."""
        self.changes.tasks[task.id] = task
        return task

    def put_intent(self, intent: Intent) -> None:
        """Writes an intent."""
        self.changes.intents[intent.id] = intent

    def ask(self, kind: IntentKind, subject: Node | Job | None, reason: str, **details: Any) -> str:
        """Records an intent about a node, a job or the fleet, and returns its id, which counts up with the subject."""
        if isinstance(subject, Node):
            seq = subject.seq + 1
            self.put_node(evolve(self.node(subject.id) or subject, seq=seq))
            key = f"{kind}:{subject.id}:{seq}"
            details.setdefault("node", subject.id)
            details.setdefault("incident", subject.incident)
        elif isinstance(subject, Job):
            seq = subject.seq + 1
            self.put_job(evolve(self.job(subject.id) or subject, seq=seq))
            key = f"{kind}:{subject.id}:{seq}"
            details.setdefault("job", subject.id)
            details.setdefault("generation", subject.generation)
            details.setdefault("incident", subject.incident)
        else:
            self.set_fleet(seq=self.fleet.seq + 1)
            key = f"{kind}:fleet:{self.fleet.seq}"
        self.changes.intents[key] = Intent(id=key, kind=kind, reason=reason, at=self.now, **details)
        self.asked.append(key)
        self.reasons.append(f"{kind} {subject.id if subject else 'fleet'}: {reason}")
        return key

    def open_incident(self, key: str, subject: str, cause: str) -> None:
        """Begins the history of a trouble."""
        self.changes.incidents[key] = Incident(key, subject, self.now, cause, (Step(self.now, cause),))

    def note(self, key: str, text: str, *, outcome: str = "", person: bool = False) -> None:
        """Adds a line to an incident, and closes it if it has an outcome."""
        self.reasons.append(text)
        found = self.changes.incidents.get(key) or (self.view.incident(key) if key else None)
        if found is None:
            return
        steps = (*found.steps, Step(self.now, text))
        if len(steps) > _STEPS_KEPT:
            steps = (*steps[:2], *steps[-(_STEPS_KEPT - 2) :])
        self.changes.incidents[key] = evolve(
            found,
            steps=steps,
            closed_at=self.now if outcome else found.closed_at,
            outcome=outcome or found.outcome,
            person_called=found.person_called or person,
        )

    def decision(self, *, more: bool = False) -> Decision:
        """The finished decision."""
        return Decision(self.changes, tuple(self.asked), tuple(self.reasons), more)

    def _count(self, old: Node | None, new: Node) -> None:
        fleet = self.fleet

        def weight(node: Node | None) -> tuple[int, int, int, int]:
            if node is None or node.phase is NodePhase.RETIRED:
                return 0, 0, 0, 0
            serving = node.gpus if node.phase is NodePhase.IN_SERVICE else 0
            return 1, serving, int(node.phase in FENCED_PHASES), int(node.phase in REPAIR_PHASES)

        before, after = weight(old), weight(new)
        if before != after:
            self.set_fleet(
                nodes=fleet.nodes + after[0] - before[0],
                capacity=fleet.capacity + after[1] - before[1],
                fenced=fleet.fenced + after[2] - before[2],
                repairing=fleet.repairing + after[3] - before[3],
            )


def in_the_way(task: Task) -> bool:
    """Whether a live task forbids a repair of its node: all but daemons and our own diagnoses do."""
    return task.role not in (TaskRole.DAEMON, TaskRole.DIAGNOSTIC)
