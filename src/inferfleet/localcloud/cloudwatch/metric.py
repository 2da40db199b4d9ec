"""Metrics of CloudWatch and formulas over them: what they were in the last periods."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from inferfleet.localcloud.cloudwatch import mathematics

STATISTICS = ("Average", "Maximum", "Minimum", "Sum", "SampleCount")
_PERIOD_S = 60
_COUNTS = ("Sum", "SampleCount")


@dataclass(frozen=True, slots=True)
class Metric:
    """A metric.

    Attributes:
        namespace: Its namespace.
        name: Its name.
        dimensions: Its dimensions.
        statistic: Its statistic.
    """

    namespace: str
    name: str
    dimensions: tuple[tuple[str, str], ...]
    statistic: str

    @classmethod
    def of(cls, given: Mapping[str, Any], statistic: str) -> Metric:
        """A metric as the API writes it.

        Raises:
            ValueError: There is no such statistic here.
        """
        if statistic not in STATISTICS:
            raise ValueError(f"the local cloud has no statistic {statistic}; it has {', '.join(STATISTICS)}")
        dimensions = tuple((item["Name"], item["Value"]) for item in given.get("Dimensions") or ())
        return cls(given["Namespace"], given["MetricName"], dimensions, statistic)

    def described(self) -> dict[str, Any]:
        """As PutMetricAlarm and GetMetricStatistics take it, without the statistic."""
        dimensions = [{"Name": name, "Value": value} for name, value in self.dimensions]
        return {"Namespace": self.namespace, "MetricName": self.name, "Dimensions": dimensions}


@dataclass(frozen=True, slots=True)
class Formula:
    """What follows from several metrics.

    Attributes:
        metrics: The metrics by their ids.
        expressions: Expressions by their ids, each after those that it uses.
        result: The id of what counts.
        period_s: The longest period that one of them names; 60 when none does.
    """

    metrics: Mapping[str, Metric]
    expressions: tuple[tuple[str, str], ...]
    result: str
    period_s: int

    @classmethod
    def of(cls, queries: Iterable[Mapping[str, Any]]) -> Formula:
        """The formula of a list of `Metrics`, as alarms and scaling policies have it.

        Raises:
            ValueError: It uses something that is not there, or shows not exactly one result.
        """
        queries = tuple(queries)
        stats = {query["Id"]: query["MetricStat"] for query in queries if query.get("MetricStat")}
        metrics = {name: Metric.of(stat["Metric"], stat["Stat"]) for name, stat in stats.items()}
        expressions = {query["Id"]: query["Expression"] for query in queries if query.get("Expression")}
        shown = [query["Id"] for query in queries if str(query.get("ReturnData", True)).lower() == "true"]
        if len(shown) != 1:
            raise ValueError("exactly one of the Metrics must have ReturnData")
        periods = [int(item["Period"]) for item in (*stats.values(), *queries) if item.get("Period")]
        return cls(metrics, _in_order(expressions, set(metrics)), shown[0], max(periods, default=_PERIOD_S))


def recent(
    client: Any, wanted: Metric | Formula, now: float, period_s: int, count: int, *, sums_of_s: float | None = None
) -> dict[float, float | None]:
    """A metric in the last whole periods, by the times at which they begin; None where nothing was measured.

    Args:
        client: CloudWatch's client.
        wanted: What to read.
        now: The time, in seconds since the epoch.
        period_s: Seconds of a period.
        count: How many periods.
        sums_of_s: Seconds to which sums and counts are scaled; those of a period when left out.
    """
    last = int(now // period_s) * period_s
    times = [float(last - period_s * back) for back in range(count, 0, -1)]
    scale = sums_of_s / period_s if sums_of_s else 1.0
    if isinstance(wanted, Metric):
        found = _read(client, wanted, times, period_s, scale)
    else:
        known: dict[str, Mapping[float, float]] = {
            name: _read(client, metric, times, period_s, scale) for name, metric in wanted.metrics.items()
        }
        for name, expression in wanted.expressions:
            known[name] = mathematics.evaluate(expression, known, times)
        found = dict(known[wanted.result])
    return {time: found.get(time) for time in times}


def _read(client: Any, metric: Metric, times: list[float], period_s: int, scale: float) -> dict[float, float]:
    answer = client.get_metric_statistics(
        **metric.described(),
        StartTime=datetime.fromtimestamp(times[0], UTC),
        EndTime=datetime.fromtimestamp(times[-1] + period_s, UTC),
        Period=period_s,
        Statistics=[metric.statistic],
    )
    factor = scale if metric.statistic in _COUNTS else 1.0
    return {point["Timestamp"].timestamp(): point[metric.statistic] * factor for point in answer["Datapoints"]}


def _in_order(expressions: Mapping[str, str], known: set[str]) -> tuple[tuple[str, str], ...]:
    """Expressions, each after those that it uses."""
    left, found = dict(expressions), []
    while left:
        ready = [name for name, text in left.items() if not (mathematics.names(text) - known)]
        if not ready:
            raise ValueError(f"the expressions {', '.join(left)} use what is not there")
        for name in ready:
            found.append((name, left.pop(name)))
            known.add(name)
    return tuple(found)
