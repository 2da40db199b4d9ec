"""A clean-up that leaves behind what the same script made."""

from collections.abc import Iterator

from inferfleet.deploy.lint.rule import Example, Match, Rule, Severity, Workspace

_PAIRS = {
    "application-autoscaling:RegisterScalableTarget": (
        "application-autoscaling:DeregisterScalableTarget",
        "scalable targets",
    ),
    "iam:CreateRole": ("iam:DeleteRole", "roles"),
    "logs:CreateLogGroup": ("logs:DeleteLogGroup", "log groups"),
    "cloudwatch:PutMetricAlarm": ("cloudwatch:DeleteAlarms", "alarms"),
    "cloudwatch:PutDashboard": ("cloudwatch:DeleteDashboards", "dashboards"),
    "sns:CreateTopic": ("sns:DeleteTopic", "topics"),
    "ec2:CreateSecurityGroup": ("ec2:DeleteSecurityGroup", "security groups"),
    "ec2:CreateVpc": ("ec2:DeleteVpc", "VPCs"),
    "elbv2:CreateLoadBalancer": ("elbv2:DeleteLoadBalancer", "load balancers"),
    "elbv2:CreateTargetGroup": ("elbv2:DeleteTargetGroup", "target groups"),
}


def check(world: Workspace) -> Iterator[Match]:
    """Finds scripts that delete their cluster, and not all that they made."""
    for document in world.scripts:
        names = {call.name for call in document.script.calls}
        ends = document.script.call("ecs:DeleteCluster", "ecs:DeleteService")
        left = [what for made, (deleted, what) in _PAIRS.items() if made in names and deleted not in names]
        if ends and left:
            yield Match(ends[0].place, f"the clean-up leaves {', '.join(left)} behind")


RULE = Rule(
    severity=Severity.WARNING,
    title="The clean-up leaves things behind",
    why="What stays is paid for, or is in the way of the next run: names are taken, alarms fire for a service that is "
    "gone.",
    fix="Delete in reverse order whatever was created, or use one CloudFormation stack, which knows what is in it.",
    source="https://docs.aws.amazon.com/AmazonECS/latest/developerguide/delete-service-v2.html",
    check=check,
    example=Example(
        file="clean.sh",
        bad="aws logs create-log-group --log-group-name /ecs/api\n"
        "aws ecs delete-service --cluster vision --service api --force\n",
        good="aws logs create-log-group --log-group-name /ecs/api\n"
        "aws ecs delete-service --cluster vision --service api --force\naws logs delete-log-group --log-group-name "
        "/ecs/api\n",
    ),
)
