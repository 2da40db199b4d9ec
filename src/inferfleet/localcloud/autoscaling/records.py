"""What Application Auto Scaling keeps: targets, policies, scheduled actions, and what was done."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from inferfleet.localcloud.autoscaling.decide import Past

_KEPT_ACTIVITIES = 200


@dataclass(frozen=True, slots=True)
class Identity:
    """What is scaled.

    Attributes:
        namespace: The service, such as `ecs`.
        resource: Such as `service/cluster/name`.
        dimension: Such as `ecs:service:DesiredCount`.
    """

    namespace: str
    resource: str
    dimension: str


@dataclass(slots=True)
class Policy:
    """A scaling policy.

    Attributes:
        name: Its name, once a target.
        arn: Its ARN.
        kind: `TargetTrackingScaling` or `StepScaling`.
        configuration: Its configuration, in the API's words.
        alarms: Names and ARNs of the alarms that were made for it.
        created: When it was made.
        past: What it did.
    """

    name: str
    arn: str
    kind: str
    configuration: dict[str, Any]
    alarms: list[tuple[str, str]] = field(default_factory=list)
    created: float = field(default_factory=time.time)
    past: Past = field(default_factory=Past)


@dataclass(slots=True)
class Scheduled:
    """A scheduled action.

    Attributes:
        name: Its name, once a target.
        arn: Its ARN.
        schedule: The expression.
        timezone: Its time zone.
        start: When it begins to count; None for always.
        end: When it ends; None for never.
        least: Least capacity from then on; None to leave it.
        most: Most capacity from then on; None to leave it.
        created: When it was made.
    """

    name: str
    arn: str
    schedule: str
    timezone: str
    start: datetime | None
    end: datetime | None
    least: int | None
    most: int | None
    created: float = field(default_factory=time.time)


@dataclass(slots=True)
class Target:
    """A scalable target.

    Attributes:
        identity: What it is.
        arn: Its ARN.
        least: Least capacity.
        most: Most capacity.
        role: The role that acts on it.
        suspended: What is suspended, in the API's words.
        tags: Its tags.
        created: When it was registered.
        policies: Its policies by name.
        scheduled: Its scheduled actions by name.
    """

    identity: Identity
    arn: str
    least: int
    most: int
    role: str
    suspended: dict[str, bool] = field(default_factory=dict)
    tags: dict[str, str] = field(default_factory=dict)
    created: float = field(default_factory=time.time)
    policies: dict[str, Policy] = field(default_factory=dict)
    scheduled: dict[str, Scheduled] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Activity:
    """Something that was done.

    Attributes:
        id: Its number.
        identity: To what.
        description: What.
        cause: Why.
        at: When.
        failure: What went wrong; empty when nothing did.
    """

    id: str
    identity: Identity
    description: str
    cause: str
    at: float
    failure: str = ""


@dataclass(slots=True)
class Region:
    """What there is in an account and region.

    Attributes:
        targets: The targets by what they are.
        activities: What was done, newest first.
    """

    targets: dict[Identity, Target] = field(default_factory=dict)
    activities: list[Activity] = field(default_factory=list)

    def did(self, activity: Activity) -> None:
        """Notes something that was done; the oldest are forgotten."""
        self.activities.insert(0, activity)
        del self.activities[_KEPT_ACTIVITIES:]


class Records:
    """Everything, by account and region. `lock` is held while something is read or changed."""

    def __init__(self) -> None:
        self.lock = threading.RLock()
        self._regions: dict[tuple[str, str], Region] = {}

    def region(self, account: str, region: str) -> Region:
        """What there is in one account and region."""
        with self.lock:
            return self._regions.setdefault((account, region), Region())

    def regions(self) -> Iterator[tuple[str, str, Region]]:
        """All of them."""
        with self.lock:
            found = [(account, region, held) for (account, region), held in self._regions.items()]
        yield from found

    def clear(self) -> None:
        """Forgets everything."""
        with self.lock:
            self._regions.clear()
