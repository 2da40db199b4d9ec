"""What recovery may do in an account: one policy for its Lambdas, one for the node agent, each action with its reason.

No `ssm:SendCommand`: a root shell on the fleet is not needed for a reboot. What harms an instance requires that the
instance carries recovery's tag.
"""

from dataclasses import dataclass
from typing import Any

from inferfleet.recovery.aws.settings import BOOT_ATTRIBUTE, EVIDENCE_ATTRIBUTE, MANAGED_TAG, Settings


@dataclass(frozen=True, slots=True)
class Grant:
    """Some actions on some resources, and why."""

    why: str
    actions: tuple[str, ...]
    resources: tuple[str, ...]
    condition: dict[str, Any] | None = None


@dataclass(frozen=True, slots=True)
class Scope:
    """Where recovery works.

    Attributes:
        task_roles: ARNs of the roles that the diagnosis and the jobs run with; passing any other is denied.
        log_group: ARN of the diagnosis's log group, without `:*`.
    """

    account: str
    region: str
    settings: Settings
    task_roles: tuple[str, ...]
    log_group: str
    partition: str = "aws"

    def arn(self, service: str, resource: str) -> str:
        """An ARN in this account and region."""
        return f"arn:{self.partition}:{service}:{self.region}:{self.account}:{resource}"


def lambda_grants(scope: Scope) -> tuple[Grant, ...]:
    """What the Lambdas need."""
    settings = scope.settings
    here = {"ArnEquals": {"ecs:cluster": scope.arn("ecs", f"cluster/{settings.cluster}")}}
    tagged = {"StringEquals": {f"aws:ResourceTag/{MANAGED_TAG}": settings.cluster}}
    names = (
        settings.task_table,
        settings.job_table,
        settings.node_table,
        settings.incident_table,
        settings.intent_table,
    )
    tables = tuple(scope.arn("dynamodb", f"table/{name}") for name in names)
    instances = scope.arn("ecs", f"container-instance/{settings.cluster}/*")
    tasks = scope.arn("ecs", f"task/{settings.cluster}/*")
    return (
        Grant(
            "the truth is kept in these tables",
            ("dynamodb:ConditionCheckItem", "dynamodb:GetItem", "dynamodb:PutItem", "dynamodb:Query", "dynamodb:Scan"),
            (*tables, *(f"{table}/index/*" for table in tables)),
        ),
        Grant(
            "to see what runs where",
            ("ecs:DescribeTasks", "ecs:ListTasks", "ecs:DescribeContainerInstances"),
            (tasks, instances),
            here,
        ),
        Grant(
            "to list nodes; ListContainerInstances takes the cluster as its resource",
            ("ecs:ListContainerInstances",),
            (scope.arn("ecs", f"cluster/{settings.cluster}"),),
        ),
        Grant("to find the diagnosis's log; takes no resource", ("ecs:DescribeTaskDefinition",), ("*",)),
        Grant("to start diagnoses and gangs", ("ecs:RunTask",), (scope.arn("ecs", "task-definition/*"),), here),
        Grant(
            "to give a job's tasks the tags of their definition",
            ("ecs:TagResource",),
            (tasks,),
            {"StringEquals": {"ecs:CreateAction": "RunTask"}},
        ),
        Grant("to stop what is left of a gang", ("ecs:StopTask",), (tasks,), here),
        Grant(
            "to fence and unfence, and to move services' tasks off a node",
            ("ecs:PutAttributes", "ecs:DeleteAttributes", "ecs:UpdateContainerInstancesState"),
            (instances,),
            here,
        ),
        Grant(
            "to start tasks with their own roles",
            ("iam:PassRole",),
            scope.task_roles,
            {"StringEquals": {"iam:PassedToService": "ecs-tasks.amazonaws.com"}},
        ),
        Grant("to reboot, only what is tagged", ("ec2:RebootInstances",), (scope.arn("ec2", "instance/*"),), tagged),
        Grant(
            "to see status checks and scheduled events; these take no resource",
            ("ec2:DescribeInstanceStatus", "autoscaling:DescribeAutoScalingInstances"),
            ("*",),
        ),
        Grant(
            "to keep an Auto Scaling group from replacing a rebooting node, and to replace a broken one",
            (
                "autoscaling:EnterStandby",
                "autoscaling:ExitStandby",
                "autoscaling:TerminateInstanceInAutoScalingGroup",
            ),
            (scope.arn("autoscaling", "autoScalingGroup:*:autoScalingGroupName/*"),),
            tagged,
        ),
        Grant("to read diagnoses", ("logs:GetLogEvents",), (f"{scope.log_group}:log-stream:*",)),
        Grant("to call a person", ("sns:Publish",), (settings.topic,)),
    )


def agent_grants(scope: Scope) -> tuple[Grant, ...]:
    """What the node agent needs."""
    bus = scope.arn("events", "event-bus/default")
    instances = scope.arn("ecs", f"container-instance/{scope.settings.cluster}/*")
    here = {"ArnEquals": {"ecs:cluster": scope.arn("ecs", f"cluster/{scope.settings.cluster}")}}
    return (
        Grant(
            "to report findings",
            ("events:PutEvents",),
            (bus,),
            {"StringEquals": {"events:source": "inferfleet.recovery"}},
        ),
        Grant(
            f"to pin {BOOT_ATTRIBUTE} and {EVIDENCE_ATTRIBUTE} to its instance",
            ("ecs:PutAttributes", "ecs:DeleteAttributes"),
            (instances,),
            here,
        ),
    )


def policy(grants: tuple[Grant, ...]) -> dict[str, Any]:
    """An IAM policy document."""
    return {
        "Version": "2012-10-17",
        "Statement": [
            {
                "Effect": "Allow",
                "Action": list(grant.actions),
                "Resource": list(grant.resources),
                **({"Condition": grant.condition} if grant.condition else {}),
            }
            for grant in grants
        ],
    }
