"""What the deployment controller knows of a service, its deployment and its tasks: plain values, no shapes of AWS."""

from __future__ import annotations

import math
from dataclasses import dataclass
from enum import StrEnum


class Phase(StrEnum):
    """How far a task's life has come; one that has stopped is no longer looked at."""

    STARTING = "starting"
    RUNNING = "running"
    STOPPING = "stopping"


class Health(StrEnum):
    """What health checks say of a task."""

    UNKNOWN = "unknown"
    HEALTHY = "healthy"
    UNHEALTHY = "unhealthy"


@dataclass(frozen=True, slots=True)
class Task:
    """A task of a service.

    Attributes:
        arn: Its name.
        revision: ARN of the service revision that it runs.
        phase: How far its life has come.
        health: What its container's and its load balancer's health checks say together.
        created: When it was started, in seconds since the epoch.
        reason: Why it is unhealthy.
        has_served: Whether it has been healthy before.
    """

    arn: str
    revision: str
    phase: Phase
    health: Health
    created: float
    reason: str = ""
    has_served: bool = False

    @property
    def is_serving(self) -> bool:
        """Whether it runs and is healthy."""
        return self.phase is Phase.RUNNING and self.health is Health.HEALTHY

    @property
    def is_sick(self) -> bool:
        """Whether it runs, is unhealthy and never was anything else: it goes at once."""
        return self.phase is Phase.RUNNING and self.health is Health.UNHEALTHY and not self.has_served

    @property
    def is_failing(self) -> bool:
        """Whether it runs and is not healthy any more: it goes once another one serves in its place."""
        return self.phase is Phase.RUNNING and self.health is Health.UNHEALTHY and self.has_served


class Strategy(StrEnum):
    """How a new revision takes over."""

    ROLLING = "ROLLING"
    BLUE_GREEN = "BLUE_GREEN"
    LINEAR = "LINEAR"
    CANARY = "CANARY"


class Status(StrEnum):
    """What has become of a service deployment, as DescribeServiceDeployments says it."""

    PENDING = "PENDING"
    IN_PROGRESS = "IN_PROGRESS"
    SUCCESSFUL = "SUCCESSFUL"
    STOPPED = "STOPPED"
    ROLLBACK_IN_PROGRESS = "ROLLBACK_IN_PROGRESS"
    ROLLBACK_SUCCESSFUL = "ROLLBACK_SUCCESSFUL"
    ROLLBACK_FAILED = "ROLLBACK_FAILED"


class Stage(StrEnum):
    """Where a deployment that shifts traffic has come to."""

    RECONCILE_SERVICE = "RECONCILE_SERVICE"
    PRE_SCALE_UP = "PRE_SCALE_UP"
    SCALE_UP = "SCALE_UP"
    POST_SCALE_UP = "POST_SCALE_UP"
    TEST_TRAFFIC_SHIFT = "TEST_TRAFFIC_SHIFT"
    POST_TEST_TRAFFIC_SHIFT = "POST_TEST_TRAFFIC_SHIFT"
    PRODUCTION_TRAFFIC_SHIFT = "PRODUCTION_TRAFFIC_SHIFT"
    POST_PRODUCTION_TRAFFIC_SHIFT = "POST_PRODUCTION_TRAFFIC_SHIFT"
    BAKE_TIME = "BAKE_TIME"
    CLEAN_UP = "CLEAN_UP"


@dataclass(frozen=True, slots=True)
class Breaker:
    """The deployment circuit breaker.

    Attributes:
        enabled: Whether failing tasks fail the deployment.
        rollback: Whether the last good revision comes back then.
        resets: Whether a healthy task sets the count of failures back to none.
        kind: How `value` is meant: a COUNT of tasks, or a percentage of the desired count (BOUNDED_PERCENT: at
            least 3 and at most 200 tasks; UNBOUNDED_PERCENT: at least one).
        value: Of the threshold; ECS's own is half of the desired count.
    """

    enabled: bool = False
    rollback: bool = False
    resets: bool = True
    kind: str = "BOUNDED_PERCENT"
    value: float = 50.0

    def threshold(self, desired: int) -> int:
        """How many failures a service of that size may have before its deployment has failed."""
        if self.kind == "COUNT":
            return max(1, int(self.value))
        share = math.ceil(self.value * desired / 100)
        return max(1, share) if self.kind == "UNBOUNDED_PERCENT" else min(200, max(3, share))


@dataclass(frozen=True, slots=True)
class Step:
    """A share of the traffic, in percent, and how long it stays there, in seconds."""

    percent: float
    bake_s: float


@dataclass(frozen=True, slots=True)
class Rules:
    """How a service wants to be deployed.

    Attributes:
        strategy: How a new revision takes over.
        minimum_percent: Of the desired count, that stays healthy.
        maximum_percent: Of the desired count, that runs or starts at once.
        bake_s: How long the new revision is watched before the old one goes.
        steps: Where the traffic stops on its way to the new revision, before all of it.
        breaker: The circuit breaker.
        alarms: Names of the alarms that fail a deployment.
        alarm_rollback: Whether the last good revision comes back then.
        has_test_traffic: Whether a listener rule for test traffic is named.
    """

    strategy: Strategy = Strategy.ROLLING
    minimum_percent: int = 100
    maximum_percent: int = 200
    bake_s: float = 0.0
    steps: tuple[Step, ...] = ()
    breaker: Breaker = Breaker()
    alarms: tuple[str, ...] = ()
    alarm_rollback: bool = False
    has_test_traffic: bool = False


@dataclass(frozen=True, slots=True)
class Rollback:
    """Why and when a deployment turned back, and to which revision."""

    reason: str
    started: float
    revision: str


@dataclass(frozen=True, slots=True)
class Deployment:
    """A service deployment: the way from one service revision to another.

    Attributes:
        arn: Its name.
        target: ARN of the revision that it brings.
        source: ARN of the last good revision; None for the first deployment of a service.
        rules: How it goes.
        created: When it was asked for. All times are seconds since the epoch.
        status: What has become of it.
        reason: Why, where that needs saying.
        stage: Where it is, if it shifts traffic or bakes.
        stage_since: Since when.
        step: How many of the rules' steps the traffic has passed.
        weight: Share of the production traffic, in percent, that goes to the target.
        test_weight: The same of the test traffic.
        failures: Tasks of the target that failed.
        ignored: Alarms that had gone off before it began, which it does not look at.
        fired: Alarms that ended it.
        started: When it began.
        updated: When anything of it changed.
        finished: When it came to its end.
        rollback: How it turned back, if it did.
    """

    arn: str
    target: str
    source: str | None
    rules: Rules
    created: float
    status: Status = Status.PENDING
    reason: str = ""
    stage: Stage | None = None
    stage_since: float = 0.0
    step: int = 0
    weight: float = 0.0
    test_weight: float = 0.0
    failures: int = 0
    ignored: tuple[str, ...] = ()
    fired: tuple[str, ...] = ()
    started: float | None = None
    updated: float | None = None
    finished: float | None = None
    rollback: Rollback | None = None

    @property
    def is_forward(self) -> bool:
        """Whether it is under way to its target."""
        return self.status in (Status.PENDING, Status.IN_PROGRESS)

    @property
    def is_over(self) -> bool:
        """Whether it has come to an end, good or bad."""
        return not self.is_forward and self.status is not Status.ROLLBACK_IN_PROGRESS

    @property
    def shifts_traffic(self) -> bool:
        """Whether old and new run side by side while the load balancer moves from one to the other."""
        return self.rules.strategy is not Strategy.ROLLING and self.source is not None

    @property
    def wanted(self) -> str | None:
        """The revision that shall run in the end; None where a failure left the service to a person."""
        if self.status in (Status.STOPPED, Status.ROLLBACK_FAILED):
            return None
        return self.rollback.revision if self.rollback else self.target


@dataclass(frozen=True, slots=True)
class Service:
    """A service, as the controller decides on it.

    Attributes:
        name: Of the service.
        desired: How many tasks it shall have.
        deployment: Its latest deployment.
        is_leaving: Whether it is being deleted.
        failures_in_a_row: Tasks that failed since the last one that became healthy.
        retry_at: When the next task may be started, after failures.
        is_steady: Whether it has said that it reached a steady state.
    """

    name: str
    desired: int
    deployment: Deployment
    is_leaving: bool = False
    failures_in_a_row: int = 0
    retry_at: float = 0.0
    is_steady: bool = False


@dataclass(frozen=True, slots=True)
class Start:
    """Tasks to start: how many, and of which revision."""

    revision: str
    count: int


@dataclass(frozen=True, slots=True)
class Stop:
    """A task to stop, why, and whether that is a failure of its own."""

    arn: str
    reason: str
    is_failure: bool = False


@dataclass(frozen=True, slots=True)
class Decision:
    """What comes next.

    Attributes:
        service: The service as it is from now on.
        start: Tasks to start.
        stop: Tasks to stop.
        events: What to tell people.
    """

    service: Service
    start: tuple[Start, ...] = ()
    stop: tuple[Stop, ...] = ()
    events: tuple[str, ...] = ()
