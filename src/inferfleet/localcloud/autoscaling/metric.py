"""Which metric a target tracking policy follows, and what it was in the last minutes."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from inferfleet.localcloud.autoscaling import mathematics
from inferfleet.localcloud.autoscaling.capacity import ServiceName
from inferfleet.localcloud.autoscaling.records import Identity

_MINUTE_S = 60.0
_STATISTICS = ("Average", "Maximum", "Minimum", "Sum", "SampleCount")


@dataclass(frozen=True, slots=True)
class Metric:
    """A metric of CloudWatch.

    Attributes:
        namespace: Its namespace.
        name: Its name.
        dimensions: Its dimensions.
        statistic: Its statistic. A sum and a sample count are those of a minute of 60 seconds.
    """

    namespace: str
    name: str
    dimensions: tuple[tuple[str, str], ...]
    statistic: str

    def alarm(self) -> dict[str, Any]:
        """As PutMetricAlarm takes it."""
        return {
            "Namespace": self.namespace,
            "MetricName": self.name,
            "Dimensions": [{"Name": name, "Value": value} for name, value in self.dimensions],
            "Statistic": self.statistic,
        }


@dataclass(frozen=True, slots=True)
class Formula:
    """What follows from several metrics.

    Attributes:
        metrics: The metrics by their ids.
        expressions: Expressions by their ids, each after those that it uses.
        result: The id of what counts.
    """

    metrics: Mapping[str, Metric]
    expressions: tuple[tuple[str, str], ...]
    result: str


def followed(configuration: Mapping[str, Any], identity: Identity) -> Metric | Formula:
    """What a target tracking policy follows.

    Args:
        configuration: Of the policy.
        identity: Of its target.

    Raises:
        ValueError: It follows something that the local cloud does not have.
    """
    if custom := configuration.get("CustomizedMetricSpecification"):
        return _formula(custom["Metrics"]) if custom.get("Metrics") else _metric(custom, custom["Statistic"])
    predefined = configuration.get("PredefinedMetricSpecification") or {}
    kind, name = predefined.get("PredefinedMetricType"), ServiceName.of(identity)
    usage = {"ECSServiceAverageCPUUtilization": "CPUUtilization",
             "ECSServiceAverageMemoryUtilization": "MemoryUtilization"}  # fmt: skip
    if kind in usage and name is not None:
        dimensions = (("ClusterName", name.cluster), ("ServiceName", name.service))
        return Metric("AWS/ECS", usage[kind], dimensions, "Average")
    if kind == "ALBRequestCountPerTarget":
        return Metric("AWS/ApplicationELB", "RequestCountPerTarget", _label(predefined.get("ResourceLabel", "")), "Sum")
    raise ValueError(f"the local cloud has no metric {kind} for {identity.resource}")


def minutes(client: Any, wanted: Metric | Formula, now: float, minute_s: int, count: int) -> list[float | None]:
    """A metric in the last whole minutes, oldest first; None where nothing was measured.

    Args:
        client: CloudWatch's client.
        wanted: What to read.
        now: The time.
        minute_s: Seconds that a minute takes here.
        count: How many minutes.
    """
    last = int(now // minute_s) * minute_s
    times = [float(last - minute_s * back) for back in range(count, 0, -1)]
    if isinstance(wanted, Metric):
        found = _read(client, wanted, times, minute_s)
    else:
        known: dict[str, Mapping[float, float]] = {
            name: _read(client, metric, times, minute_s) for name, metric in wanted.metrics.items()
        }
        for name, expression in wanted.expressions:
            known[name] = mathematics.evaluate(expression, known, times)
        found = dict(known[wanted.result])
    return [found.get(time) for time in times]


def _read(client: Any, metric: Metric, times: list[float], minute_s: int) -> dict[float, float]:
    answer = client.get_metric_statistics(
        Namespace=metric.namespace,
        MetricName=metric.name,
        Dimensions=[{"Name": name, "Value": value} for name, value in metric.dimensions],
        StartTime=datetime.fromtimestamp(times[0], UTC),
        EndTime=datetime.fromtimestamp(times[-1] + minute_s, UTC),
        Period=minute_s,
        Statistics=[metric.statistic],
    )
    scale = _MINUTE_S / minute_s if metric.statistic in ("Sum", "SampleCount") else 1.0
    return {point["Timestamp"].timestamp(): point[metric.statistic] * scale for point in answer["Datapoints"]}


def _metric(given: Mapping[str, Any], statistic: str) -> Metric:
    if statistic not in _STATISTICS:
        raise ValueError(f"the local cloud has no statistic {statistic}; it has {', '.join(_STATISTICS)}")
    dimensions = tuple((item["Name"], item["Value"]) for item in given.get("Dimensions") or ())
    return Metric(given["Namespace"], given["MetricName"], dimensions, statistic)


def _formula(queries: list[Mapping[str, Any]]) -> Formula:
    metrics = {
        query["Id"]: _metric(query["MetricStat"]["Metric"], query["MetricStat"]["Stat"])
        for query in queries
        if query.get("MetricStat")
    }
    expressions = {query["Id"]: query["Expression"] for query in queries if query.get("Expression")}
    shown = [query["Id"] for query in queries if query.get("ReturnData", True)]
    if len(shown) != 1:
        raise ValueError("exactly one of the Metrics must have ReturnData")
    return Formula(metrics, _in_order(expressions, set(metrics)), shown[0])


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


def _label(label: str) -> tuple[tuple[str, str], ...]:
    """The dimensions of `app/<name>/<id>/targetgroup/<name>/<id>`."""
    balancer, separator, group = label.partition("/targetgroup/")
    if not separator or not balancer.startswith("app/"):
        raise ValueError(f"ResourceLabel {label!r} must be app/<name>/<id>/targetgroup/<name>/<id>")
    return (("LoadBalancer", balancer), ("TargetGroup", f"targetgroup/{group}"))
