"""Recovery itself in the simulation: the core, the executors of its intents, and the minute's reconciliation.

The same decisions as in production, with the store in memory. Executors may die at any intent, before or after its
effect; the intent is then taken up again when the lease has run out, as the reconciler does.
"""

import random
from collections.abc import Callable
from dataclasses import replace

from inferfleet.recovery.core.intents import claimable, obsolete
from inferfleet.recovery.core.model import Boot, Intent
from inferfleet.recovery.core.observations import Diagnosed, IntentResult, Observation, Started, Tick, Verdict
from inferfleet.recovery.core.policy import Policy
from inferfleet.recovery.core.reducer import decide
from inferfleet.recovery.core.state import Decision, State
from inferfleet.recovery.core.terms import AT_MOST_ONCE, SETTLED, IntentKind, IntentStatus, Rung
from inferfleet.recovery.simulator.cloud import Cloud, Instance, RealTask
from inferfleet.recovery.simulator.engine import Engine
from inferfleet.recovery.simulator.profile import DETECTED, RESET_HEALS, Look

LEASE = 120.0
RECONCILE_EVERY = 60.0
LISTING_TAKES = 5.0
FORGET_AFTER = 3600.0
CRASH_SHARE = 0.002
"""Intents whose executor dies: generous, Lambda's own failures are rarer."""


class Brain:
    """The core with its hands."""

    def __init__(self, engine: Engine, policy: Policy, rng: random.Random) -> None:
        self.engine = engine
        self.rng = rng
        self.state = State(policy)
        self.cloud: Cloud
        self.on_decision: Callable[[Observation, Decision], None] = lambda seen, decision: None
        self.on_effect: Callable[[Intent, str], None] = lambda intent, what: None
        self.on_notice: Callable[[Intent], None] = lambda intent: None
        self.decisions = 0
        self._open: dict[str, None] = {}
        self._forget_at = engine.now + FORGET_AFTER

    # Deciding

    def tell(self, seen: Observation) -> None:
        """One observation, one decision; its intents are taken up at once."""
        more = True
        while more:
            decision = decide(self.state, seen, self.engine.now, self.state.policy)
            self.decisions += 1
            if decision.changes:
                self.on_decision(seen, decision)
                self.state.apply(decision.changes)
                for key in decision.intents:
                    self._open[key] = None
                    self.engine.after(self.cloud.draw(self.cloud.timing.lambda_start), self._claim, key)
            more = decision.more
            seen = Tick()

    def reconcile(self) -> None:
        """The minute's listing, applied a few seconds after it began; then a tick, and intents that nobody finished."""
        self.engine.after(LISTING_TAKES, self._apply_listing, self.cloud.listing())
        self.engine.after(RECONCILE_EVERY, self.reconcile)

    def _apply_listing(self, listing: list[Observation]) -> None:
        for seen in listing:
            self.tell(seen)
        if self.state.anything_due(self.engine.now):
            self.tell(Tick())
        for key in tuple(self._open):
            intent = self.state.intents.get(key)
            if intent is None or intent.status in SETTLED:
                del self._open[key]
                self.state.forget(intents=[key] if intent is not None and not self._still_read(intent) else [])
            else:
                self._claim(key)
        self._forget_tasks()

    def _still_read(self, intent: Intent) -> bool:
        job = self.state.jobs.get(intent.job)
        node = self.state.nodes.get(intent.node)
        of_job = job is not None and intent.id in (job.start_request, job.stop_request)
        return of_job or (node is not None and intent.id in (node.request, node.fence_request))

    def _forget_tasks(self) -> None:
        """What ECS and DynamoDB's time to live do: stopped tasks of earlier generations are forgotten after an hour."""
        now = self.engine.now
        if now >= self._forget_at:
            self._forget_at = now + FORGET_AFTER
            old = [
                task.id for task in self.state.tasks.values() if not task.live and task.stopped_at < now - FORGET_AFTER
            ]
            current = {(job.id, job.generation) for job in self.state.jobs.values()}
            gone = [
                key for key in old if (self.state.tasks[key].owner, self.state.tasks[key].generation) not in current
            ]
            self.state.forget(tasks=gone)
            for key in gone:
                self.cloud.tasks.pop(key, None)
        if len(self.state.intents) > 4 * len(self.state.nodes) + 1000:
            settled = [item for item in self.state.intents.values() if item.status in SETTLED]
            self.state.forget(intents=[item.id for item in settled if not self._still_read(item)])

    # Carrying out

    def _claim(self, key: str) -> None:
        intent = self.state.intents.get(key)
        if intent is None or not claimable(intent, self.engine.now, at_most_once=intent.kind in AT_MOST_ONCE):
            return
        why = obsolete(self.state, intent)
        if why:
            self.tell(IntentResult(key, ok=False, detail=why))
            return
        intent = replace(intent, status=IntentStatus.CLAIMED, lease_until=self.engine.now + LEASE)
        self.state.intents[key] = intent
        fate = self.rng.random()
        if fate < CRASH_SHARE / 2:
            return
        done_at, result = self._affect(intent)
        if fate < CRASH_SHARE:
            return
        self.engine.at(done_at, self.tell, result)

    def _affect(self, intent: Intent) -> tuple[float, IntentResult]:
        now, cloud = self.engine.now, self.cloud
        done = IntentResult(intent.id, ok=True)
        match intent.kind:
            case IntentKind.START_GANG:
                return self._start(intent)
            case IntentKind.STOP_GANG | IntentKind.STOP_TASKS:
                return self._stop(intent)
            case IntentKind.FENCE | IntentKind.UNFENCE:
                item = cloud.instances[intent.node]
                item.fence = intent.kind is IntentKind.FENCE
                cloud.changed(item)
                self.on_effect(intent, "")
            case IntentKind.DIAGNOSE:
                return self._diagnose(intent)
            case IntentKind.RESET_GPU:
                return self._reset(intent)
            case IntentKind.REBOOT:
                return self._reboot(intent)
            case IntentKind.REPLACE:
                item = cloud.instances[intent.node]
                self.on_effect(intent, "")
                self.engine.after(cloud.draw(cloud.timing.terminate), cloud.terminate, item)
                self.engine.after(cloud.draw(cloud.timing.new_instance), cloud.add_instance, item.gpus)
            case IntentKind.NOTIFY:
                self.on_notice(intent)
        return now + 0.3, done

    def _start(self, intent: Intent) -> tuple[float, IntentResult]:
        job = self.state.jobs[intent.job]
        started: list[Started] = []
        failures: list[tuple[int, str]] = []
        for rank, node in intent.ranks:
            key = f"{intent.job}/{intent.generation}/{rank}"
            asked = RealTask(key, node, intent.job, intent.generation, rank, job.gpus_per_task)
            task = self.cloud.start_task(asked)
            if task is None:
                failures.append((rank, "RESOURCE"))
            else:
                started.append(Started(key, rank, task.node))
        self.on_effect(intent, "")
        at = max(self.engine.now + 0.5, self.cloud.api_slot())
        return at, IntentResult(intent.id, not failures, tasks=tuple(started), failures=tuple(failures))

    def _stop(self, intent: Intent) -> tuple[float, IntentResult]:
        wanted: list[RealTask]
        if intent.kind is IntentKind.STOP_TASKS:
            wanted = [task for key in intent.tasks if (task := self.cloud.tasks.get(key)) is not None]
        else:
            prefix = f"{intent.job}/{intent.generation}/"
            size = self.state.jobs[intent.job].size
            keys = (f"{prefix}{rank}" for rank in range(size))
            wanted = [task for key in keys if (task := self.cloud.tasks.get(key)) is not None]
        seen = tuple(self.cloud.task_seen(task) for task in wanted)
        for task in wanted:
            self.cloud.stop_task(task)
        return max(self.engine.now + 0.5, self.cloud.api_slot()), IntentResult(intent.id, ok=True, seen=seen)

    def _diagnose(self, intent: Intent) -> tuple[float, IntentResult]:
        item, now = self.cloud.instances[intent.node], self.engine.now
        if not item.connected or item.gone or item.tasks:
            return now + 0.5, IntentResult(intent.id, ok=False, detail="the diagnostic task could not be placed")
        takes = self.cloud.draw(self.cloud.timing.task_up) + self.cloud.draw(self.cloud.timing.diagnosis[intent.level])
        self.engine.after(takes, self._verdict, intent, item, item.boot)
        return now + 0.5, IntentResult(intent.id, ok=True)

    def _verdict(self, intent: Intent, item: Instance, boot: int) -> None:
        if not item.up or item.boot != boot:
            return
        draw, verdict = self.rng.random(), Verdict.PASS
        if draw < self.cloud.profile.inconclusive_share:
            verdict = Verdict.INCONCLUSIVE
        elif item.sick is not Rung.NONE and item.look in DETECTED:
            found = self.rng.random() < DETECTED[item.look][intent.level]
            verdict = Verdict.FAIL if found else Verdict.PASS
        if verdict is Verdict.PASS:
            item.passed_boot = item.boot
        seen = Diagnosed(
            item.id,
            intent.id,
            verdict,
            int(Rung.REBOOT),
            Boot(f"{item.id}-{boot}", item.booted_at),
            f"level {intent.level}",
        )
        self.cloud.verdicts[item.id] = seen
        self.cloud.emit(seen)

    def _reset(self, intent: Intent) -> tuple[float, IntentResult]:
        item, now, cloud = self.cloud.instances[intent.node], self.engine.now, self.cloud
        if not item.connected or item.gone or item.tasks:
            return now + 0.5, IntentResult(intent.id, ok=False, detail="the reset could not be placed")
        self.on_effect(intent, "")
        takes = cloud.draw(cloud.timing.task_up) + cloud.draw(cloud.timing.reset)
        self.engine.after(takes, self._was_reset, intent, item, item.boot)
        return now + 0.5, IntentResult(intent.id, ok=True)

    def _was_reset(self, intent: Intent, item: Instance, boot: int) -> None:
        if not item.up or item.boot != boot:
            return
        if item.look is Look.GPU and item.sick is Rung.REBOOT and self.rng.random() < RESET_HEALS:
            item.sick, item.look, item.evidence, item.notice = Rung.NONE, None, None, None
        seen = Diagnosed(item.id, intent.id, Verdict.PASS, detail="the GPUs were reset")
        self.cloud.verdicts[item.id] = seen
        self.cloud.emit(seen)

    def _reboot(self, intent: Intent) -> tuple[float, IntentResult]:
        item, now, cloud = self.cloud.instances[intent.node], self.engine.now, self.cloud
        if intent.boot_before and intent.boot_before != f"{item.id}-{item.boot}":
            return now + 0.5, IntentResult(intent.id, ok=True, detail="it has booted already")
        if item.gone:
            return now + 0.5, IntentResult(intent.id, ok=False, detail="the instance is gone")
        if any(key not in intent.tasks for key in item.tasks):
            return now + 0.5, IntentResult(intent.id, ok=False, detail="something runs there")
        self.on_effect(intent, "false" if item.sick is Rung.NONE else "")
        down = cloud.draw(cloud.timing.shutdown)
        self.engine.after(down, cloud.go_down, item)
        self.engine.after(down + cloud.draw(cloud.timing.boot), cloud.come_up, item)
        return now + 0.5, IntentResult(intent.id, ok=True)
