"""A small, exact model of ECS and EC2, with an adversary: it loses, repeats and reorders events and crashes executors.

Every step is one atomic change. An executor takes three kinds of steps (claim, each part of the effect, record the
result), so everything else can happen in between, and it can die after any of them. Checks run on the true world,
not on what the core believes of it.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from typing import TypeVar

from inferfleet.recovery.core.intents import claimable, obsolete
from inferfleet.recovery.core.model import Boot, Intent
from inferfleet.recovery.core.observations import (
    Command,
    Diagnosed,
    Evidence,
    IntentResult,
    JobSubmitted,
    NodeSeen,
    Observation,
    Snapshot,
    Started,
    TaskSeen,
    Tick,
    Verb,
    Verdict,
)
from inferfleet.recovery.core.policy import HOUR, Policy
from inferfleet.recovery.core.reducer import decide
from inferfleet.recovery.core.snapshot import expand
from inferfleet.recovery.core.state import State
from inferfleet.recovery.core.terms import (
    AT_MOST_ONCE,
    FINAL_JOB_PHASES,
    IntentKind,
    IntentStatus,
    JobPhase,
    NodePhase,
    Rung,
    StopCause,
    TaskRole,
    TaskStatus,
)

LEASE = 60.0
Step = tuple[str, ...]
T = TypeVar("T")


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


@dataclass(slots=True)
class World:
    """The true world, the core's state, and what is on its way between them."""

    state: State
    mischief: Mischief
    now: float = 1000.0
    machines: dict[str, Machine] = field(default_factory=dict)
    tasks: dict[str, RealTask] = field(default_factory=dict)
    events: tuple[Observation, ...] = ()
    executors: tuple[Executor, ...] = ()
    reboots: tuple[float, ...] = ()
    user_stopped: frozenset[tuple[str, int]] = frozenset()
    people: int = 0

    @classmethod
    def start(
        cls, policy: Policy, mischief: Mischief, nodes: tuple[int, ...], jobs: tuple[tuple[str, int], ...]
    ) -> "World":
        """A fleet of nodes with that many GPUs each, and gangs of the sizes given, submitted and not yet started."""
        world = cls(State(policy), mischief)
        for at, gpus in enumerate(nodes):
            world.machines[f"n{at}"] = Machine(f"n{at}", gpus=gpus)
        for machine in world.machines.values():
            world.tell(_node_seen(machine))
        for name, size in jobs:
            world.tell(JobSubmitted(name, size, 1))
        return world

    def copy(self) -> "World":
        """A world that can be changed without changing this one."""
        return World(
            self.state.copy(),
            self.mischief,
            self.now,
            dict(self.machines),
            dict(self.tasks),
            self.events,
            self.executors,
            self.reboots,
            self.user_stopped,
            self.people,
        )

    def key(self) -> int:
        """A fingerprint of all that matters for the future."""
        state = self.state
        return hash(
            (
                self.now,
                state.fleet,
                tuple(state.nodes.values()),
                tuple(state.jobs.values()),
                frozenset(state.tasks.values()),
                frozenset((key, intent.status, intent.lease_until) for key, intent in state.intents.items()),
                frozenset(self.machines.values()),
                frozenset(self.tasks.values()),
                frozenset(self.events),
                len(self.events),
                frozenset(self.executors),
                self.mischief,
                self.user_stopped,
            )
        )

    def live_on(self, node: str) -> list[RealTask]:
        """Tasks that run on a node in truth."""
        return [task for task in self.tasks.values() if task.node == node and task.status is TaskStatus.RUNNING]

    def lose_events(self) -> tuple[Observation, ...]:
        """Empties what is on its way, and returns it."""
        lost, self.events = self.events, ()
        return lost

    # What can happen next

    def steps(self) -> Iterator[Step]:
        """All steps that are possible now."""
        for at in range(len(self.events)):
            yield ("deliver", str(at))
            if self.mischief.duplicates:
                yield ("repeat", str(at))
            if self.mischief.losses:
                yield ("lose", str(at))
        for at in range(len(self.executors)):
            yield ("work", str(at))
            if self.mischief.crashes:
                yield ("crash", str(at))
        busy = {item.intent for item in self.executors}
        for intent in self.state.intents.values():
            if intent.id not in busy and claimable(intent, self.now, at_most_once=intent.kind in AT_MOST_ONCE):
                yield ("claim", intent.id)
        yield from self._adversary()
        for machine in self.machines.values():
            if not machine.up and not machine.gone:
                yield ("boot", machine.id)
        if not self.events or self.mischief.losses == 0:
            yield ("reconcile",)
        if self._next_time() is not None:
            yield ("wait",)

    def _adversary(self) -> Iterator[Step]:
        live = [task for task in self.tasks.values() if task.status is TaskStatus.RUNNING]
        spots = {"app-fault": self.mischief.app_faults, "report": self.mischief.reports}
        spots["user-stop"] = self.mischief.user_stops
        for task in live:
            yield from ((name, task.id) for name, left in spots.items() if left)
        for machine in self.machines.values():
            if machine.up and not machine.gone:
                yield from self._against(machine)
        if self.mischief.pauses:
            yield ("pause",)
        elif self.state.fleet.paused:
            yield ("resume",)

    def _against(self, machine: Machine) -> Iterator[Step]:
        if self.mischief.faults and machine.sick is Rung.NONE and self.live_on(machine.id):
            yield from (("fault", machine.id, kind.name) for kind in self.mischief.kinds)
        if self.mischief.flaps:
            yield ("flap", machine.id)
        if self.mischief.false_reports and machine.boot > 1:
            yield ("stale-report", machine.id)

    def take(self, step: Step) -> None:
        """Takes one step.

        Raises:
            Violation: If it breaks an invariant.
        """
        match step:
            case ("deliver", at):
                self._deliver(int(at))
            case ("repeat", at):
                self._spend(duplicates=1)
                self.tell(self.events[int(at)])
            case ("lose", at):
                self._spend(losses=1)
                self.events = _without(self.events, int(at))
            case ("claim", key):
                self._claim(self.state.intents[key])
            case ("work", at):
                self._work(int(at))
            case ("crash", at):
                self._spend(crashes=1)
                self.executors = _without(self.executors, int(at))
            case ("boot", key):
                self._boot(self.machines[key])
            case ("reconcile" | "wait",):
                (self.reconcile if step[0] == "reconcile" else self._wait)()
            case _:
                self._misbehave(step)
        self.check()

    def _misbehave(self, step: Step) -> None:
        match step:
            case ("fault", key, kind):
                self._spend(faults=1)
                self._fault(self.machines[key], Rung[kind])
            case ("app-fault", key):
                self._spend(app_faults=1)
                self._end(self.tasks[key], StopCause.FAILED)
            case ("user-stop", key):
                self._spend(user_stops=1)
                task = self.tasks[key]
                self.user_stopped |= {(task.job, task.generation)}
                self._end(task, StopCause.USER)
            case ("report", key):
                self._spend(reports=1)
                self._report(self.tasks[key])
            case ("flap", key):
                self._spend(flaps=1)
                machine = self._bump(self.machines[key], 2)
                self._emit(replace(_node_seen(machine), version=machine.version - 1, connected=False))
                self._emit(_node_seen(machine))
            case ("stale-report", key):
                self._spend(false_reports=1)
                boot = self.machines[key].boot - 1
                self._emit(Evidence(key, Rung.REBOOT, "Xid 79, replayed", 1.0, boot_id=f"b{boot}"))
            case ("pause",):
                self._spend(pauses=1)
                self.tell(Command(Verb.PAUSE))
            case ("resume",):
                self.tell(Command(Verb.RESUME))
                self.tell(Tick())
            case _:
                raise ValueError(f"unknown step {step}")

    # The core's side

    def tell(self, seen: Observation) -> None:
        """Lets the core decide on an observation, and checks the decision before it becomes the truth."""
        decision = decide(self.state, seen, self.now, self.state.policy)
        before = self.state.nodes
        was_acting = self.state.fleet.acting
        for node in decision.changes.nodes.values():
            old = before.get(node.id)
            if old is not None and old.fenced and node.phase is NodePhase.IN_SERVICE:
                machine = self.machines[node.id]
                if machine.passed_boot != machine.boot:
                    raise Violation(f"{node.id} is back in service without a passing diagnosis of its present boot")
        for key in decision.intents:
            intent = decision.changes.intents[key]
            if (
                not was_acting
                and not isinstance(seen, Command)
                and intent.kind in _AUTOMATIC
                and intent.generation != 1
            ):
                raise Violation(f"{key} was decided while automatic action was off")
            if intent.kind is IntentKind.NOTIFY:
                self.people += 1
        self.state.apply(decision.changes)
        if decision.more:
            self.tell(Tick())

    def _deliver(self, at: int) -> None:
        seen = self.events[at]
        self.events = _without(self.events, at)
        self.tell(seen)

    def reconcile(self) -> None:
        """Lists the world and feeds it to the core; then a tick."""
        nodes = tuple(_node_seen(item) for item in self.machines.values() if not item.gone)
        tasks = tuple(_task_seen(item) for item in self.tasks.values())
        live = [task for task in self.state.tasks.values() if task.live]
        for seen in expand(Snapshot(self.now, nodes, tasks), list(self.state.nodes.values()), live):
            self.tell(seen)
        self.tell(Tick())

    def _wait(self) -> None:
        at = self._next_time()
        assert at is not None
        self.now = at
        dead = [item for item in self.executors if self.state.intents[item.intent].lease_until <= self.now]
        self.executors = tuple(item for item in self.executors if item not in dead)
        self.tell(Tick())

    def _next_time(self) -> float | None:
        times = [self.state.next_due(self.now)]
        times += [
            intent.lease_until
            for intent in self.state.intents.values()
            if intent.status is IntentStatus.CLAIMED and intent.lease_until > self.now
        ]
        return min((at for at in times if at is not None), default=None)

    # The executor's side

    def _claim(self, intent: Intent) -> None:
        why = obsolete(self.state, intent)
        if why:
            self.tell(IntentResult(intent.id, ok=False, detail=why))
            return
        claimed = replace(intent, status=IntentStatus.CLAIMED, lease_until=self.now + LEASE)
        self.state.intents[intent.id] = claimed
        self.executors = (*self.executors, Executor(intent.id))

    def _work(self, at: int) -> None:
        """One part of an effect; after the last part, the result is recorded."""
        worker = self.executors[at]
        intent = self.state.intents[worker.intent]
        if worker.done:
            self.executors = _without(self.executors, at)
            self.tell(IntentResult(intent.id, worker.ok, worker.detail, worker.started, worker.seen, worker.failures))
            return
        after = (
            self._start_one(worker, intent) if intent.kind is IntentKind.START_GANG else self._affect(worker, intent)
        )
        self.executors = (*self.executors[:at], after, *self.executors[at + 1 :])

    def _start_one(self, worker: Executor, intent: Intent) -> Executor:
        rank, node = intent.ranks[worker.at]
        last = worker.at + 1 == len(intent.ranks)
        worker = replace(worker, at=worker.at + 1, done=last)
        found = self._task_of(intent.job, intent.generation, rank)
        if found is None:
            machine = self.machines[node]
            if machine.fence or machine.gone or not machine.up or len(self.live_on(node)) >= machine.gpus:
                return replace(worker, failures=(*worker.failures, (rank, "no room")), ok=False)
            found = self._run(intent, rank, machine)
        return replace(worker, started=(*worker.started, Started(found.id, rank, found.node)))

    def _run(self, intent: Intent, rank: int, machine: Machine) -> RealTask:
        if (intent.job, intent.generation - 1) in self.user_stopped:
            raise Violation(f"{intent.job} was stopped by its user and started again")
        key = f"{intent.job}/{intent.generation}/{rank}"
        task = RealTask(key, machine.id, intent.job, intent.generation, rank)
        self.tasks[key] = task
        self._emit(_task_seen(task))
        if machine.sick is not Rung.NONE:
            self._end(task, StopCause.FAILED)
        return self.tasks[key]

    def _affect(self, worker: Executor, intent: Intent) -> Executor:
        done = replace(worker, done=True)
        match intent.kind:
            case IntentKind.STOP_GANG | IntentKind.STOP_TASKS:
                return self._stop(done, intent)
            case IntentKind.FENCE | IntentKind.UNFENCE:
                machine = self.machines[intent.node]
                self.machines[machine.id] = replace(machine, fence=intent.kind is IntentKind.FENCE)
            case IntentKind.DIAGNOSE:
                return self._diagnose(done, intent)
            case IntentKind.REBOOT:
                return self._reboot(done, intent)
            case IntentKind.REPLACE:
                self._replace(intent)
            case _:
                pass
        return done

    def _stop(self, worker: Executor, intent: Intent) -> Executor:
        for task in list(self.tasks.values()):
            mine = task.job == intent.job and task.generation == intent.generation
            hit = task.id in intent.tasks if intent.kind is IntentKind.STOP_TASKS else mine
            if hit:
                worker = replace(worker, seen=(*worker.seen, _task_seen(task)))
            if hit and task.status is TaskStatus.RUNNING and self.machines[task.node].up:
                self._end(task, StopCause.OURS)
        return worker

    def _diagnose(self, worker: Executor, intent: Intent) -> Executor:
        machine = self.machines[intent.node]
        if machine.gone or not machine.up or self.live_on(machine.id):
            return replace(worker, ok=False, detail="could not be placed")
        verdict = Verdict.PASS if machine.sick is Rung.NONE else Verdict.FAIL
        if verdict is Verdict.PASS:
            self.machines[machine.id] = replace(machine, passed_boot=machine.boot)
        self._emit(Diagnosed(machine.id, intent.id, verdict, int(Rung.REBOOT), Boot(f"b{machine.boot}")))
        return worker

    def _reboot(self, worker: Executor, intent: Intent) -> Executor:
        machine = self.machines[intent.node]
        running = self.live_on(machine.id)
        if intent.boot_before and intent.boot_before != f"b{machine.boot}":
            return replace(worker, detail="it has booted already")
        if any(task.id not in intent.tasks for task in running):
            return replace(worker, ok=False, detail="something runs there")
        for task in running:
            job = self.state.jobs[task.job]
            if job.generation == task.generation and job.phase not in (JobPhase.STOPPING, *FINAL_JOB_PHASES):
                raise Violation(f"{machine.id} is rebooted under {task.id}")
            self._end(task, StopCause.CAPACITY)
        self.reboots = (*self.reboots, self.now)
        machine = self._bump(replace(machine, up=False), 1)
        self._emit(_node_seen(machine))
        return worker

    def _replace(self, intent: Intent) -> None:
        machine = self.machines[intent.node]
        if machine.gone:
            return
        self.machines[machine.id] = replace(machine, gone=True, up=False)
        for task in self.live_on(machine.id):
            self._end(task, StopCause.CAPACITY)
        fresh = Machine(f"n{len(self.machines)}")
        self.machines[fresh.id] = fresh
        self._emit(_node_seen(fresh))

    # The world's own doings

    def _fault(self, machine: Machine, kind: Rung) -> None:
        self.machines[machine.id] = replace(machine, sick=kind, passed_boot=0)
        for task in self.live_on(machine.id):
            self._end(task, StopCause.FAILED)

    def _report(self, task: RealTask) -> None:
        """One GPU hangs; its task does not notice, the node agent does."""
        machine = replace(self.machines[task.node], sick=Rung.REBOOT, passed_boot=0)
        self.machines[machine.id] = machine
        self._emit(Evidence(machine.id, Rung.REBOOT, "Xid 79", self.now, f"b{machine.boot}", gpu=task.id))

    def _boot(self, machine: Machine) -> None:
        healed = Rung.NONE if machine.sick <= Rung.REBOOT else machine.sick
        machine = self._bump(replace(machine, up=True, boot=machine.boot + 1, sick=healed), 1)
        self._emit(_node_seen(machine))

    def _end(self, task: RealTask, cause: StopCause) -> None:
        after = replace(task, status=TaskStatus.STOPPED, cause=cause, stopped_at=self.now, version=task.version + 1)
        self.tasks[task.id] = after
        self._emit(_task_seen(after))

    def _bump(self, machine: Machine, by: int) -> Machine:
        machine = replace(machine, version=machine.version + by)
        self.machines[machine.id] = machine
        return machine

    def _emit(self, seen: Observation) -> None:
        self.events = (*self.events, seen)

    def _spend(self, **spent: int) -> None:
        left = {name: getattr(self.mischief, name) - count for name, count in spent.items()}
        self.mischief = replace(self.mischief, **left)

    def _task_of(self, job: str, generation: int, rank: int) -> RealTask | None:
        return self.tasks.get(f"{job}/{generation}/{rank}")

    # What must always hold

    def check(self) -> None:
        """Checks the invariants.

        Raises:
            Violation: Naming the one that is broken.
        """
        live: dict[str, set[int]] = {}
        for task in self.tasks.values():
            if task.status is TaskStatus.RUNNING:
                live.setdefault(task.job, set()).add(task.generation)
        for job, generations in live.items():
            if len(generations) > 1:
                raise Violation(f"two gangs of {job} are alive: {sorted(generations)}")
        policy, fleet = self.state.policy, self.state.fleet
        nodes = [node for node in self.state.nodes.values() if node.phase is not NodePhase.RETIRED]
        if fleet.nodes != len(nodes) or fleet.fenced != sum(node.fenced for node in nodes):
            raise Violation(f"the fleet's counts are wrong: {fleet}")
        if fleet.fenced > policy.fence_limit(fleet.nodes):
            raise Violation(f"{fleet.fenced} nodes are fenced")
        if fleet.repairing > policy.repair_limit(fleet.nodes):
            raise Violation(f"{fleet.repairing} nodes are in repair")
        if sum(at > self.now - HOUR for at in self.reboots) > policy.reboot_limit(fleet.nodes):
            raise Violation("too many reboots in an hour")


_AUTOMATIC = frozenset(
    {IntentKind.START_GANG, IntentKind.REBOOT, IntentKind.RESET_GPU, IntentKind.REPLACE, IntentKind.FENCE}
)


def _without(items: tuple[T, ...], at: int) -> tuple[T, ...]:
    return (*items[:at], *items[at + 1 :])


def _node_seen(machine: Machine) -> NodeSeen:
    return NodeSeen(
        machine.id,
        version=machine.version,
        connected=machine.up,
        gpus=machine.gpus,
        boot=Boot(f"b{machine.boot}") if machine.up else None,
        fence=machine.fence,
    )


def _task_seen(task: RealTask) -> TaskSeen:
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
