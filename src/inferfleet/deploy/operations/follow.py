"""Follows deployments of services until ECS has decided them, and tells what it sees on the way."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime, timedelta

from inferfleet.deploy.operations import evidence
from inferfleet.deploy.operations.account import Account
from inferfleet.deploy.operations.service import (
    DeploymentState,
    ServiceState,
    read_deployments,
    read_revisions,
    read_services,
)
from inferfleet.deploy.operations.verdict import BAD, DECIDED, Cause, Outcome, Verdict, outcome_of, reason_of

POLL_SECONDS = 5.0
LOCAL_POLL_SECONDS = 1.0
_CLOCKS_DIFFER = timedelta(seconds=5)


@dataclass(frozen=True, slots=True)
class Progress:
    """A moment of a deployment.

    Attributes:
        service: The service's name.
        outcome: What has become of it by now.
        text: What to tell, in one line.
    """

    service: str
    outcome: Outcome
    text: str


Tell = Callable[[Progress], None]


class Follower:
    """Looks at the deployments of services again and again, and remembers how each went.

    Args:
        account: Where.
        cluster: The cluster's name.
        services: Their names.
        tell: Is told whenever something has changed.
        since: What was decided before this does not count.
    """

    def __init__(
        self, account: Account, cluster: str, services: Sequence[str], tell: Tell, since: datetime | None = None
    ) -> None:
        self._account, self._cluster, self._services = account, cluster, tuple(services)
        self._tell, self._since = tell, since
        self._told: dict[str, str] = {}
        self.verdicts: dict[str, Verdict] = {}

    def look(self) -> None:
        """Looks once."""
        for state in read_services(self._account, self._cluster, self._services).values():
            before = self.verdicts.get(state.name)
            if before is not None and before.outcome in BAD:
                continue  # what follows a failure is CloudFormation putting the old version back
            verdict, text = self._judge(state)
            self.verdicts[state.name] = verdict
            if verdict.outcome is not Outcome.UNCHANGED and self._told.get(state.name) != text:
                self._told[state.name] = text
                self._tell(Progress(state.name, verdict.outcome, text))

    def follow(self, timeout: float) -> list[Verdict]:
        """Looks until all is decided, or the time is over; a verdict for each service that is there, in their order.

        Args:
            timeout: Seconds.
        """
        until = time.monotonic() + timeout
        while True:
            self.look()
            waiting = [item for item in self.verdicts.values() if item.outcome not in DECIDED]
            if not waiting or time.monotonic() > until:
                return [self.verdicts[name] for name in self._services if name in self.verdicts]
            time.sleep(self.poll_seconds)

    @property
    def poll_seconds(self) -> float:
        """Seconds between two looks."""
        return LOCAL_POLL_SECONDS if self._account.is_local else POLL_SECONDS

    def _judge(self, state: ServiceState) -> tuple[Verdict, str]:
        since = self._since - _CLOCKS_DIFFER if self._since is not None else None
        deployment = choose(read_deployments(self._account, state), since)
        if deployment is None:
            return _without_deployment(state)
        outcome = outcome_of(deployment)
        version = read_revisions(self._account, [deployment.revision]).get(deployment.revision, "")
        found: tuple[Cause, ...] = ()
        if outcome in BAD:
            found = evidence.why(self._account, state.cluster, version, deployment.created_at - _CLOCKS_DIFFER)
        verdict = Verdict(state.name, outcome, deployment.id, version, reason_of(deployment), found)
        return verdict, line(deployment, version, outcome)


class Watch:
    """A follower that looks by itself while something else goes on, such as the CDK's command line."""

    def __init__(self, follower: Follower) -> None:
        self._follower = follower
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._run, name="watch-deployments", daemon=True)

    def __enter__(self) -> Watch:
        """Begins to look."""
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        """Looks no more."""
        self._over.set()
        self._thread.join()

    def _run(self) -> None:
        while not self._over.wait(self._follower.poll_seconds):
            with suppress(Exception):  # what goes on beside tells what is wrong; this only shows progress
                self._follower.look()


def choose(deployments: Iterable[DeploymentState], since: datetime | None) -> DeploymentState | None:
    """The deployment that decides: one that is open, else one that failed, else the newest; None if all are too old.

    Several may have come since: after a failure CloudFormation deploys the old version again.
    """
    recent = [item for item in deployments if item.is_open or since is None or item.created_at >= since]
    recent.sort(key=lambda item: item.created_at, reverse=True)
    if since is None:
        return recent[0] if recent else None
    bad = [item for item in recent if outcome_of(item) in BAD]
    still = [item for item in recent if item.is_open]
    return next(iter([*bad, *still, *recent]), None)


def _without_deployment(state: ServiceState) -> tuple[Verdict, str]:
    """Nothing was deployed: the service is as it should be once all of its tasks run."""
    outcome = Outcome.UNCHANGED if state.running == state.desired else Outcome.RUNNING
    text = f"{state.running} of {state.desired} tasks run"
    return Verdict(state.name, outcome, task_definition=state.task_definition), text


def line(deployment: DeploymentState, version: str, outcome: Outcome) -> str:
    """A deployment in one line: what, how far, how many."""
    words = [version or deployment.id, outcome.value]
    if outcome is Outcome.RUNNING:
        words[1] = deployment.status.lower().replace("_", " ")
    if deployment.is_open:
        if deployment.stage and outcome is not Outcome.BAKING:
            words.append(deployment.stage.lower().replace("_", " "))
        starting = f", {deployment.pending} start" if deployment.pending else ""
        words.append(f"{deployment.running}/{deployment.requested} new tasks run{starting}")
        if deployment.traffic is not None and deployment.strategy != "ROLLING":
            words.append(f"{deployment.traffic:g}% of the traffic")
    if deployment.failures and deployment.breaker != "DISABLED":
        words.append(f"{deployment.failures} of {deployment.threshold} failures")
    return " · ".join(words)
