"""The state of an alarm, from the values of its metric and from nothing else."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Literal

State = Literal["OK", "ALARM", "INSUFFICIENT_DATA"]
Missing = Literal["missing", "ignore", "breaching", "notBreaching"]

COMPARISONS: Mapping[str, Callable[[float, float], bool]] = {
    "GreaterThanOrEqualToThreshold": lambda value, threshold: value >= threshold,
    "GreaterThanThreshold": lambda value, threshold: value > threshold,
    "LessThanThreshold": lambda value, threshold: value < threshold,
    "LessThanOrEqualToThreshold": lambda value, threshold: value <= threshold,
}
"""What breaches a threshold, by the operator's name."""


def state(breaches: Sequence[bool | None], needed: int, missing: Missing, current: State) -> State:
    """The state that an alarm goes to (CloudWatch User Guide, "Evaluating an alarm").

    Args:
        breaches: Whether the value of each of its periods breaches the threshold, oldest first; None without a value.
        needed: How many must.
        missing: What a period without a value counts as.
        current: The state that it is in.
    """
    filling = {"breaching": True, "notBreaching": False}
    filled = [filling.get(missing) if breach is None else breach for breach in breaches]
    if filled.count(True) >= needed:
        return "ALARM"
    if all(breach is None for breach in filled):
        return current if missing == "ignore" else "INSUFFICIENT_DATA"
    if missing == "ignore" and filled.count(True) + filled.count(None) >= needed:
        return current
    return "OK"


def periods(points: Sequence[tuple[float, float]], now: float, period_s: int, count: int) -> list[list[float]]:
    """The values of the last periods, oldest first. The one that is still under way counts once it has a value.

    Args:
        points: Times and values.
        now: The time, in seconds since the epoch.
        period_s: Seconds of a period.
        count: How many.
    """
    last = int(now // period_s)
    held: list[list[float]] = [[] for _ in range(count + 1)]
    for at, value in points:
        back = last - int(at // period_s)
        if 0 <= back <= count:
            held[count - back].append(value)
    return held[1:] if held[-1] else held[:-1]
