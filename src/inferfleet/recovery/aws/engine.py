"""Recovery's loop on AWS: observe, decide, commit, carry out. Any step may crash; the next run goes on."""

import time
from collections.abc import Callable, Iterable
from dataclasses import replace
from typing import Protocol

from inferfleet.recovery.aws.store import Conflict, Store, pause_before_retry
from inferfleet.recovery.core.intents import obsolete
from inferfleet.recovery.core.model import Intent
from inferfleet.recovery.core.observations import IntentResult, Observation, TaskSeen, Tick
from inferfleet.recovery.core.record import decide_and_record
from inferfleet.recovery.core.terms import TaskRole, TaskStatus

_CONFLICTS = 12
"""Conflicts in a row after which an observation goes back to its queue."""
_NO_TIME_LEFT = 15.0
"""Seconds before the deadline at which no further effect is begun."""


class Executor(Protocol):
    """Carries an intent out."""

    def carry_out(self, intent: Intent, now: float) -> IntentResult:
        """Carries an intent out, or finds that it was carried out before, and says what became of it."""


class Recovery:
    """One run, in a Lambda or on a command line."""

    def __init__(
        self,
        store: Store,
        executor: Executor,
        *,
        clock: Callable[[], float] = time.time,
        deadline: float = float("inf"),
    ) -> None:
        self.store = store
        self.executor = executor
        self.clock = clock
        self.deadline = deadline

    def observe(self, seen: Observation) -> None:
        """Takes one observation in, and carries out what it leads to as far as time allows.

        Raises:
            Conflict: If others keep changing the same records: the observation should come again later.
        """
        for key in self.decide(seen):
            self.carry_out(key)

    def decide(self, seen: Observation) -> list[str]:
        """Decides and commits; returns the intents that are new."""
        asked: list[str] = []
        more = True
        while more:
            more = False
            for tries in range(_CONFLICTS):
                reads = self.store.view()
                decision, recorded = decide_and_record(reads, seen, self.clock(), self.store.settings.policy)
                if not decision.changes:
                    break
                try:
                    self.store.commit(reads, decision, recorded)
                except Conflict:
                    if tries == _CONFLICTS - 1:
                        raise
                    pause_before_retry(tries)
                    continue
                asked += decision.intents
                more, seen = decision.more, Tick()
                break
        return asked

    def carry_out(self, key: str) -> None:
        """Claims one intent, carries it out, and takes its result in. A crash anywhere leaves it to the reconciler."""
        if self.clock() > self.deadline - _NO_TIME_LEFT:
            return
        intent = self.store.claim(key, self.clock())
        if intent is None:
            return
        why = obsolete(self.store.view(), intent)
        result = IntentResult(key, ok=False, detail=why) if why else self.executor.carry_out(intent, self.clock())
        self.record(intent, result)

    def record(self, intent: Intent, result: IntentResult) -> None:
        """Takes a result in: first the tasks it found, one by one, since a gang's would not fit one transaction."""
        for seen in result.seen:
            self.observe(seen)
        for started in result.tasks:
            pending = TaskSeen(
                started.id,
                started.node,
                TaskStatus.PENDING,
                role=TaskRole.GANG,
                owner=intent.job,
                generation=intent.generation,
                rank=started.rank,
                gpus=self._gpus(intent.job),
            )
            if self.store.view().task(started.id) is None:
                self.observe(pending)
        self.observe(replace(result, seen=()))

    def finish_open_intents(self) -> int:
        """Takes up what nobody has finished; returns how many were open."""
        keys = list(self.store.open_intents())
        for key in keys:
            self.carry_out(key)
        return len(keys)

    def observe_all(self, stream: Iterable[Observation]) -> None:
        """Takes many observations in."""
        for seen in stream:
            self.observe(seen)

    def _gpus(self, job: str) -> int:
        found = self.store.view().job(job)
        return found.gpus_per_task if found is not None else 0
