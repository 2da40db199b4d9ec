"""The words of recovery: phases, rungs, causes, kinds of intents, and the groups of them that rules speak of."""

from enum import IntEnum, StrEnum


class Rung(IntEnum):
    """A step of the ladder; the higher, the more it costs. `NONE` means that the GPU is not to blame."""

    NONE = 0
    EXAMINE = 1
    RESET_GPU = 2
    REBOOT = 3
    REPLACE = 4
    PERSON = 5


class NodePhase(StrEnum):
    """Where a node is on its way through recovery."""

    IN_SERVICE = "in-service"
    SUSPECT = "suspect"
    """Not chosen for new gangs; waits to be idle and for room in the fence budget."""
    EXAMINING = "examining"
    """Fenced; a diagnosis is under way."""
    CONDEMNED = "condemned"
    """Fenced; waits until it is empty and a budget allows its rung."""
    RESETTING = "resetting"
    REBOOTING = "rebooting"
    REPLACING = "replacing"
    QUARANTINED = "quarantined"
    """Fenced until a person returns it."""
    LEAVING = "leaving"
    """Its capacity is about to be taken away (Spot, retirement): no new work."""
    RETIRED = "retired"


FENCED_PHASES = frozenset(
    {
        NodePhase.EXAMINING,
        NodePhase.CONDEMNED,
        NodePhase.RESETTING,
        NodePhase.REBOOTING,
        NodePhase.REPLACING,
        NodePhase.QUARANTINED,
    }
)
REPAIR_PHASES = frozenset({NodePhase.RESETTING, NodePhase.REBOOTING, NodePhase.REPLACING})


class JobPhase(StrEnum):
    """Where a gang is."""

    SUBMITTED = "submitted"
    WAITING = "waiting"
    """All its tasks have stopped; waits for nodes."""
    STARTING = "starting"
    RUNNING = "running"
    HELD = "held"
    """It failed while automatic action was paused."""
    STOPPING = "stopping"
    COMPLETED = "completed"
    STOPPED = "stopped"
    """By its user."""
    FAILED = "failed"
    """Given up: a person was called."""


FINAL_JOB_PHASES = frozenset({JobPhase.COMPLETED, JobPhase.STOPPED, JobPhase.FAILED})


class TaskStatus(IntEnum):
    """The three states that matter; ECS's finer ones map onto them. A task only ever moves up."""

    PENDING = 0
    RUNNING = 1
    STOPPED = 2


class TaskRole(StrEnum):
    """What a task is for."""

    GANG = "gang"
    SERVICE = "service"
    """Kept running by an ECS service: ECS restarts it, recovery looks only at its node."""
    STANDALONE = "standalone"
    """Started by someone else, unknown to the job table."""
    DIAGNOSTIC = "diagnostic"
    DAEMON = "daemon"
    """A task of a daemon service, such as the node agent: never in the way of a repair."""


class StopCause(StrEnum):
    """Why a task stopped, as far as ECS and our own records can say."""

    COMPLETED = "completed"
    FAILED = "failed"
    """A container exited by itself with a status other than 0."""
    OUT_OF_MEMORY = "out-of-memory"
    NOT_STARTED = "not-started"
    OURS = "ours"
    """The recovery system stopped it."""
    USER = "user"
    SCHEDULER = "scheduler"
    """An ECS service or a deployment replaced it."""
    CAPACITY = "capacity"
    """Spot interruption, termination or loss of the instance."""
    UNKNOWN = "unknown"
    """It vanished, and nobody saw why."""


class IntentKind(StrEnum):
    """What the core may ask of the world."""

    STOP_GANG = "stop-gang"
    STOP_TASKS = "stop-tasks"
    FENCE = "fence"
    UNFENCE = "unfence"
    DIAGNOSE = "diagnose"
    RESET_GPU = "reset-gpu"
    REBOOT = "reboot"
    REPLACE = "replace"
    START_GANG = "start-gang"
    NOTIFY = "notify"


AT_MOST_ONCE = frozenset({IntentKind.REBOOT, IntentKind.RESET_GPU})
"""Effects that AWS gives no idempotency token: once claimed they are never repeated, whatever became of the claim."""


class IntentStatus(StrEnum):
    """How far an intent has come."""

    PENDING = "pending"
    CLAIMED = "claimed"
    DONE = "done"
    FAILED = "failed"
    CANCELLED = "cancelled"


SETTLED = frozenset({IntentStatus.DONE, IntentStatus.FAILED, IntentStatus.CANCELLED})


class Severity(StrEnum):
    """Who should read a notice."""

    INFO = "info"
    PERSON = "person"
