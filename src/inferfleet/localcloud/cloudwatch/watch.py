"""CloudWatch's evaluation of alarms in the place of MiniStack's, which knows neither dimensions nor periods."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from typing import Any

from inferfleet.localcloud.cloudwatch import states


def install() -> None:
    """Has MiniStack evaluate alarms so, whenever metrics arrive."""
    from ministack.services import cloudwatch

    cloudwatch._evaluate_alarm = _evaluate(cloudwatch._evaluate_alarm)


def _evaluate(otherwise: Callable[[dict[str, Any]], None]) -> Callable[[dict[str, Any]], None]:
    """The evaluation; what it does not know (bands of anomaly detection) is left to MiniStack's."""

    def evaluate(alarm: dict[str, Any]) -> None:
        if alarm.get("ComparisonOperator") not in states.COMPARISONS:
            otherwise(alarm)
            return
        points = _points(alarm)
        if not points:
            return
        values = _values(alarm, points, time.time())
        breaks = states.COMPARISONS[alarm["ComparisonOperator"]]
        breaches = [None if value is None else breaks(value, alarm["Threshold"]) for value in values]
        needed = int(alarm.get("DatapointsToAlarm") or alarm.get("EvaluationPeriods") or 1)
        missing: states.Missing = alarm.get("TreatMissingData") or "missing"
        _move(alarm, states.state(breaches, needed, missing, alarm["StateValue"]), values)

    return evaluate


def _points(alarm: Mapping[str, Any]) -> list[dict[str, Any]]:
    """All that was ever measured of an alarm's metric, as far as it is kept."""
    from ministack.services import cloudwatch

    dimensions = {item["Name"]: item["Value"] for item in alarm.get("Dimensions") or ()}
    key = (alarm.get("Namespace"), alarm.get("MetricName"), cloudwatch._dims_key(dimensions))
    return list(cloudwatch._metrics.get(key) or ())


def _values(alarm: Mapping[str, Any], points: list[dict[str, Any]], now: float) -> list[float | None]:
    """The statistic of each of an alarm's periods, oldest first."""
    from ministack.services import cloudwatch

    by_time = [(point["Timestamp"], index) for index, point in enumerate(points)]
    statistic = alarm.get("ExtendedStatistic") or alarm.get("Statistic") or "Average"
    count, period = int(alarm.get("EvaluationPeriods") or 1), int(alarm.get("Period") or 60)
    found: list[float | None] = []
    for held in states.periods(by_time, now, period, count):
        chosen = [points[int(index)] for index in held]
        value = cloudwatch._stat_value(cloudwatch._calc_stats(chosen), statistic, chosen) if chosen else None
        found.append(None if value is None else float(value))
    return found


def _move(alarm: dict[str, Any], wanted: states.State, values: list[float | None]) -> None:
    """Moves an alarm to a state, notes it, and has its actions done."""
    from ministack.services import cloudwatch

    before = alarm["StateValue"]
    if before == wanted:
        return
    known = [f"{value:g}" for value in values if value is not None]
    verb = "crossed" if wanted == "ALARM" else "not crossed"
    reason = f"Threshold Crossed: datapoints [{', '.join(known)}], threshold ({alarm['Threshold']:g}) {verb}"
    alarm |= {"StateValue": wanted, "StateReason": reason, "StateUpdatedTimestamp": int(time.time())}
    cloudwatch._record_history(alarm["AlarmName"], before, wanted, reason)
    cloudwatch._dispatch_alarm_actions(alarm, before, wanted, reason)
    cloudwatch._evaluate_parent_alarms(alarm)
