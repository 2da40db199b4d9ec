"""A graph of a metric without saying of what."""

from collections.abc import Iterator

from inferfleet.deploy.lint import kinds
from inferfleet.deploy.lint.rule import Example, Match, Rule, Severity, Workspace

_NEED_DIMENSIONS = frozenset({"AWS/ECS", "AWS/ApplicationELB", "ECS/ContainerInsights", "AWS/EC2", "AWS/Kinesis"})


def check(world: Workspace) -> Iterator[Match]:
    """Finds metrics in dashboards that name no cluster, service or load balancer."""
    for dashboard in world.of(kinds.DASHBOARD):
        for widget in dashboard.node["widgets"]:
            namespace = ""
            for metric in widget["properties"]["metrics"]:
                namespace = metric[0].text if metric[0].text not in (".", "") else namespace
                dimensions = [item for item in list(metric)[2:] if not item.is_mapping]
                if namespace in _NEED_DIMENSIONS and metric[1] and not dimensions:
                    yield Match(
                        metric.place, f"{namespace} {metric[1].text} is named without dimensions, so the graph is empty"
                    )


RULE = Rule(
    severity=Severity.WARNING,
    title="A metric without dimensions",
    why="These services publish their metrics per cluster, service or load balancer only. A metric without dimensions "
    "is "
    "another metric, and it has no data.",
    fix='Name them: ["AWS/ECS", "CPUUtilization", "ClusterName", "vision", "ServiceName", "api"].',
    source="https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/CloudWatch-Dashboard-Body-Structure.html",
    check=check,
    example=Example(
        file="dashboard.json",
        bad='{"widgets": [{"type": "metric", "properties": {"region": "us-east-1", "metrics": '
        '[["AWS/ECS", "CPUUtilization", {"stat": "Average"}]]}}]}',
        good='{"widgets": [{"type": "metric", "properties": {"region": "us-east-1", "metrics": '
        '[["AWS/ECS", "CPUUtilization", "ClusterName", "vision", "ServiceName", "api", {"stat": "Average"}]]}}]}',
    ),
)
