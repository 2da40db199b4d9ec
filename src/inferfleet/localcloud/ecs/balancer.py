"""Targets of load balancers as ELB keeps them: registered, probed, chosen by weight and health, drained.

MiniStack's own load balancer takes any registered target at random, calls each healthy, and knows no weights. Its
stores stay the truth of what exists; what is added here is kept per target, in memory.
"""

from __future__ import annotations

import random
import threading
import time
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from inferfleet.localcloud.ecs.launch import Json

if TYPE_CHECKING:
    from inferfleet.localcloud.emulator import Place

_POLL_S = 0.05
_DRAIN_DEFAULT_S = 300.0
"""ELB's own deregistration delay."""

Address = tuple[str, str, int]
"""A target: ARN of its group, its id (an IP address), its port."""


@dataclass(slots=True)
class Target:
    """What is known of a registered target.

    Attributes:
        state: As DescribeTargetHealth says it: initial, healthy, unhealthy or draining.
        reason: Its code, where the state is not healthy.
        text: The same for people.
        good: Probes in a row that went well.
        bad: Probes in a row that did not.
        next_probe: When it is to be probed, on the monotonic clock.
        next_failure: From when on a failure counts again, likewise.
        requests: How many are under way.
    """

    state: str = "initial"
    reason: str = "Elb.RegistrationInProgress"
    text: str = "Target registration is in progress"
    good: int = 0
    bad: int = 0
    next_probe: float = 0.0
    next_failure: float = 0.0
    requests: int = 0


@dataclass(slots=True)
class Served:
    """What a target group served in a while.

    Attributes:
        requests: How many.
        statuses: Of targets' answers, by their first digit.
        seconds: How long each answer was waited for.
        failures: Requests for which there was no target, or none that answered.
    """

    requests: int = 0
    statuses: Counter[int] = field(default_factory=Counter)
    seconds: list[float] = field(default_factory=list)
    failures: int = 0


class Balancer:
    """The targets of all target groups."""

    def __init__(self, place: Place) -> None:
        self._place = place
        self._targets: dict[Address, Target] = {}
        self._tasks: dict[str, list[Address]] = {}
        self._left: set[str] = set()
        self._turns: dict[str, int] = {}
        self._served: dict[str, Served] = {}
        self._lock = threading.Lock()

    def join(self, task: str, addresses: Iterable[Address]) -> None:
        """Registers a task's addresses; those that are registered stay as they are. One that left cannot come back."""
        with self._lock:
            if task in self._left:
                return
            kept = self._tasks.setdefault(task, [])
            for address in addresses:
                if address not in kept:
                    kept.append(address)
                    self._register(address)

    def leave(self, task: str, *, drains: bool) -> None:
        """Takes a task's addresses out of rotation, and returns when their requests have been finished.

        Args:
            task: Its ARN.
            drains: Whether to wait, for the deregistration delay of each target group.
        """
        with self._lock:
            self._left.add(task)
            addresses = self._tasks.pop(task, [])
        self.deregister(addresses, drains=drains)

    def deregister(self, addresses: Sequence[Address], *, drains: bool) -> None:
        """Takes addresses out of rotation, and returns when their requests have been finished."""
        begun = time.monotonic()
        with self._lock:
            mine = [(address, self._targets[address]) for address in addresses if address in self._targets]
            for _, target in mine:
                target.state, target.reason = "draining", "Target.DeregistrationInProgress"
                target.text = "Target deregistration is in progress"
        for address, target in mine:
            delay = drain_delay(address[0])
            while drains and (waited := time.monotonic() - begun) < delay:
                if waited >= delay / self._place.pace and not target.requests:
                    break
                time.sleep(_POLL_S)
        with self._lock:
            for address, _ in mine:
                self._targets.pop(address, None)
                _unpublish(address)

    def register(self, address: Address) -> None:
        """Registers an address that belongs to no task."""
        with self._lock:
            self._register(address)

    def of_task(self, task: str) -> list[tuple[Address, Target]]:
        """A task's addresses and what is known of them."""
        with self._lock:
            return [(address, self._targets[address]) for address in self._tasks.get(task, ())]

    def of_group(self, group: str) -> list[tuple[Address, Target]]:
        """All targets of a group."""
        with self._lock:
            return [(address, target) for address, target in self._targets.items() if address[0] == group]

    def due(self, now: float) -> list[tuple[Address, Target]]:
        """Targets that are to be probed, which they are not again before they have been."""
        with self._lock:
            found = [
                (address, target)
                for address, target in self._targets.items()
                if target.next_probe <= now and target.state != "draining"
            ]
            for _, target in found:
                target.next_probe = float("inf")
            return found

    def begin(self, group: str) -> tuple[Address, Target] | None:
        """The target whose turn it is, with one more request under way; None where the group has none.

        Healthy ones take turns; where none is healthy, all do, as ELB fails open.
        """
        with self._lock:
            able = [
                (address, target)
                for address, target in self._targets.items()
                if address[0] == group and target.state != "draining"
            ]
            able = [one for one in able if one[1].state == "healthy"] or able
            if not able:
                return None
            self._turns[group] = turn = self._turns.get(group, -1) + 1
            address, target = able[turn % len(able)]
            target.requests += 1
            return address, target

    def end(self, target: Target) -> None:
        """A request is no longer under way."""
        with self._lock:
            target.requests -= 1

    def answered(self, group: str, status: int, seconds: float) -> None:
        """Counts an answer of a target, and how long it let wait."""
        with self._lock:
            served = self._served.setdefault(group, Served())
            served.requests += 1
            served.statuses[status // 100] += 1
            served.seconds.append(seconds)

    def failed(self, group: str) -> None:
        """Counts a request that the load balancer had to answer itself."""
        with self._lock:
            served = self._served.setdefault(group, Served())
            served.requests += 1
            served.failures += 1

    def take_served(self) -> dict[str, Served]:
        """What each target group that has targets or had requests served since the last time that this was asked."""
        with self._lock:
            served, self._served = self._served, {}
            for group, _, _ in self._targets:
                served.setdefault(group, Served())
            return served

    def _register(self, address: Address) -> None:
        self._targets.setdefault(address, Target())
        _publish(address)


def weighted(groups: Sequence[Json]) -> str:
    """The target group of a forward action that a request goes to, by their weights."""
    weights = [float(group.get("Weight", 1)) for group in groups]
    if not any(weights):
        weights = [1.0] * len(groups)
    return str(random.choices(groups, weights)[0]["TargetGroupArn"])


def drain_delay(group: str) -> float:
    """Deregistration delay of a target group in seconds; none for a group that is gone."""
    from ministack.services import alb

    if group not in alb._tgs:
        return 0.0
    return float(attribute(group, "deregistration_delay.timeout_seconds") or _DRAIN_DEFAULT_S)


def attribute(group: str, key: str) -> str:
    """An attribute of a target group; empty if it is not set."""
    from ministack.services import alb

    return next((entry["Value"] for entry in alb._tg_attrs.get(group, []) if entry["Key"] == key), "")


def groups_in_use() -> dict[str, set[str]]:
    """Target groups that a rule forwards to, and the load balancers that do it."""
    from ministack.services import alb

    found: dict[str, set[str]] = {}
    for rule in alb._rules.values():
        listener = alb._listeners.get(rule.get("ListenerArn"), {})
        for action in rule.get("Actions") or ():
            for group in targets_of(action):
                found.setdefault(group, set()).add(listener.get("LoadBalancerArn", ""))
    return found


def targets_of(action: Json) -> list[str]:
    """Target groups of an action."""
    groups = [group["TargetGroupArn"] for group in (action.get("ForwardConfig") or {}).get("TargetGroups") or ()]
    return groups or ([action["TargetGroupArn"]] if action.get("TargetGroupArn") else [])


def _publish(address: Address) -> None:
    from ministack.services import alb

    group, name, port = address
    listed = alb._targets.setdefault(group, [])
    if not any(entry["Id"] == name and entry.get("Port") == port for entry in listed):
        listed.append({"Id": name, "Port": port})


def _unpublish(address: Address) -> None:
    from ministack.services import alb

    group, name, port = address
    listed = alb._targets.get(group, [])
    alb._targets[group] = [entry for entry in listed if (entry["Id"], entry.get("Port")) != (name, port)]
