"""What the core can be told. Any of these may come twice, late, out of order, or never."""

from dataclasses import dataclass
from enum import StrEnum

from inferfleet.recovery.core.model import Boot, Task
from inferfleet.recovery.core.terms import StopCause, TaskRole, TaskStatus


class Verdict(StrEnum):
    """What a diagnosis says. Inconclusive is neither: the examination itself failed."""

    PASS = "pass"
    FAIL = "fail"
    INCONCLUSIVE = "inconclusive"


@dataclass(frozen=True, slots=True)
class JobSubmitted:
    """A user asks for a gang."""

    job: str
    size: int
    gpus_per_task: int
    launch: str = ""


@dataclass(frozen=True, slots=True)
class TaskSeen:
    """A task as ECS shows it, by event or by listing. `version` is ECS's; 0 where none is known."""

    id: str
    node: str
    status: TaskStatus
    version: int = 0
    role: TaskRole = TaskRole.STANDALONE
    owner: str = ""
    generation: int = 0
    rank: int = 0
    gpus: int = 0
    gpu_ids: tuple[str, ...] = ()
    cause: StopCause | None = None
    exit_code: int | None = None
    stopped_at: float = 0.0


@dataclass(frozen=True, slots=True)
class TaskGone:
    """A task that we believe to be live and that ECS no longer knows."""

    id: str


@dataclass(frozen=True, slots=True)
class NodeSeen:
    """A container instance as ECS and EC2 show it.

    Attributes:
        boot: Boot id, where the node agent or an attribute tells it.
        impaired: EC2's status checks fail.
        fence: Whether the fence attribute is set; None where the source does not say.
        draining: ECS places nothing there and moves services' tasks away; None where the source does not say.
        replaceable: It belongs to an Auto Scaling group.
    """

    node: str
    version: int = 0
    connected: bool = True
    container_instance: str = ""
    gpus: int = 0
    boot: Boot | None = None
    impaired: bool | None = None
    fence: bool | None = None
    draining: bool | None = None
    replaceable: bool | None = None


@dataclass(frozen=True, slots=True)
class NodeGone:
    """The instance was terminated or deregistered."""

    node: str


@dataclass(frozen=True, slots=True)
class Diagnosed:
    """The outcome of a diagnostic task, or of a GPU reset. `request` is the intent that asked for it."""

    node: str
    request: str
    verdict: Verdict
    rung: int = 0
    boot: Boot | None = None
    detail: str = ""


@dataclass(frozen=True, slots=True)
class Evidence:
    """A report against a node: an Xid, NVML's recovery action, or ECS's accelerator health.

    Attributes:
        rung: What the catalog makes of it.
        at: When it happened on the node.
        boot_id: The boot it happened in; "" where unknown.
        gpu: UUID of the GPU; "" where unknown.
    """

    node: str
    rung: int
    reason: str
    at: float
    boot_id: str = ""
    gpu: str = ""


@dataclass(frozen=True, slots=True)
class CapacityWarning:
    """The instance will be taken away: a Spot interruption or a retirement."""

    node: str
    reason: str


@dataclass(frozen=True, slots=True)
class Maintenance:
    """EC2 has scheduled a reboot or a stop of the instance."""

    node: str
    code: str
    not_before: float


@dataclass(frozen=True, slots=True)
class Started:
    """A task that an effect started or found: its id, rank and node."""

    id: str
    rank: int
    node: str


@dataclass(frozen=True, slots=True)
class IntentResult:
    """What became of an intent.

    Attributes:
        ok: It was carried out, or had been before.
        tasks: Tasks started, or found to have been started.
        seen: All tasks of the generation, as a stop lists them: those that stopped before it, too, with their causes.
        failures: (rank, reason) of those that could not be started.
    """

    intent: str
    ok: bool
    detail: str = ""
    tasks: tuple[Started, ...] = ()
    seen: tuple[TaskSeen, ...] = ()
    failures: tuple[tuple[int, str], ...] = ()


class Verb(StrEnum):
    """What a person can order."""

    DRAIN = "drain"
    RETURN = "return"
    PAUSE = "pause"
    RESUME = "resume"
    STOP_JOB = "stop-job"
    RETRY_JOB = "retry-job"


@dataclass(frozen=True, slots=True)
class Command:
    """An order from a person."""

    verb: Verb
    target: str = ""
    who: str = ""


@dataclass(frozen=True, slots=True)
class Tick:
    """Time has passed."""


@dataclass(frozen=True, slots=True)
class Snapshot:
    """The whole world, as listed between `began` and now. See `snapshot.expand`.

    Attributes:
        evidence: What the node agents have pinned to their container instances.
        diagnosed: Verdicts of diagnostic tasks that have stopped.
    """

    began: float
    nodes: tuple[NodeSeen, ...]
    tasks: tuple[TaskSeen, ...]
    evidence: tuple[Evidence, ...] = ()
    diagnosed: tuple[Diagnosed, ...] = ()


Observation = (
    JobSubmitted
    | TaskSeen
    | TaskGone
    | NodeSeen
    | NodeGone
    | Diagnosed
    | Evidence
    | CapacityWarning
    | Maintenance
    | IntentResult
    | Command
    | Tick
)


def as_task(seen: TaskSeen, now: float) -> Task:
    """Makes the record of a task from what was seen of it."""
    return Task(
        id=seen.id,
        node=seen.node,
        role=seen.role,
        owner=seen.owner,
        generation=seen.generation,
        rank=seen.rank,
        status=seen.status,
        version=seen.version,
        gpus=seen.gpus,
        gpu_ids=seen.gpu_ids,
        seen_at=now,
        cause=seen.cause,
        exit_code=seen.exit_code,
        stopped_at=seen.stopped_at,
    )
