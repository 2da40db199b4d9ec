"""The CloudWatch metrics that a fleet is watched by, found by names alone, so that nothing refers to another stack."""

from __future__ import annotations

import re
from collections.abc import Iterable

import aws_cdk as cdk
from aws_cdk import aws_cloudwatch as cw

from inferfleet.deploy.resolve import ResolvedFleet, ResolvedService

INSIGHTS = "ECS/ContainerInsights"
"""What Container Insights publishes.

https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/Container-Insights-enhanced-observability-metrics-ECS.html
"""

MINUTE = cdk.Duration.minutes(1)
FIVE_MINUTES = cdk.Duration.minutes(5)


def service_metric(
    fleet: ResolvedFleet, service: ResolvedService, name: str, *, namespace: str = INSIGHTS, statistic: str = "Average"
) -> cw.Metric:
    """Returns a metric of an ECS service: of Container Insights, or of ECS itself (`AWS/ECS`)."""
    return cw.Metric(
        namespace=namespace,
        metric_name=name,
        dimensions_map={"ClusterName": fleet.cluster, "ServiceName": service.names.service},
        statistic=statistic,
        period=MINUTE,
    )


def provider_reservation(fleet: ResolvedFleet, provider: str) -> cw.Metric:
    """Returns how full the instances of a capacity provider are, in percent; above 100 tasks wait for instances."""
    return cw.Metric(
        namespace="AWS/ECS/ManagedScaling",
        metric_name="CapacityProviderReservation",
        dimensions_map={"ClusterName": fleet.cluster, "CapacityProviderName": provider},
        statistic="Maximum",
        period=MINUTE,
    )


def video(stream: str, name: str, statistic: str) -> cw.Metric:
    """Returns a metric of a Kinesis video stream.

    https://docs.aws.amazon.com/kinesisvideostreams/latest/dg/monitoring-cloudwatch.html
    """
    return cw.Metric(
        namespace="AWS/KinesisVideo",
        metric_name=name,
        dimensions_map={"StreamName": stream},
        statistic=statistic,
        period=MINUTE,
    )


def labelled(metric: cw.Metric, label: str) -> cw.Metric:
    """Returns a metric as a graph calls it. An alarm wants none: with a label it would be an expression."""
    return metric.with_(label=label)


def log_namespace(fleet: ResolvedFleet, service: ResolvedService) -> str:
    """The namespace of the metrics that are counted from a service's log."""
    return f"inferfleet/{fleet.file.name}/{service.key}"


def log_metric(
    fleet: ResolvedFleet, service: ResolvedService, name: str, dimensions: dict[str, str] | None = None
) -> cw.Metric:
    """Returns a metric that is counted from a service's log."""
    return cw.Metric(
        namespace=log_namespace(fleet, service),
        metric_name=name,
        dimensions_map=dimensions,
        statistic="Sum",
        period=FIVE_MINUTES,
    )


def search(schema: Iterable[str], metric: str, terms: str, statistic: str, *, label: str = "") -> cw.SearchExpression:
    """Returns all metrics of a name whose dimensions hold some words, such as a load balancer by its name.

    Args:
        schema: Namespace and names of the dimensions.
        metric: Name of the metric.
        terms: What its dimensions hold; a name with separators is looked for by its words.
        statistic: Its statistic.
        label: How the lines are called; as CloudWatch does when left out.
    """
    words = " ".join(re.findall(r"[A-Za-z0-9]+", terms))
    names = ",".join(schema)
    expression = f"SEARCH('{{{names}}} MetricName=\"{metric}\" {words}', '{statistic}', 60)"
    return cw.SearchExpression(expression=expression, label=label, period=MINUTE)


def alarm_name(fleet: ResolvedFleet, *parts: str) -> str:
    """The name of an alarm of a fleet: all begin with the fleet's name."""
    return "-".join((fleet.file.name, *parts))
