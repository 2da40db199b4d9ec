"""What the recovery system knows: nodes, jobs, tasks, incidents, intents and the fleet's budgets, as immutable records.

The same records are held in memory by the simulator and the model checker, and in DynamoDB in production.
Times are seconds since the epoch (UTC).
"""

from collections.abc import Callable
from dataclasses import dataclass, fields
from functools import cache
from operator import attrgetter
from typing import Any, TypeVar

from inferfleet.recovery.core.terms import (
    FENCED_PHASES,
    IntentKind,
    IntentStatus,
    JobPhase,
    NodePhase,
    Rung,
    Severity,
    StopCause,
    TaskRole,
    TaskStatus,
)

T = TypeVar("T")


def evolve(record: T, **changes: Any) -> T:
    """Does what `dataclasses.replace` does, three times as fast: whole fleets are made of this one call."""
    kind: Any = type(record)
    read, places = _shape(kind)
    values = list(read(record))
    for name, value in changes.items():
        values[places[name]] = value
    made: T = kind(*values)
    return made


@cache
def _shape(kind: Any) -> tuple[Callable[[Any], tuple[Any, ...]], dict[str, int]]:
    names = [item.name for item in fields(kind)]
    return attrgetter(*names), {name: at for at, name in enumerate(names)}


@dataclass(frozen=True, slots=True)
class Boot:
    """One boot of a node: its kernel's boot id, and when it began (0 where unknown)."""

    id: str
    at: float = 0.0


@dataclass(frozen=True, slots=True)
class Node:
    """A container instance.

    Attributes:
        id: EC2 instance id.
        container_instance: ARN in ECS.
        rung: The rung that the evidence asks for, while the node is suspected or condemned.
        reason: The evidence, in words.
        deadline: When the present phase has taken too long.
        version: ECS's `detail.version` last seen, so that stale events are recognised.
        disconnected_at: Since when the ECS agent has been away.
        seq: Counts this node's intents and incidents, for deterministic ids.
        request: The intent whose outcome the phase waits for.
        tries: Inconclusive diagnoses, or failed effects, in this phase.
        repaired: The repair that the present examination follows.
        boot_before: Boot id when the reboot was asked for ("" where none was known).
        acted_at: When the reboot was asked for.
        certified_boot: Boot id of the last passing diagnosis.
        certified_at: When that diagnosis passed.
        reboots: Times of reboots within the policy's window.
        offences: Times of confirmed faults within the policy's window.
        suspicions: Times of failures that began here, with no evidence against a GPU; later examinations go deeper.
        fence_request: The intent that last set or cleared the fence.
        lost: It is condemned only because its agent stayed away: if it comes back, it is examined instead of repaired.
        keep_out: A person drained it: it stays fenced after any outcome.
        replaceable: It belongs to an Auto Scaling group.
        emptied: ECS was asked to move its services' tasks away, by setting it to DRAINING.
        draining: ECS shows it DRAINING, whoever asked for that.
    """

    id: str
    container_instance: str = ""
    gpus: int = 8
    phase: NodePhase = NodePhase.IN_SERVICE
    rung: Rung = Rung.NONE
    reason: str = ""
    since: float = 0.0
    deadline: float | None = None
    version: int = 0
    connected: bool = True
    disconnected_at: float | None = None
    impaired: bool = False
    boot: Boot | None = None
    seq: int = 0
    request: str = ""
    tries: int = 0
    repaired: Rung = Rung.NONE
    boot_before: str = ""
    acted_at: float = 0.0
    certified_boot: str = ""
    certified_at: float = 0.0
    reboots: tuple[float, ...] = ()
    offences: tuple[float, ...] = ()
    suspicions: tuple[float, ...] = ()
    incident: str = ""
    fence_request: str = ""
    lost: bool = False
    keep_out: bool = False
    replaceable: bool = True
    emptied: bool = False
    draining: bool = False

    @property
    def fenced(self) -> bool:
        """Whether nothing may start here."""
        return self.phase in FENCED_PHASES


@dataclass(frozen=True, slots=True)
class Job:
    """A gang: `size` tasks that run together or not at all.

    Attributes:
        launch: What to start, as JSON text that only the effects read; ECS forgets a stopped task in an hour.
        assignment: The node of each rank, in the present generation.
        generation: Counts starts of the gang; tasks carry it, so a stray of an older start is recognised.
        launched: Tasks known of this generation; `running` of them came up, `ended` are over, `succeeded` with 0.
        start_request: The intent that starts this generation, `stop_request` the one that stops it.
        missing: Ranks that could not be placed and wait for another try.
        attempts: Restarts in a row that did not last.
        excused: Those of them that a fault of a node ended, known at once: they say nothing against the job.
        tries: Placements or stops tried again within one attempt.
        failed_at: When the first task failed, as ECS dates it.
        user_stopped_at: When a user stopped it, as ECS dates it.
    """

    id: str
    size: int
    gpus_per_task: int = 8
    launch: str = ""
    phase: JobPhase = JobPhase.SUBMITTED
    generation: int = 0
    assignment: tuple[str, ...] = ()
    launched: int = 0
    running: int = 0
    ended: int = 0
    succeeded: int = 0
    attempts: int = 0
    excused: int = 0
    tries: int = 0
    since: float = 0.0
    deadline: float | None = None
    seq: int = 0
    start_request: str = ""
    stop_request: str = ""
    failed_at: float | None = None
    user_stopped_at: float | None = None
    reason: str = ""
    incident: str = ""
    missing: tuple[int, ...] = ()

    @property
    def live(self) -> int:
        """Tasks of this generation that have not stopped."""
        return self.launched - self.ended


@dataclass(frozen=True, slots=True)
class Task:
    """One ECS task. `owner` is its job, or its service's name."""

    id: str
    node: str
    role: TaskRole = TaskRole.STANDALONE
    owner: str = ""
    generation: int = 0
    rank: int = 0
    status: TaskStatus = TaskStatus.PENDING
    version: int = 0
    gpus: int = 0
    gpu_ids: tuple[str, ...] = ()
    seen_at: float = 0.0
    cause: StopCause | None = None
    exit_code: int | None = None
    stopped_at: float = 0.0

    @property
    def live(self) -> bool:
        """Whether it may still be running."""
        return self.status is not TaskStatus.STOPPED


@dataclass(frozen=True, slots=True)
class Notice:
    """A message that a person can act on: what, where, what was tried, what to do."""

    severity: Severity
    what: str
    where: str
    tried: str
    todo: str


@dataclass(frozen=True, slots=True)
class Intent:
    """Something to be done, recorded before it is done.

    Attributes:
        id: Deterministic, so the same decision taken twice is one intent; effects derive their client tokens from it.
        ranks: (rank, node) pairs to start.
        tasks: Task ids to stop, or for a reboot those that may die with the node.
        lease_until: Until when the executor that claimed it may still be at work.
    """

    id: str
    kind: IntentKind
    reason: str
    at: float
    node: str = ""
    job: str = ""
    generation: int = 0
    ranks: tuple[tuple[int, str], ...] = ()
    tasks: tuple[str, ...] = ()
    level: int = 0
    boot_before: str = ""
    notice: Notice | None = None
    incident: str = ""
    status: IntentStatus = IntentStatus.PENDING
    lease_until: float = 0.0
    outcome: str = ""


@dataclass(frozen=True, slots=True)
class Step:
    """One line of an incident's history."""

    at: float
    text: str


@dataclass(frozen=True, slots=True)
class Incident:
    """One trouble from its first sign to its end, in words: what `explain` prints."""

    id: str
    subject: str
    opened_at: float
    cause: str
    steps: tuple[Step, ...] = ()
    closed_at: float | None = None
    outcome: str = ""
    person_called: bool = False


@dataclass(frozen=True, slots=True)
class Fleet:
    """What all nodes share: the budgets and the brake.

    Attributes:
        nodes: Nodes known and not retired.
        capacity: GPUs on nodes that are in service.
        fenced: Nodes that are fenced, whatever for.
        repairing: Nodes being reset, rebooted or replaced.
        reboots: Times of reboots and resets within the last hour.
        replacements: Times of replacements within the last day.
        faults: Times of confirmed faults, for the breaker.
        paused: A person stopped automatic action.
        breaker: Why the breaker stopped automatic action; "" while it is closed.
    """

    nodes: int = 0
    capacity: int = 0
    fenced: int = 0
    repairing: int = 0
    reboots: tuple[float, ...] = ()
    replacements: tuple[float, ...] = ()
    faults: tuple[float, ...] = ()
    paused: str = ""
    breaker: str = ""
    breaker_at: float = 0.0
    seq: int = 0

    @property
    def acting(self) -> bool:
        """Whether automatic action is allowed."""
        return not self.paused and not self.breaker
