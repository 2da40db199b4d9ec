"""An alarm on a load balancer by a name that no metric has."""

from collections.abc import Iterator

from inferfleet.deploy.lint import kinds
from inferfleet.deploy.lint.rule import Example, Match, Rule, Severity, Workspace


def check(world: Workspace) -> Iterator[Match]:
    """Finds load balancer and target group dimensions in another form than CloudWatch's."""
    for alarm in world.of(kinds.ALARM):
        for dimension in alarm.node["Dimensions"]:
            name, value = dimension["Name"].text, dimension["Value"]
            wrong = value.text.startswith(("loadbalancer/", "arn:"))
            if name in ("LoadBalancer", "TargetGroup") and wrong:
                form = "app/NAME/ID" if name == "LoadBalancer" else "targetgroup/NAME/ID"
                shown = value.text.replace("${name}", "NAME").replace("${id}", "ID")
                yield Match(
                    value.place,
                    f"alarm {alarm.node['AlarmName'].text}: the dimension {name} reads {shown}, and metrics have "
                    f"{form}: "
                    "it never sees data",
                )


RULE = Rule(
    severity=Severity.WARNING,
    title="An alarm on a metric that does not exist",
    why="The LoadBalancer dimension is the last part of the ARN, app/NAME/ID. CloudWatch takes every name for a "
    "metric, "
    "so the alarm is made and stays in INSUFFICIENT_DATA.",
    fix="Cut the ARN after loadbalancer/.",
    source="https://docs.aws.amazon.com/elasticloadbalancing/latest/application/load-balancer-cloudwatch-metrics.html",
    check=check,
    example=Example(
        file="alarms.sh",
        bad="""
aws cloudwatch put-metric-alarm --alarm-name latency --metric-name TargetResponseTime --namespace AWS/ApplicationELB \\
  --statistic Average --period 60 --evaluation-periods 2 --threshold 1 --comparison-operator GreaterThanThreshold \\
  --treat-missing-data notBreaching --dimensions Name=LoadBalancer,Value=loadbalancer/app/api/0123456789abcdef
""",
        good="""
aws cloudwatch put-metric-alarm --alarm-name latency --metric-name TargetResponseTime --namespace AWS/ApplicationELB \\
  --statistic Average --period 60 --evaluation-periods 2 --threshold 1 --comparison-operator GreaterThanThreshold \\
  --treat-missing-data notBreaching --dimensions Name=LoadBalancer,Value=app/api/0123456789abcdef
""",
    ),
)
