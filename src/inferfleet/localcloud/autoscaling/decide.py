"""How many tasks there shall be: from what was measured, a policy and the time, and from nothing else.

Times are seconds since the epoch. A minute is whatever the caller says, so that a day's worth of scaling can be seen
in a few moments.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

HIGH_MINUTES = 3
"""Minutes above the target before tasks are added (User Guide, "How target tracking works")."""
LOW_MINUTES = 15
"""Minutes below nine tenths of the target before tasks are taken away (same place)."""
_LOW_SHARE = 0.9

Adjustment = Literal["ChangeInCapacity", "PercentChangeInCapacity", "ExactCapacity"]


@dataclass(frozen=True, slots=True)
class Tracking:
    """Keep a metric at a value.

    Attributes:
        target: The value.
        out_cooldown: Seconds in which tasks that were just added count as part of the next addition.
        in_cooldown: Seconds after tasks were taken away in which no more are.
        scales_in: Whether it may take tasks away.
    """

    target: float
    out_cooldown: float = 300.0
    in_cooldown: float = 300.0
    scales_in: bool = True


@dataclass(frozen=True, slots=True)
class Step:
    """What to do when a metric is so far beyond its alarm's threshold.

    Attributes:
        adjustment: By how many, by how many percent, or to how many tasks.
        lower: Least distance from the threshold; None for no limit.
        upper: The distance that it ends before; None for no limit.
    """

    adjustment: float
    lower: float | None = None
    upper: float | None = None


@dataclass(frozen=True, slots=True)
class Stepping:
    """Steps for an alarm.

    Attributes:
        adjustment: What the steps' numbers mean.
        steps: The steps.
        cooldown: As `Tracking.out_cooldown` and `in_cooldown` in one.
        least: Least change, where steps are in percent.
    """

    adjustment: Adjustment
    steps: tuple[Step, ...]
    cooldown: float = 300.0
    least: int = 0


@dataclass(frozen=True, slots=True)
class Past:
    """What a policy did before.

    Attributes:
        out_at: When it last added tasks.
        out_from: How many there were before that.
        in_at: When it last took tasks away.
    """

    out_at: float | None = None
    out_from: int = 0
    in_at: float | None = None


def track(policy: Tracking, minutes: Sequence[float | None], capacity: int, past: Past, now: float) -> int | None:
    """The number of tasks that a target tracking policy wants.

    Args:
        policy: The policy.
        minutes: The metric, a value a minute, newest last; None where nothing was measured.
        capacity: Tasks that there shall be at present.
        past: What the policy did before.
        now: The time.

    Returns:
        The number, which is `capacity` when all is well; None when too little is known to say.
    """
    recent = [value for value in minutes[-LOW_MINUTES:] if value is not None]
    known = [value for value in minutes if value is not None][-HIGH_MINUTES:]
    if len(known) < HIGH_MINUTES or all(value is None for value in minutes[-HIGH_MINUTES:]):
        return None
    if all(value > policy.target for value in known):
        return _more(known[-1] / policy.target, capacity, past, now, policy.out_cooldown)
    whole = len(minutes) >= LOW_MINUTES
    if whole and policy.scales_in and all(value < _LOW_SHARE * policy.target for value in recent):
        resting = past.in_at is not None and now - past.in_at < policy.in_cooldown
        return capacity if resting else min(capacity, math.ceil(capacity * max(known) / policy.target))
    return capacity


def step(policy: Stepping, beyond: float, capacity: int, past: Past, now: float) -> int:
    """The number of tasks that a step scaling policy wants while its alarm is in ALARM.

    Args:
        policy: The policy.
        beyond: The metric less the alarm's threshold.
        capacity: Tasks that there shall be at present.
        past: What the policy did before.
        now: The time.
    """
    found = next((item for item in policy.steps if _covers(item, beyond)), None)
    if found is None:
        return capacity
    wanted = _adjusted(policy, found.adjustment, capacity)
    if wanted > capacity and past.out_at is not None and now - past.out_at < policy.cooldown:
        return max(capacity, _adjusted(policy, found.adjustment, past.out_from))
    if wanted < capacity and past.in_at is not None and now - past.in_at < policy.cooldown:
        return capacity
    return wanted


def settle(
    tracked: Sequence[tuple[Tracking, int | None]], stepped: Sequence[int], capacity: int, least: int, most: int
) -> int:
    """The number of tasks on which all policies of a target settle.

    The largest wish wins; tasks are only taken away when every tracking policy that may do so agrees.

    Args:
        tracked: The tracking policies and what they want.
        stepped: What the step policies want.
        capacity: Tasks that there shall be at present.
        least: Least number.
        most: Most.
    """
    wishes = [wish for _, wish in tracked if wish is not None] + list(stepped)
    more = [wish for wish in wishes if wish > capacity]
    less = [wish for policy, wish in tracked if policy.scales_in and wish is not None]
    unsure = any(wish is None for policy, wish in tracked if policy.scales_in)
    wanted = capacity
    if more:
        wanted = max(more)
    elif any(wish < capacity for wish in stepped):
        wanted = max(wish for wish in stepped if wish < capacity)
    elif less and not unsure and max(less) < capacity:
        wanted = max(less)
    return min(max(wanted, least), most)


def after(past: Past, capacity: int, wanted: int, now: float) -> Past:
    """What a policy did before, once it has changed `capacity` to `wanted`."""
    if wanted > capacity:
        # "the scale-in cooldown period stops and doesn't complete" (User Guide, "Target tracking: cooldown period")
        return Past(out_at=now, out_from=capacity, in_at=None)
    return Past(out_at=past.out_at, out_from=past.out_from, in_at=now)


def _more(ratio: float, capacity: int, past: Past, now: float, cooldown: float) -> int:
    """Tasks for a metric that is `ratio` times its target; what was just added counts already."""
    busy = past.out_at is not None and now - past.out_at < cooldown
    base = past.out_from if busy else capacity
    return max(capacity, math.ceil(max(base, 1) * ratio) if capacity else 1)


def _covers(item: Step, beyond: float) -> bool:
    low = -math.inf if item.lower is None else item.lower
    high = math.inf if item.upper is None else item.upper
    # "positive: inclusive lower, exclusive upper; negative: the other way round" (API reference, StepAdjustment)
    return low <= beyond < high if beyond >= 0 else low < beyond <= high


def _adjusted(policy: Stepping, adjustment: float, capacity: int) -> int:
    if policy.adjustment == "ExactCapacity":
        return int(adjustment)
    if policy.adjustment == "ChangeInCapacity":
        return max(0, capacity + int(adjustment))
    change = capacity * adjustment / 100
    whole = math.copysign(max(1, math.floor(abs(change))), change) if change else 0.0
    if adjustment and abs(whole) < policy.least:
        whole = math.copysign(policy.least, adjustment)
    return max(0, capacity + int(whole))
