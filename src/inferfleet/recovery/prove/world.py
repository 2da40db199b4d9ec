"""A small, exact model of ECS and EC2, with an adversary: it loses, repeats and reorders events and crashes executors.

Every step is one atomic change. An executor takes three kinds of steps (claim, each part of the effect, record the
result), so everything else can happen in between, and it can die after any of them. Checks run on the true world,
not on what the core believes of it.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field, replace

from inferfleet.recovery.core.intents import claimable
from inferfleet.recovery.core.observations import Command, JobSubmitted, Observation, Snapshot, Tick
from inferfleet.recovery.core.policy import HOUR, Policy
from inferfleet.recovery.core.reducer import decide
from inferfleet.recovery.core.snapshot import expand
from inferfleet.recovery.core.state import State
from inferfleet.recovery.core.terms import AT_MOST_ONCE, IntentKind, IntentStatus, NodePhase, StopCause, TaskStatus
from inferfleet.recovery.prove import adversary, effects
from inferfleet.recovery.prove.things import (
    Executor,
    Machine,
    Mischief,
    RealTask,
    Step,
    Violation,
    node_seen,
    task_seen,
    without,
)


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
            world.tell(node_seen(machine))
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
        yield from adversary.steps(self)
        for machine in self.machines.values():
            if not machine.up and not machine.gone:
                yield ("boot", machine.id)
        if not self.events or self.mischief.losses == 0:
            yield ("reconcile",)
        if self._next_time() is not None:
            yield ("wait",)

    def take(self, step: Step) -> None:
        """Takes one step.

        Raises:
            Violation: If it breaks an invariant.
        """
        match step:
            case ("deliver", at):
                self._deliver(int(at))
            case ("repeat", at):
                adversary.spend(self, duplicates=1)
                self.tell(self.events[int(at)])
            case ("lose", at):
                adversary.spend(self, losses=1)
                self.events = without(self.events, int(at))
            case ("claim", key):
                effects.claim(self, self.state.intents[key])
            case ("work", at):
                effects.work(self, int(at))
            case ("crash", at):
                adversary.spend(self, crashes=1)
                self.executors = without(self.executors, int(at))
            case ("boot", key):
                adversary.boot(self, self.machines[key])
            case ("reconcile" | "wait",):
                (self.reconcile if step[0] == "reconcile" else self._wait)()
            case _:
                adversary.misbehave(self, step)
        self.check()

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
        self.events = without(self.events, at)
        self.tell(seen)

    def reconcile(self) -> None:
        """Lists the world and feeds it to the core; then a tick."""
        nodes = tuple(node_seen(item) for item in self.machines.values() if not item.gone)
        tasks = tuple(task_seen(item) for item in self.tasks.values())
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

    # The world's own doings

    def end(self, task: RealTask, cause: StopCause) -> None:
        """A task stops, and ECS tells."""
        after = replace(task, status=TaskStatus.STOPPED, cause=cause, stopped_at=self.now, version=task.version + 1)
        self.tasks[task.id] = after
        self.emit(task_seen(after))

    def bump(self, machine: Machine, by: int) -> Machine:
        """Writes a machine, its version counted up."""
        machine = replace(machine, version=machine.version + by)
        self.machines[machine.id] = machine
        return machine

    def emit(self, seen: Observation) -> None:
        """Sends an event on its way."""
        self.events = (*self.events, seen)

    def task_of(self, job: str, generation: int, rank: int) -> RealTask | None:
        """The task of a rank in a generation; None if it was never started."""
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
