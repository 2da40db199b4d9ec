"""A resource label that is not one."""

import re
from collections.abc import Iterator

from inferfleet.deploy.lint import kinds
from inferfleet.deploy.lint.rule import Example, Match, Rule, Severity, Workspace

_LABEL = re.compile(r"app/[^/]+/[^/]+/targetgroup/[^/]+/[^/]+$")


def check(world: Workspace) -> Iterator[Match]:
    """Finds labels of ALBRequestCountPerTarget in another form than app/…/targetgroup/…."""
    for policy in world.of(kinds.SCALING_POLICY):
        tracking = policy.node["TargetTrackingScalingPolicyConfiguration"]
        metric = tracking["PredefinedMetricSpecification"]
        label = metric["ResourceLabel"]
        if metric["PredefinedMetricType"].text != "ALBRequestCountPerTarget":
            continue
        if not label:
            yield Match(metric.place, "ALBRequestCountPerTarget needs a ResourceLabel")
        elif not _LABEL.match(label.text) and (label.known or label.text.startswith(("loadbalancer/", "arn:"))):
            shown = label.text.replace("${name}", "NAME").replace("${id}", "ID")
            yield Match(
                label.place, f"the ResourceLabel reads {shown}; it must begin with app/ and not with loadbalancer/"
            )


RULE = Rule(
    severity=Severity.ERROR,
    title="A malformed ResourceLabel",
    why="The label joins the last part of both ARNs: app/NAME/ID/targetgroup/NAME/ID. Field 6 of a load balancer's ARN "
    "begins with loadbalancer/, and PutScalingPolicy refuses the label.",
    fix="Cut the ARN after loadbalancer/: ${ALB_ARN#*loadbalancer/}/${TG_ARN##*:}.",
    source="https://docs.aws.amazon.com/autoscaling/application/APIReference/API_PredefinedMetricSpecification.html",
    check=check,
    example=Example(
        file="scaling.json",
        bad="""
{"PolicyName": "requests", "ServiceNamespace": "ecs", "ResourceId": "service/vision/api",
 "ScalableDimension": "ecs:service:DesiredCount", "PolicyType": "TargetTrackingScaling",
 "TargetTrackingScalingPolicyConfiguration": {"TargetValue": 1000, "PredefinedMetricSpecification": {
   "PredefinedMetricType": "ALBRequestCountPerTarget",
   "ResourceLabel": "loadbalancer/app/api/0123456789abcdef/targetgroup/api/fedcba9876543210"}}}
""",
        good="""
{"PolicyName": "requests", "ServiceNamespace": "ecs", "ResourceId": "service/vision/api",
 "ScalableDimension": "ecs:service:DesiredCount", "PolicyType": "TargetTrackingScaling",
 "TargetTrackingScalingPolicyConfiguration": {"TargetValue": 1000, "PredefinedMetricSpecification": {
   "PredefinedMetricType": "ALBRequestCountPerTarget",
   "ResourceLabel": "app/api/0123456789abcdef/targetgroup/api/fedcba9876543210"}}}
""",
    ),
)
