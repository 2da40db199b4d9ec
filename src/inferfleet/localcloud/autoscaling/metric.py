"""Which metric a target tracking policy follows."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from inferfleet.localcloud.autoscaling.capacity import ServiceName
from inferfleet.localcloud.autoscaling.records import Identity
from inferfleet.localcloud.cloudwatch.metric import Formula, Metric

_USAGE = {
    "ECSServiceAverageCPUUtilization": "CPUUtilization",
    "ECSServiceAverageMemoryUtilization": "MemoryUtilization",
}


def followed(configuration: Mapping[str, Any], identity: Identity) -> Metric | Formula:
    """What a target tracking policy follows.

    Args:
        configuration: Of the policy.
        identity: Of its target.

    Raises:
        ValueError: It follows something that the local cloud does not have.
    """
    if custom := configuration.get("CustomizedMetricSpecification"):
        metrics = custom.get("Metrics")
        return Formula.of(metrics) if metrics else Metric.of(custom, custom["Statistic"])
    predefined = configuration.get("PredefinedMetricSpecification") or {}
    kind, name = predefined.get("PredefinedMetricType"), ServiceName.of(identity)
    if kind in _USAGE and name is not None:
        dimensions = (("ClusterName", name.cluster), ("ServiceName", name.service))
        return Metric("AWS/ECS", _USAGE[kind], dimensions, "Average")
    if kind == "ALBRequestCountPerTarget":
        return Metric("AWS/ApplicationELB", "RequestCountPerTarget", _label(predefined.get("ResourceLabel", "")), "Sum")
    raise ValueError(f"the local cloud has no metric {kind} for {identity.resource}")


def _label(label: str) -> tuple[tuple[str, str], ...]:
    """The dimensions of `app/<name>/<id>/targetgroup/<name>/<id>`."""
    balancer, separator, group = label.partition("/targetgroup/")
    if not separator or not balancer.startswith("app/"):
        raise ValueError(f"ResourceLabel {label!r} must be app/<name>/<id>/targetgroup/<name>/<id>")
    return (("LoadBalancer", balancer), ("TargetGroup", f"targetgroup/{group}"))
