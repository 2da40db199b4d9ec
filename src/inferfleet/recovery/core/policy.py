"""How far recovery may go by itself: every limit, deadline and switch, with its default and the reason for it."""

import math
from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Any

MINUTE = 60.0
HOUR = 3600.0
DAY = 86400.0


@dataclass(frozen=True, slots=True)
class Policy:
    """Limits of the ladder. Times are in seconds, shares between 0 and 1.

    Attributes:
        dry_run: Decide and record, but ask for nothing.
        job_attempts: Restarts in a row without a stable run, for no known fault of a node, before a person is called.
        job_restarts: The same with those that a node's fault ended: in a large fleet such faults come in rows, too.
        stable_after: A gang that ran this long has recovered; its attempts start again at 0.
        start_tries: Times that ranks which could not be placed are tried again within one attempt.
        node_reboots: Reboots of one node within `node_window` before it is replaced.
        node_offences: Confirmed faults of a node within `node_window` that make it a repeat offender, to be replaced.
        max_fenced_share: Share of the fleet that may be fenced at any time (at least `min_fenced` nodes).
        max_repair_share: Share of the fleet that may be in reset, reboot or replacement at a time (at least one node).
        max_repairs: The same as a number of nodes; 0 for the share alone.
        reboots_per_hour: Reboots and resets in any hour (share of the fleet, at least `min_reboots_per_hour`).
        replacements_per_day: Replacements in any day (share of the fleet, at least `min_replacements_per_day`).
        breaker_share: Share of the fleet confirmed faulty within `breaker_window` that opens the breaker
            (at least `breaker_min` nodes): so many at once are a driver, an image or a rack; rebooting makes it worse.
        allow_reset: Reset single GPUs before rebooting a node (NVSwitch systems need all GPUs idle).
        allow_replace: Replace nodes through their Auto Scaling group.
        diagnose_level: `dcgmi diag -r` level of a first examination: 1 takes seconds, 2 two minutes, 3 a quarter hour.
        diagnose_level_after_repair: Level before a repaired node returns to service.
        diagnose_tries: Inconclusive diagnoses before the node is given to a person.
        agent_lost_after: An ECS agent away this long means a lost node; short absences, several an hour, are normal.
        agent_lost_after_impaired: The same when EC2's status checks fail too; such a node is replaced, as that is the
            quickest way to be sure that nothing runs there any more.
        retry_after: Pause before an inconclusive diagnosis or a failed placement is tried again.
        stop_deadline: Time for a gang's tasks to stop (ECS kills after `stopTimeout`, at most 120 s).
        start_deadline: Time for a gang to be up, image pulls included.
        capacity_deadline: A gang that has waited this long for nodes has a person called (once; it goes on waiting).
        suspect_deadline: A suspect that was never idle this long, with no evidence against its GPUs, is let go.
        examine_deadline: Time for a level 1 diagnosis; deeper levels get more, see `examine_time`.
        reboot_deadline: Time for a node to come back.
        replace_deadline: Time for an instance to be gone.
        condemned_deadline: A condemned node that could not be emptied has a person called (once; it goes on waiting).
        cascade_window: Tasks that fail by themselves this soon after the first are suspects; later ones are victims.
        maintenance_lead: Work leaves a node this long before EC2's scheduled maintenance.
        max_changes: Nodes and jobs that one decision may advance, so that it fits one DynamoDB transaction.
    """

    dry_run: bool = False
    job_attempts: int = 3
    job_restarts: int = 12
    stable_after: float = 15 * MINUTE
    start_tries: int = 5
    node_reboots: int = 2
    node_offences: int = 3
    node_window: float = 7 * DAY
    max_fenced_share: float = 0.25
    min_fenced: int = 2
    max_repair_share: float = 0.1
    max_repairs: int = 0
    reboots_per_hour: float = 0.05
    min_reboots_per_hour: int = 4
    replacements_per_day: float = 0.05
    min_replacements_per_day: int = 2
    breaker_share: float = 0.05
    breaker_min: int = 4
    breaker_window: float = 10 * MINUTE
    allow_reset: bool = False
    allow_replace: bool = True
    diagnose_level: int = 1
    diagnose_level_after_repair: int = 2
    diagnose_tries: int = 3
    retry_after: float = 30.0
    agent_lost_after: float = 10 * MINUTE
    agent_lost_after_impaired: float = 2 * MINUTE
    stop_deadline: float = 4 * MINUTE
    start_deadline: float = 20 * MINUTE
    capacity_deadline: float = 2 * HOUR
    suspect_deadline: float = 6 * HOUR
    examine_deadline: float = 10 * MINUTE
    reboot_deadline: float = 15 * MINUTE
    replace_deadline: float = 30 * MINUTE
    condemned_deadline: float = 6 * HOUR
    cascade_window: float = 30.0
    maintenance_lead: float = 30 * MINUTE
    max_changes: int = 12

    def __post_init__(self) -> None:
        """Refuses limits that make no sense.

        Raises:
            ValueError: Naming the limit, its value and what it must be.
        """
        for name in (
            "max_fenced_share",
            "max_repair_share",
            "reboots_per_hour",
            "replacements_per_day",
            "breaker_share",
        ):
            value = getattr(self, name)
            if not 0 < value <= 1:
                raise ValueError(
                    f"recovery policy: {name} is {value}; it is a share of the fleet, above 0 and at most 1"
                )
        for item in fields(self):
            value = getattr(self, item.name)
            if isinstance(value, bool):
                continue
            if item.name not in {"max_fenced_share"} and value < 0:
                raise ValueError(f"recovery policy: {item.name} is {value}; it must not be negative")
        for name in (
            "job_attempts",
            "job_restarts",
            "min_fenced",
            "min_reboots_per_hour",
            "diagnose_tries",
            "start_tries",
            "max_changes",
        ):
            if getattr(self, name) < 1:
                raise ValueError(f"recovery policy: {name} is {getattr(self, name)}; it must be at least 1")
        for name in ("diagnose_level", "diagnose_level_after_repair"):
            if getattr(self, name) not in (1, 2, 3, 4):
                raise ValueError(f"recovery policy: {name} is {getattr(self, name)}; dcgmi knows levels 1 to 4")

    def fence_limit(self, nodes: int) -> int:
        """Most nodes that may be fenced in a fleet of `nodes`."""
        return max(self.min_fenced, math.floor(self.max_fenced_share * nodes))

    def repair_limit(self, nodes: int) -> int:
        """Most nodes that may be in repair at a time."""
        by_share = max(1, math.floor(self.max_repair_share * nodes))
        return min(by_share, self.max_repairs) if self.max_repairs else by_share

    def reboot_limit(self, nodes: int) -> int:
        """Most reboots and resets in any hour."""
        return max(self.min_reboots_per_hour, math.floor(self.reboots_per_hour * nodes))

    def replacement_limit(self, nodes: int) -> int:
        """Most replacements in any day."""
        return max(self.min_replacements_per_day, math.floor(self.replacements_per_day * nodes))

    def breaker_limit(self, nodes: int) -> int:
        """Confirmed faults within the window that open the breaker."""
        return max(self.breaker_min, math.ceil(self.breaker_share * nodes))

    def examine_time(self, level: int) -> float:
        """Time allowed for a diagnosis: the documented run time of its level, plus image pull and queueing."""
        return self.examine_deadline + {1: 0.0, 2: 5 * MINUTE, 3: 30 * MINUTE, 4: 2 * HOUR}[level]


def policy_from(settings: Mapping[str, Any]) -> Policy:
    """Builds a policy from a mapping, as `fleet.yaml`'s `recovery.policy` gives it.

    Raises:
        ValueError: For an unknown name or a value of the wrong kind, naming it and the nearest known name.
    """
    import difflib

    known = {item.name: item for item in fields(Policy)}
    values: dict[str, Any] = {}
    for name, value in settings.items():
        if name not in known:
            near = difflib.get_close_matches(name, known, n=1)
            hint = f"; did you mean {near[0]}?" if near else f"; known are {', '.join(sorted(known))}"
            raise ValueError(f'recovery policy: unknown limit "{name}"{hint}')
        wanted: type = type(getattr(Policy(), name))
        if isinstance(value, bool) is not (wanted is bool) or not isinstance(value, int | float):
            raise ValueError(f"recovery policy: {name} is {value!r}; it must be a {wanted.__name__}")
        if wanted is int and int(value) != value:
            raise ValueError(f"recovery policy: {name} is {value!r}; it must be a whole number")
        values[name] = wanted(value)
    return Policy(**values)
