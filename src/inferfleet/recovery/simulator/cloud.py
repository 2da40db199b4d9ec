"""The true world of a simulated fleet: instances, tasks, their faults, and how ECS and EC2 treat them.

Only what the cloud itself would know is told onwards, by events that may be late, doubled or lost, and by the minute's
listing. The truth stays here, and the monitor judges by it.
"""

import random
from collections.abc import Callable
from dataclasses import dataclass, field

from inferfleet.recovery.core.model import Boot
from inferfleet.recovery.core.observations import Diagnosed, Evidence, NodeGone, NodeSeen, Observation, TaskSeen
from inferfleet.recovery.core.terms import Rung, StopCause, TaskRole, TaskStatus
from inferfleet.recovery.simulator.engine import Engine
from inferfleet.recovery.simulator.profile import Look, Profile


@dataclass(slots=True)
class Instance:
    """A real node."""

    id: str
    gpus: int
    boot: int = 1
    booted_at: float = 0.0
    version: int = 1
    connected: bool = True
    up: bool = True
    gone: bool = False
    fence: bool = False
    sick: Rung = Rung.NONE
    look: Look | None = None
    sick_at: float = 0.0
    passed_boot: int = 0
    evidence: Evidence | None = None
    notice: Observation | None = None
    tasks: set[str] = field(default_factory=set)


@dataclass(slots=True)
class RealTask:
    """A real task. `up_at` and `over_at` are decided when it starts and when it is stopped."""

    id: str
    node: str
    job: str
    generation: int
    rank: int
    gpus: int
    status: TaskStatus = TaskStatus.PENDING
    version: int = 1
    cause: StopCause | None = None
    exit_code: int | None = None
    stopped_at: float = 0.0
    stopping: bool = False
    hung: bool = False


@dataclass(frozen=True, slots=True)
class Channel:
    """How events travel."""

    lost: float = 0.0
    duplicated: float = 0.02


class Cloud:
    """Instances and tasks, and the events and listings by which they are seen."""

    def __init__(
        self,
        engine: Engine,
        profile: Profile,
        channel: Channel,
        rng: random.Random,
        *,
        tell: Callable[[Observation], None],
    ) -> None:
        self.engine = engine
        self.profile = profile
        self.timing = profile.timing
        self.channel = channel
        self.rng = rng
        self.tell = tell
        self.instances: dict[str, Instance] = {}
        self.tasks: dict[str, RealTask] = {}
        self.verdicts: dict[str, Diagnosed] = {}
        self.dirty_nodes: dict[str, None] = {}
        self.dirty_tasks: dict[str, None] = {}
        self.events = self.events_lost = self.gone = 0
        self.on_down: Callable[[RealTask], None] = lambda task: None
        self.on_up: Callable[[RealTask], None] = lambda task: None
        self._api_free = 0.0
        self._made = 0

    def draw(self, span: tuple[float, float]) -> float:
        """An even draw between two numbers."""
        return span[0] + (span[1] - span[0]) * self.rng.random()

    # Seen from outside

    def emit(self, seen: Observation) -> None:
        """Sends an event on its way: it may be lost, late, or come twice."""
        self.events += 1
        rng, timing = self.rng, self.timing
        if rng.random() < self.channel.lost:
            self.events_lost += 1
            return
        slow = rng.random() < timing.slow_share
        self.engine.after(self.draw(timing.event_tail if slow else timing.event), self.tell, seen)
        if rng.random() < self.channel.duplicated:
            self.engine.after(self.draw(timing.event_tail), self.tell, seen)

    def node_seen(self, item: Instance) -> NodeSeen:
        """An instance as ECS and EC2 show it."""
        return NodeSeen(
            item.id,
            version=item.version,
            connected=item.connected,
            gpus=item.gpus,
            boot=Boot(f"{item.id}-{item.boot}", item.booted_at) if item.connected else None,
            impaired=not item.up and item.look is Look.HOST,
            fence=item.fence,
        )

    def task_seen(self, task: RealTask) -> TaskSeen:
        """A task as ECS shows it."""
        return TaskSeen(
            task.id,
            task.node,
            task.status,
            task.version,
            TaskRole.GANG,
            task.job,
            task.generation,
            task.rank,
            task.gpus,
            (),
            task.cause,
            task.exit_code,
            task.stopped_at,
        )

    def listing(self) -> list[Observation]:
        """What a listing of the whole cluster shows that may be new.

        What has not changed since the last listing is left out: the reducer answers a second sight of the same
        thing with nothing, which a property test holds it to.
        """
        seen: list[Observation] = []
        for key in self.dirty_nodes:
            item = self.instances[key]
            seen += [told for told in (item.evidence, item.notice) if told is not None and not item.gone]
        seen += [self.task_seen(self.tasks[key]) for key in self.dirty_tasks if key in self.tasks]
        for key in self.dirty_nodes:
            item = self.instances[key]
            seen.append(NodeGone(key) if item.gone else self.node_seen(item))
        seen += list(self.verdicts.values())
        self.dirty_tasks.clear()
        self.dirty_nodes = {
            key: None for key in self.dirty_nodes if not self.instances[key].connected and not self.instances[key].gone
        }
        self.verdicts.clear()
        return seen

    def changed(self, item: Instance, *, quiet: bool = False) -> None:
        """An instance changed: its version goes up, and an event tells."""
        item.version += 1
        self.dirty_nodes[item.id] = None
        if not quiet:
            self.emit(self.node_seen(item))

    # Instances

    def add_instance(self, gpus: int, *, quiet: bool = False) -> Instance:
        """A new instance registers with the cluster."""
        self._made += 1
        item = Instance(f"i-{self._made:06d}", gpus, booted_at=self.engine.now)
        self.instances[item.id] = item
        self.changed(item, quiet=quiet)
        return item

    def go_down(self, item: Instance) -> None:
        """The instance stops answering; its tasks are dead, but nobody can say so yet."""
        item.up = item.connected = False
        self.changed(item)
        for key in tuple(item.tasks):
            self.on_down(self.tasks[key])

    def come_up(self, item: Instance) -> None:
        """The instance has booted; its ECS agent reports that the tasks of the last boot have stopped."""
        if item.gone:
            return
        if item.sick is Rung.REPLACE and item.look is Look.HOST:
            return
        if item.sick <= Rung.REBOOT:
            item.sick, item.look, item.evidence, item.notice = Rung.NONE, None, None, None
        item.boot += 1
        item.booted_at = self.engine.now
        item.up = item.connected = True
        self.changed(item)
        for key in tuple(item.tasks):
            self.end(self.tasks[key], StopCause.CAPACITY)

    def terminate(self, item: Instance) -> None:
        """The instance is gone, and its tasks with it."""
        if item.gone:
            return
        item.gone, item.up, item.connected = True, False, False
        self.gone += 1
        self.dirty_nodes[item.id] = None
        self.emit(NodeGone(item.id))
        for key in tuple(item.tasks):
            self.end(self.tasks[key], StopCause.CAPACITY)

    # Tasks

    def api_slot(self) -> float:
        """When the account's request rate lets the next task call through."""
        self._api_free = max(self._api_free, self.engine.now) + 1.0 / self.timing.api_rate
        return self._api_free

    def start_task(self, task: RealTask) -> RealTask | None:
        """RunTask with a client token: asked twice, it answers with the same task; None if it cannot be placed."""
        known = self.tasks.get(task.id)
        if known is not None:
            return known
        item = self.instances.get(task.node)
        if item is None or not item.connected or item.gone or item.fence:
            return None
        if sum(self.tasks[other].gpus for other in item.tasks) + task.gpus > item.gpus:
            return None
        self.tasks[task.id] = task
        item.tasks.add(task.id)
        self.engine.at(self.api_slot() + self.draw(self.timing.task_up), self._up, task)
        return task

    def _up(self, task: RealTask) -> None:
        item = self.instances[task.node]
        if task.status is not TaskStatus.PENDING or not item.up:
            return
        if item.sick is not Rung.NONE and item.look is not Look.MAINTENANCE:
            self.end(task, StopCause.FAILED, 134)
            return
        task.status = TaskStatus.RUNNING
        task.version += 1
        self.dirty_tasks[task.id] = None
        self.emit(self.task_seen(task))
        self.on_up(task)

    def stop_task(self, task: RealTask) -> None:
        """StopTask: takes effect if the instance answers; else ECS only notes that it is wanted."""
        if task.stopping or task.status is TaskStatus.STOPPED:
            return
        if self.instances[task.node].up:
            task.stopping = True
            self.engine.at(self.api_slot() + self.draw(self.timing.task_stop), self.end, task, StopCause.OURS, 137)

    def end(self, task: RealTask, cause: StopCause, exit_code: int | None = None) -> None:
        """A task has stopped."""
        if task.status is TaskStatus.STOPPED:
            return
        if task.status is TaskStatus.RUNNING:
            self.on_down(task)
        task.status = TaskStatus.STOPPED
        task.version += 1
        task.cause = cause
        task.exit_code = exit_code
        task.stopped_at = self.engine.now
        self.instances[task.node].tasks.discard(task.id)
        self.dirty_tasks[task.id] = None
        self.emit(self.task_seen(task))
