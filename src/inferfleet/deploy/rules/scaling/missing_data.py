"""An alarm that says nothing of missing data."""

from collections.abc import Iterator

from inferfleet.deploy.lint import kinds
from inferfleet.deploy.lint.rule import Example, Match, Rule, Severity, Workspace


def check(world: Workspace) -> Iterator[Match]:
    """Finds alarms without TreatMissingData."""
    for alarm in world.of(kinds.ALARM):
        treatment = alarm.node["TreatMissingData"]
        below = alarm.node["ComparisonOperator"].text.startswith("LessThan")
        name = alarm.node["AlarmName"].text or alarm.name
        if not treatment and below:
            message = f"alarm {name} waits for too little, and no data at all does not raise it: set breaching"
            yield Match(alarm.place, message)
        elif not treatment:
            yield Match(
                alarm.place, f"alarm {name} goes to INSUFFICIENT_DATA when nothing is reported; say what that means"
            )


RULE = Rule(
    severity=Severity.NOTE,
    title="Missing data has no meaning",
    why="A service with no tasks reports nothing. By default the alarm then keeps its state or has insufficient data: "
    "the one that shall say that nothing runs stays silent.",
    fix="Set TreatMissingData: breaching where silence is the failure, notBreaching where it is peace.",
    source="https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/alarms-and-missing-data.html",
    check=check,
    example=Example(
        file="alarms.sh",
        bad="""
aws cloudwatch put-metric-alarm --alarm-name no-tasks --metric-name RunningTaskCount \\
  --namespace ECS/ContainerInsights --statistic Average --period 60 --evaluation-periods 2 \\
  --threshold 1 --comparison-operator LessThanThreshold \\
  --dimensions Name=ClusterName,Value=vision Name=ServiceName,Value=api
""",
        good="""
aws cloudwatch put-metric-alarm --alarm-name no-tasks --metric-name RunningTaskCount \\
  --namespace ECS/ContainerInsights --statistic Average --period 60 --evaluation-periods 2 \\
  --threshold 1 --comparison-operator LessThanThreshold \\
  --dimensions Name=ClusterName,Value=vision Name=ServiceName,Value=api --treat-missing-data breaching
""",
    ),
)
