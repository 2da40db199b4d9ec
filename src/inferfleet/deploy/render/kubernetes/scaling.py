"""How the number of pods follows the load: a HorizontalPodAutoscaler, or a KEDA ScaledObject for what it cannot see.

CPU comes from metrics-server and requests from the server's own counter; queues, CloudWatch metrics and the clock are
known to KEDA only, which makes an autoscaler of its own. A Deployment has one of the two, never both.
"""

from __future__ import annotations

import re
from typing import Any

from inferfleet.config.fleet_service import Scaling, Schedule
from inferfleet.deploy.render.kubernetes.manifest import Manifest, meta
from inferfleet.deploy.resolve import ResolvedFleet, ResolvedService
from inferfleet.errors import InputError

REQUESTS_METRIC = "http_requests_per_minute"
"""The metric of a pod that prometheus-adapter must offer."""

PROMETHEUS = "http://prometheus-server.prometheus.svc"
"""Where the community's Prometheus chart listens."""

_CRON = re.compile(r"cron\((\S+) (\S+) (\S+) (\S+) (\S+) (\S+)\)")
_PERIOD_SECONDS = 60


def needs_keda(scaling: Scaling) -> bool:
    """Whether a HorizontalPodAutoscaler alone cannot do it."""
    return bool(scaling.queue or scaling.metric or scaling.schedules or scaling.min == 0)


def requests_query(service: ResolvedService) -> str:
    """Returns the PromQL of the requests a minute to all pods of a service."""
    counter = "inferfleet_serve_requests_total" if service.spec.kind == "api" else "http_requests_total"
    return f'sum(rate({counter}{{namespace="$NAMESPACE",pod=~"{service.key}-.+"}}[2m])) * 60'


def manifests(fleet: ResolvedFleet, service: ResolvedService, scaling: Scaling) -> dict[str, Manifest]:
    """Returns the manifests that scale a service, by file name.

    Raises:
        InputError: A schedule has no counterpart in Kubernetes.
    """
    if not needs_keda(scaling):
        return {"hpa": _autoscaler(service, scaling)}
    found = {"scaledobject": _scaled_object(fleet, service, scaling)}
    if scaling.queue or scaling.metric:
        found["triggerauthentication"] = {
            "apiVersion": "keda.sh/v1alpha1",
            "kind": "TriggerAuthentication",
            "metadata": meta(service),
            "spec": {"podIdentity": {"provider": "aws"}},
        }
    return found


def _behavior(scaling: Scaling) -> Manifest:
    return {
        "scaleDown": {"stabilizationWindowSeconds": scaling.scale_in_cooldown},
        "scaleUp": {"stabilizationWindowSeconds": scaling.scale_out_cooldown},
    }


def _autoscaler(service: ResolvedService, scaling: Scaling) -> Manifest:
    metrics: list[Manifest] = []
    if scaling.cpu is not None:
        target: Manifest = {"type": "Utilization", "averageUtilization": scaling.cpu}
        metrics.append({"type": "Resource", "resource": {"name": "cpu", "target": target}})
    if scaling.requests is not None:
        target = {"type": "AverageValue", "averageValue": _quantity(scaling.requests)}
        metrics.append({"type": "Pods", "pods": {"metric": {"name": REQUESTS_METRIC}, "target": target}})
    return {
        "apiVersion": "autoscaling/v2",
        "kind": "HorizontalPodAutoscaler",
        "metadata": meta(service),
        "spec": {
            "scaleTargetRef": {"apiVersion": "apps/v1", "kind": "Deployment", "name": service.key},
            "minReplicas": scaling.min,
            "maxReplicas": scaling.max,
            "metrics": metrics,
            "behavior": _behavior(scaling),
        },
    }


def _scaled_object(fleet: ResolvedFleet, service: ResolvedService, scaling: Scaling) -> Manifest:
    return {
        "apiVersion": "keda.sh/v1alpha1",
        "kind": "ScaledObject",
        "metadata": meta(service),
        "spec": {
            "scaleTargetRef": {"name": service.key},
            "minReplicaCount": scaling.min,
            "maxReplicaCount": scaling.max,
            "cooldownPeriod": scaling.scale_in_cooldown,
            "advanced": {"horizontalPodAutoscalerConfig": {"behavior": _behavior(scaling)}},
            "triggers": _triggers(fleet, service, scaling),
        },
    }


def _triggers(fleet: ResolvedFleet, service: ResolvedService, scaling: Scaling) -> list[Manifest]:
    """What KEDA looks at (https://keda.sh/docs/latest/scalers/); its settings are texts, whatever they hold.

    Of queues, metrics and requests KEDA holds the share of each pod, as it does by default.
    """
    triggers: list[Manifest] = []
    identity = {"authenticationRef": {"name": service.key}}
    if scaling.cpu is not None:
        triggers.append({"type": "cpu", "metricType": "Utilization", "metadata": {"value": str(scaling.cpu)}})
    if scaling.requests is not None:
        query = requests_query(service).replace("$NAMESPACE", fleet.file.name)
        settings = {"serverAddress": PROMETHEUS, "query": query, "threshold": _number(scaling.requests)}
        triggers.append({"type": "prometheus", "metadata": settings})
    if scaling.queue is not None:
        url = f"https://sqs.{fleet.region}.amazonaws.com/{fleet.account}/{scaling.queue.name}"
        settings = {"queueURL": url, "queueLength": _number(scaling.queue.per_task), "awsRegion": fleet.region}
        triggers.append({"type": "aws-sqs-queue", "metadata": settings, **identity})
    if scaling.metric is not None:
        metric = scaling.metric
        settings = {
            "namespace": metric.namespace,
            "metricName": metric.name,
            "dimensionName": ";".join(metric.dimensions),
            "dimensionValue": ";".join(metric.dimensions.values()),
            "metricStat": metric.statistic,
            "metricStatPeriod": str(_PERIOD_SECONDS),
            "targetMetricValue": _number(metric.target),
            "minMetricValue": "0",
            "awsRegion": fleet.region,
        }
        triggers.append({"type": "aws-cloudwatch", "metadata": settings, **identity})
    return triggers + _windows(service, scaling)


def _windows(service: ResolvedService, scaling: Scaling) -> list[Manifest]:
    """Each schedule holds until the next one, and the last until the first."""
    schedules = scaling.schedules
    place = f"services.{service.key}.scaling.schedules"
    if len(schedules) == 1:
        raise InputError(f"{place}: one alone never ends; KEDA needs a second one, for when the first is over")
    windows = []
    for number, (schedule, following) in enumerate(zip(schedules, (*schedules[1:], *schedules[:1]), strict=True)):
        if schedule.max != scaling.max:
            raise InputError(
                f"{place}.{number}.max: on Kubernetes a schedule raises the least only; write {scaling.max}"
            )
        settings = {
            "timezone": schedule.timezone,
            "start": _cron(schedule, f"{place}.{number}"),
            "end": _cron(following, place),
            "desiredReplicas": str(schedule.min),
        }
        windows.append({"type": "cron", "metadata": settings})
    return windows


def _cron(schedule: Schedule, place: str) -> str:
    """Translates AWS's six fields to cron's five: no year, no `?`, and Sunday is 0 instead of 1."""
    fields = _CRON.fullmatch(schedule.cron)
    if fields is None or fields[6] != "*":
        raise InputError(f"{place}: {schedule.cron} does not repeat by the calendar; write cron(…) with * as its year")
    minute, hour, day, month, weekday = (field.replace("?", "*") for field in fields.groups()[:5])
    weekday = re.sub(r"\d", lambda digit: str(int(digit[0]) - 1), weekday)
    return f"{minute} {hour} {day} {month} {weekday}"


def _number(value: float) -> str:
    return f"{value:g}"


def _quantity(value: float) -> Any:
    """Writes a number as Kubernetes reads it: whole, or in thousandths."""
    return str(int(value)) if value == int(value) else f"{round(value * 1000)}m"
