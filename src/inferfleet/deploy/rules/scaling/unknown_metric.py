"""A metric in a namespace that does not have it."""

from collections.abc import Iterator

from inferfleet.deploy.lint import kinds
from inferfleet.deploy.lint.node import Node
from inferfleet.deploy.lint.rule import Example, Match, Rule, Severity, Workspace

# https://docs.aws.amazon.com/AmazonECS/latest/developerguide/available-metrics.html
_ECS = frozenset(
    {"CPUUtilization", "MemoryUtilization", "CPUReservation", "MemoryReservation", "GPUReservation",
     "EBSFilesystemUtilization", "ActiveConnectionCount", "NewConnectionCount", "ProcessedBytes", "RequestCount",
     "GrpcRequestCount", "HTTPCode_Target_2XX_Count", "HTTPCode_Target_3XX_Count", "HTTPCode_Target_4XX_Count",
     "HTTPCode_Target_5XX_Count", "RequestCountPerTarget", "TargetProcessedBytes", "TargetResponseTime",
     "ClientTLSNegotiationErrorCount", "TargetTLSNegotiationErrorCount"}
)  # fmt: skip
_INSIGHTS = frozenset({"RunningTaskCount", "PendingTaskCount", "DesiredTaskCount", "TaskCount", "ServiceCount"})


def check(world: Workspace) -> Iterator[Match]:
    """Finds metrics of AWS/ECS that are not there, in alarms and dashboards."""
    for alarm in world.of(kinds.ALARM):
        yield from _judge(alarm.node["Namespace"].text, alarm.node["MetricName"])
    for dashboard in world.of(kinds.DASHBOARD):
        for widget in dashboard.node["widgets"]:
            namespace = ""
            for metric in widget["properties"]["metrics"]:
                namespace = metric[0].text if metric[0].text not in (".", "") else namespace
                yield from _judge(namespace, metric[1])


def _judge(namespace: str, metric: Node) -> Iterator[Match]:
    if namespace == "AWS/ECS" and metric.known and metric.text not in _ECS and not metric.text.startswith("."):
        where = "; it is in ECS/ContainerInsights" if metric.text in _INSIGHTS else ""
        yield Match(metric.place, f"AWS/ECS has no metric {metric.text}{where}")


RULE = Rule(
    severity=Severity.WARNING,
    title="No such metric",
    why="CloudWatch takes any name and shows an empty graph, or an alarm without data. Task counts come from Container "
    "Insights, in a namespace of their own.",
    fix="Use ECS/ContainerInsights for task counts, with Container Insights switched on in the cluster.",
    source="https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/Container-Insights-metrics-ECS.html",
    check=check,
    example=Example(
        file="dashboard.json",
        bad='{"widgets": [{"type": "metric", "properties": {"region": "us-east-1", "metrics": '
        '[["AWS/ECS", "RunningTaskCount", "ClusterName", "vision", "ServiceName", "api"]]}}]}',
        good='{"widgets": [{"type": "metric", "properties": {"region": "us-east-1", "metrics": '
        '[["ECS/ContainerInsights", "RunningTaskCount", "ClusterName", "vision", "ServiceName", "api"]]}}]}',
    ),
)
