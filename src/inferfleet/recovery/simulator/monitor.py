"""The judge of a simulation: it sees the truth, counts what recovery achieved, and whether it ever broke a limit."""

from collections import Counter
from dataclasses import dataclass, field

from inferfleet.recovery.core.model import Intent
from inferfleet.recovery.core.observations import Command, JobSubmitted, Observation
from inferfleet.recovery.core.policy import HOUR
from inferfleet.recovery.core.state import Decision
from inferfleet.recovery.core.terms import FENCED_PHASES, FINAL_JOB_PHASES, IntentKind, JobPhase, NodePhase, TaskStatus
from inferfleet.recovery.simulator.brain import Brain
from inferfleet.recovery.simulator.cloud import Cloud, RealTask
from inferfleet.recovery.simulator.engine import Engine
from inferfleet.recovery.simulator.profile import Cause, Look


@dataclass(slots=True)
class Trail:
    """One fault's way: seconds from its beginning to each stage."""

    node: str
    cause: str
    at: float
    detected: float | None = None
    fenced: float | None = None
    repaired: float | None = None


@dataclass(slots=True)
class Progress:
    """What one job has achieved."""

    size: int
    up: set[str] = field(default_factory=set)
    since: float | None = None
    effective: float = 0.0
    interruptions: int = 0
    lost: bool = False


@dataclass(slots=True)
class Span:
    """A node in one phase, for the timeline."""

    node: str
    phase: str
    begin: float
    end: float


class Monitor:
    """Watches decisions and effects, and knows the truth about both."""

    def __init__(self, engine: Engine, cloud: Cloud, brain: Brain) -> None:
        self.engine, self.cloud, self.brain = engine, cloud, brain
        self.broken: Counter[str] = Counter()
        self.reboots: list[float] = []
        self.false_reboots = 0
        self.replacements = 0
        self.people: list[tuple[float, str]] = []
        self.trails: list[Trail] = []
        self.jobs: dict[str, Progress] = {}
        self.spans: list[Span] = []
        self.causes: Counter[str] = Counter()
        self._open: dict[str, Trail] = {}
        self._by_job: dict[str, list[Trail]] = {}
        self._phase_since: dict[str, tuple[str, float]] = {}

    # Jobs

    def on_up(self, task: RealTask) -> None:
        """A task runs; the gang makes progress when all do, after its warm-up."""
        job = self.jobs[task.job]
        job.up.add(task.id)
        if len(job.up) == job.size:
            generations = {key.rsplit("/", 2)[1] for key in job.up}
            if len(generations) > 1:
                self.broken["two live gangs of a job"] += 1
            job.since = self.engine.now + self.cloud.timing.warm_up
        if len(job.up) > job.size:
            self.broken["more tasks than the job has"] += 1

    def on_down(self, task: RealTask) -> None:
        """A task runs no more, or hangs: progress ends, and what came after the last checkpoint is lost."""
        job = self.jobs[task.job]
        if task.id in job.up:
            job.up.discard(task.id)
            if job.since is not None:
                self._bank(job)
                job.interruptions += 1

    def _bank(self, job: Progress) -> None:
        worked = max(0.0, self.engine.now - (job.since or 0.0))
        redo = self.cloud.rng.random() * self.cloud.timing.checkpoint_every
        job.effective += max(0.0, worked - redo)
        job.since = None

    def finish(self) -> None:
        """The end of the simulation."""
        for job in self.jobs.values():
            if job.since is not None:
                job.effective += max(0.0, self.engine.now - job.since)
        for key, (phase, since) in self._phase_since.items():
            self.spans.append(Span(key, phase, since, self.engine.now))

    # Faults

    def fault(self, node: str, jobs: list[str], cause: Cause) -> None:
        """A fault begins."""
        self.causes[cause.name] += 1
        trail = Trail(node, cause.name, self.engine.now)
        if cause.look not in (Look.APP, Look.MAINTENANCE):
            self._open[node] = trail
            self.trails.append(trail)
        for job in dict.fromkeys(jobs):
            self._by_job.setdefault(job, []).append(trail)

    def person(self, intent: Intent) -> None:
        """A person is called."""
        self.people.append((self.engine.now, intent.notice.what if intent.notice else intent.reason))

    # Decisions

    def on_decision(self, seen: Observation, decision: Decision) -> None:
        """Follows nodes and jobs, and checks each decision against the truth before it is applied."""
        state, now = self.brain.state, self.engine.now
        for job in decision.changes.jobs.values():
            old = state.jobs.get(job.id)
            if old is None or old.phase is not job.phase:
                self._job_moves(job.id, job.phase, now)
        for node in decision.changes.nodes.values():
            before = state.nodes.get(node.id)
            if before is None or before.phase is not node.phase:
                self._node_moves(node.id, before.phase if before else None, node.phase, now)
        if not state.fleet.acting and not isinstance(seen, Command | JobSubmitted):
            for key in decision.intents:
                intent = decision.changes.intents[key]
                if (
                    intent.kind in (IntentKind.REBOOT, IntentKind.REPLACE, IntentKind.START_GANG)
                    and intent.generation != 1
                ):
                    self.broken["acted while automatic action was off"] += 1
        fleet = decision.changes.fleet
        if fleet is not None:
            policy = state.policy
            if fleet.fenced > policy.fence_limit(fleet.nodes) and fleet.fenced > state.fleet.fenced:
                self.broken["too many nodes fenced"] += 1
            if fleet.repairing > policy.repair_limit(fleet.nodes) and fleet.repairing > state.fleet.repairing:
                self.broken["too many nodes in repair"] += 1

    def _job_moves(self, key: str, phase: JobPhase, now: float) -> None:
        if phase is JobPhase.STOPPING:
            for trail in self._by_job.pop(key, ()):
                trail.detected = trail.detected or now - trail.at
        if phase is JobPhase.FAILED:
            self.jobs[key].lost = True

    def _node_moves(self, key: str, before: NodePhase | None, phase: NodePhase, now: float) -> None:
        trail = self._open.get(key)
        if trail is not None:
            if before is NodePhase.IN_SERVICE:
                trail.detected = trail.detected or now - trail.at
            if phase in (NodePhase.IN_SERVICE, NodePhase.RETIRED) and before in FENCED_PHASES:
                item = self.cloud.instances[key]
                if item.gone or item.sick == 0:
                    trail.repaired = now - trail.at
                    del self._open[key]
        if phase is NodePhase.IN_SERVICE and before in FENCED_PHASES:
            item = self.cloud.instances[key]
            if item.passed_boot != item.boot:
                self.broken["back in service without a passing diagnosis of its boot"] += 1
        old = self._phase_since.pop(key, None)
        if old is not None:
            self.spans.append(Span(key, old[0], old[1], now))
        if phase is not NodePhase.IN_SERVICE and phase is not NodePhase.RETIRED:
            self._phase_since[key] = (str(phase), now)

    def under_recovery(self) -> tuple[str, ...]:
        """Nodes that are neither in service nor retired."""
        return tuple(self._phase_since)

    # Effects

    def on_effect(self, intent: Intent, what: str) -> None:
        """Checks an effect against the truth at the moment it is carried out."""
        now = self.engine.now
        match intent.kind:
            case IntentKind.FENCE:
                trail = self._open.get(intent.node)
                if trail is not None:
                    trail.fenced = trail.fenced or now - trail.at
            case IntentKind.REBOOT:
                self._check_reboot(intent, now)
                self.false_reboots += what == "false"
            case IntentKind.REPLACE:
                self.replacements += 1
            case IntentKind.START_GANG:
                self._check_start(intent)
            case _:
                pass

    def _check_reboot(self, intent: Intent, now: float) -> None:
        self.reboots.append(now)
        fleet, policy = self.brain.state.fleet, self.brain.state.policy
        if sum(at > now - HOUR for at in self.reboots[-200:]) > policy.reboot_limit(fleet.nodes):
            self.broken["too many reboots in an hour"] += 1
        for key in self.cloud.instances[intent.node].tasks:
            task = self.cloud.tasks[key]
            job = self.brain.state.jobs[task.job]
            over = job.phase is JobPhase.STOPPING or job.phase in FINAL_JOB_PHASES
            if task.generation == job.generation and not over:
                self.broken["rebooted under another job's task"] += 1

    def _check_start(self, intent: Intent) -> None:
        for rank, _ in intent.ranks:
            task = self.cloud.tasks.get(f"{intent.job}/{intent.generation}/{rank}")
            if task is not None and task.status is TaskStatus.PENDING and self.cloud.instances[task.node].fence:
                self.broken["started on a fenced node"] += 1
