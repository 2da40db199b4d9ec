"""Scaling that goes to zero and does not come back."""

from collections.abc import Iterator

from inferfleet.deploy.lint import kinds
from inferfleet.deploy.lint.node import Node
from inferfleet.deploy.lint.rule import Example, Match, Rule, Severity, Workspace

_FROM_TASKS = ("ECSServiceAverageCPUUtilization", "ECSServiceAverageMemoryUtilization")


def check(world: Workspace) -> Iterator[Match]:
    """Finds a minimum of 0 for services that scale on their own tasks' load alone."""
    policies: dict[str, list[str]] = {}
    for policy in world.of(kinds.SCALING_POLICY):
        metric = policy.node["TargetTrackingScalingPolicyConfiguration"]["PredefinedMetricSpecification"]
        policies.setdefault(policy.node["ResourceId"].text, []).append(metric["PredefinedMetricType"].text)
    for resource, minimum in _minimums(world):
        metrics = policies.get(resource, [])
        if minimum.number == 0 and metrics and all(metric in _FROM_TASKS for metric in metrics):
            yield Match(
                minimum.place,
                f"{resource} may scale to 0 tasks, and then has no {metrics[0]} to scale out on: it stays at 0",
            )


def _minimums(world: Workspace) -> Iterator[tuple[str, Node]]:
    for target in world.of(kinds.SCALABLE_TARGET):
        yield target.node["ResourceId"].text, target.node["MinCapacity"]
    for action in world.of(kinds.SCHEDULED_ACTION):
        yield action.node["ResourceId"].text, action.node["ScalableTargetAction"]["MinCapacity"]


RULE = Rule(
    severity=Severity.WARNING,
    title="Zero tasks have no load to scale on",
    why="CPU and memory of a service are measured in its tasks. With none there is no data, and target tracking does "
    "nothing without data.",
    fix="Keep one task, or scale on something outside of the service: requests, a queue, a schedule that sets the "
    "minimum.",
    source="https://docs.aws.amazon.com/AmazonECS/latest/developerguide/service-autoscaling-targettracking.html",
    check=check,
    example=Example(
        file="scaling.sh",
        bad="""
aws application-autoscaling register-scalable-target --service-namespace ecs --resource-id service/vision/api \\
  --scalable-dimension ecs:service:DesiredCount --min-capacity 0 --max-capacity 10
aws application-autoscaling put-scaling-policy --policy-name cpu --service-namespace ecs \\
  --resource-id service/vision/api \\
  --scalable-dimension ecs:service:DesiredCount --policy-type TargetTrackingScaling \\
  --target-tracking-scaling-policy-configuration \\
  'TargetValue=70,PredefinedMetricSpecification={PredefinedMetricType=ECSServiceAverageCPUUtilization}'
""",
        good="""
aws application-autoscaling register-scalable-target --service-namespace ecs --resource-id service/vision/api \\
  --scalable-dimension ecs:service:DesiredCount --min-capacity 1 --max-capacity 10
aws application-autoscaling put-scaling-policy --policy-name cpu --service-namespace ecs \\
  --resource-id service/vision/api \\
  --scalable-dimension ecs:service:DesiredCount --policy-type TargetTrackingScaling \\
  --target-tracking-scaling-policy-configuration \\
  'TargetValue=70,PredefinedMetricSpecification={PredefinedMetricType=ECSServiceAverageCPUUtilization}'
""",
    ),
)
