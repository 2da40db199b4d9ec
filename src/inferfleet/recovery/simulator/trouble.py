"""What goes wrong in a simulated fleet, and the people who help when they are called."""

import math
import random

from inferfleet.recovery.core.model import Intent
from inferfleet.recovery.core.observations import CapacityWarning, Command, Evidence, Maintenance, Verb
from inferfleet.recovery.core.terms import JobPhase, NodePhase, Rung, Severity, StopCause, TaskStatus
from inferfleet.recovery.core.xid import Catalog
from inferfleet.recovery.simulator.brain import Brain
from inferfleet.recovery.simulator.cloud import Instance, RealTask
from inferfleet.recovery.simulator.monitor import Monitor
from inferfleet.recovery.simulator.profile import LLAMA3_GPU_HOURS, Cause, Look, Profile, heal_of

NCCL_TIMEOUT = 600.0
"""PyTorch's default timeout of a NCCL collective: a gang with a hung rank dies after it."""
FLAP_SAMPLE = 0.005
"""Share of the agent flaps of calm nodes that are played out; those of nodes under recovery all are."""


class Trouble:
    """Plans faults at the profile's rates, and plays them out."""

    def __init__(self, brain: Brain, monitor: Monitor, profile: Profile, rng: random.Random) -> None:
        self.engine, self.cloud, self.brain, self.monitor = brain.engine, brain.cloud, brain, monitor
        self.profile, self.rng = profile, rng
        self.catalog = Catalog("", "", {}, {})
        self.faults = 0
        self._known: dict[str, Instance] = {}
        self._present: list[Instance] = []
        self._gone = -1
        total = sum(cause.count for cause in profile.causes)
        self._per_gpu_second = profile.rate * total / LLAMA3_GPU_HOURS / 3600.0
        self._weights = [cause.count for cause in profile.causes]

    def begin(self, catalog: Catalog) -> None:
        """Plans the first of everything."""
        self.catalog = catalog
        self._plan_fault()
        self._plan_flap()
        if self.profile.burst_every:
            self.engine.after(self._exponential(self.profile.burst_every * 3600.0), self._burst)

    def _exponential(self, mean: float) -> float:
        return -mean * math.log(1.0 - self.rng.random())

    def _fleet(self) -> list[Instance]:
        """All instances that are not gone; rebuilt only when one comes or goes."""
        if len(self._known) != len(self.cloud.instances) or self._gone != self.cloud.gone:
            self._gone = self.cloud.gone
            self._known = dict(self.cloud.instances)
            self._present = [item for item in self._known.values() if not item.gone]
        return self._present

    def _plan_fault(self) -> None:
        gpus = sum(item.gpus for item in self._fleet()) or 1
        self.engine.after(self._exponential(1.0 / (self._per_gpu_second * gpus)), self._fault)

    def _fault(self) -> None:
        self._plan_fault()
        cause = self.rng.choices(self.profile.causes, self._weights)[0]
        self.strike(self.rng.choice(self._fleet()), cause)

    def _burst(self) -> None:
        """A rack or a driver: many nodes at once."""
        self.engine.after(self._exponential(self.profile.burst_every * 3600.0), self._burst)
        gpu_causes = [cause for cause in self.profile.causes if cause.look is Look.GPU]
        fleet = self._fleet()
        for item in self.rng.sample(fleet, int(len(fleet) * self.profile.burst_share)):
            self.engine.after(120.0 * self.rng.random(), self.strike, item, self.rng.choice(gpu_causes))

    def strike(self, item: Instance, cause: Cause) -> None:
        """One fault on one node."""
        if not item.up or item.gone or item.sick is not Rung.NONE:
            return
        self.faults += 1
        running = [self.cloud.tasks[key] for key in item.tasks]
        self.monitor.fault(item.id, [task.job for task in running], cause)
        match cause.look:
            case Look.APP:
                for task in running[:1]:
                    self._dies(task, 1)
            case Look.MAINTENANCE:
                self._maintenance(item, cause)
            case _:
                item.sick, item.look, item.sick_at = heal_of(cause, self.rng.random()), cause.look, self.engine.now
                if cause.look is Look.HOST:
                    self.engine.after(self.cloud.draw((0.0, 5.0)), self.cloud.go_down, item)
                    self._plan_hang(running)
                    return
                if cause.look is Look.GPU:
                    self._report(item, cause)
                hangs = self.rng.random() < cause.hang_share
                for task in running:
                    if hangs:
                        self._hangs(task)
                    else:
                        self._dies(task, 134)

    def _report(self, item: Instance, cause: Cause) -> None:
        xid = self.rng.choice(cause.xids)
        advice = self.catalog.advise(xid)
        if advice.rung is Rung.NONE:
            return
        now = self.engine.now
        seen = Evidence(item.id, int(advice.rung), f"Xid {xid}: {advice.text}", now, f"{item.id}-{item.boot}")
        item.evidence = seen
        self.cloud.dirty_nodes[item.id] = None
        self.engine.after(self.cloud.draw((0.5, 3.0)), self.cloud.emit, seen)

    def _maintenance(self, item: Instance, cause: Cause) -> None:
        """EC2 announces; what was announced happens, unless a repair of ours comes first."""
        if self.rng.random() < 0.25:  # noqa: PLR2004
            self.cloud.emit(CapacityWarning(item.id, "Spot interruption"))
            self.engine.after(120.0, self.cloud.terminate, item)
            self.engine.after(self.cloud.draw(self.cloud.timing.new_instance), self.cloud.add_instance, item.gpus)
            return
        retire = heal_of(cause, self.rng.random()) is Rung.REPLACE
        item.sick, item.look = Rung.REPLACE if retire else Rung.REBOOT, Look.MAINTENANCE
        when = self.engine.now + self.cloud.draw((3600.0, 4 * 3600.0))
        code = "instance-retirement" if retire else "system-reboot"
        item.notice = Maintenance(item.id, code, when)
        self.cloud.dirty_nodes[item.id] = None
        self.cloud.emit(item.notice)
        self.engine.at(when, self._maintained, item, item.boot)

    def _maintained(self, item: Instance, boot: int) -> None:
        if item.gone or item.boot != boot or not item.up:
            return
        retire = item.sick is Rung.REPLACE
        self.cloud.go_down(item)
        if retire:
            self.cloud.terminate(item)
            self.engine.after(self.cloud.draw(self.cloud.timing.new_instance), self.cloud.add_instance, item.gpus)
        else:
            self.engine.after(self.cloud.draw(self.cloud.timing.boot), self.cloud.come_up, item)

    def _dies(self, task: RealTask, exit_code: int) -> None:
        self.engine.after(self.cloud.draw((0.5, 6.0)), self._end, task, exit_code)
        if self.rng.random() < self.profile.cascade_share:
            self.engine.after(self.cloud.draw((8.0, 20.0)), self._end_gang, task)
        else:
            self._plan_hang([task])

    def _end(self, task: RealTask, exit_code: int) -> None:
        self.cloud.end(task, StopCause.FAILED, exit_code)

    def _hangs(self, task: RealTask) -> None:
        task.hung = True
        self.cloud.on_down(task)
        self._plan_hang([task])

    def _plan_hang(self, tasks: list[RealTask]) -> None:
        """The rest of the gang waits in a collective, and dies of its timeout unless it is stopped before."""
        for task in tasks:
            self.engine.after(NCCL_TIMEOUT, self._end_gang, task)

    def _end_gang(self, task: RealTask) -> None:
        size = self.brain.state.jobs[task.job].size
        for rank in range(size):
            other = self.cloud.tasks.get(f"{task.job}/{task.generation}/{rank}")
            if other is not None and other.status is TaskStatus.RUNNING and self.cloud.instances[other.node].up:
                self.engine.after(self.cloud.draw((0.0, 15.0)), self._end, other, 1)

    # Agents that come and go

    def _plan_flap(self) -> None:
        """Flaps of all nodes together are one Poisson stream: most hit calm nodes and are only counted."""
        rate = self.profile.flaps_per_hour * len(self.cloud.instances) / 3600.0
        if rate > 0:
            self.engine.after(self._exponential(1.0 / (rate * FLAP_SAMPLE)), self._flap_any)

    def _flap_any(self) -> None:
        self._plan_flap()
        self._flap(self.rng.choice(self._fleet()))
        for key in tuple(self.monitor.under_recovery()):
            if self.rng.random() < 1.0 / (len(self.cloud.instances) * FLAP_SAMPLE):
                self._flap(self.cloud.instances[key])

    def _flap(self, item: Instance) -> None:
        if item.up and item.connected:
            item.connected = False
            self.cloud.changed(item)
            self.engine.after(self.cloud.draw(self.cloud.timing.flap), self._flap_over, item, item.boot)

    def _flap_over(self, item: Instance, boot: int) -> None:
        if item.up and not item.gone and item.boot == boot:
            item.connected = True
            self.cloud.changed(item)

    # People

    def on_notice(self, intent: Intent) -> None:
        """A person is called, and acts after a while."""
        notice = intent.notice
        if notice is None or notice.severity is not Severity.PERSON:
            return
        self.monitor.person(intent)
        delay = self.cloud.draw(self.cloud.timing.operator)
        if intent.job:
            self.engine.after(delay, self._help_job, intent.job)
        elif intent.node:
            self.engine.after(delay, self._help_node, intent.node)
        else:
            self.engine.after(delay, self._command, Command(Verb.RESUME, who="operator"))

    def _command(self, command: Command) -> None:
        self.brain.tell(command)

    def _help_job(self, key: str) -> None:
        if self.brain.state.jobs[key].phase is JobPhase.FAILED:
            self._command(Command(Verb.RETRY_JOB, key, "operator"))

    def _help_node(self, key: str) -> None:
        """The person has the part replaced, and returns the node."""
        item, node = self.cloud.instances[key], self.brain.state.nodes[key]
        if item.gone or node.phase is not NodePhase.QUARANTINED:
            return
        item.sick, item.look, item.evidence, item.notice = Rung.NONE, None, None, None
        if not item.up:
            self.cloud.come_up(item)
        self._command(Command(Verb.RETURN, key, "operator"))
