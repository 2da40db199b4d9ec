"""The roles of a service: what its application may do, and what ECS may do for it."""

from __future__ import annotations

from collections.abc import Sequence

import aws_cdk as cdk
from aws_cdk import aws_iam as iam
from constructs import Construct, IConstruct

from inferfleet.config.fleet_service import Hook
from inferfleet.deploy.permissions import Statement
from inferfleet.deploy.stacks.nag import acknowledge, acknowledge_wildcards, managed_policy_rule

_SHIFTING_POLICY = "AmazonECSInfrastructureRolePolicyForLoadBalancers"


def tasks_role(scope: Construct, id: str, *, description: str, statements: Sequence[Statement]) -> iam.Role:
    """Makes a role that tasks of this account may take.

    Args:
        scope: Where it belongs.
        id: Its name there.
        description: What IAM shows.
        statements: What it allows.
    """
    role = iam.Role(scope, id, assumed_by=_service(scope, "ecs-tasks.amazonaws.com"), description=description)
    for statement in statements:
        role.add_to_policy(
            iam.PolicyStatement(sid=statement.sid, actions=list(statement.actions), resources=list(statement.resources))
        )
    acknowledge_wildcards(role, statements)
    return role


def policies_of(*roles: iam.Role) -> list[IConstruct]:
    """The policies of roles: a task that starts before them is refused what it needs."""
    policies = [role.node.try_find_child("DefaultPolicy") for role in roles]
    return [policy for policy in policies if policy is not None]


def shifting_role(scope: Construct) -> iam.Role:
    """Makes the role with which ECS shifts a load balancer's traffic between target groups."""
    role = iam.Role(
        scope,
        "ShiftingRole",
        assumed_by=_service(scope, "ecs.amazonaws.com"),
        description="With it ECS shifts traffic between target groups",
        managed_policies=[iam.ManagedPolicy.from_aws_managed_policy_name(_SHIFTING_POLICY)],
    )
    acknowledge(
        role,
        managed_policy_rule(_SHIFTING_POLICY),
        "AWS keeps this policy in step with what ECS calls to shift traffic; ECS alone may assume the role.",
    )
    return role


def hook_role(scope: Construct, hooks: Sequence[Hook]) -> iam.Role:
    """Makes the role with which ECS calls the functions that a deployment asks."""
    role = iam.Role(
        scope,
        "HookRole",
        assumed_by=_service(scope, "ecs.amazonaws.com"),
        description="With it ECS asks the functions of a deployment",
    )
    functions = list(dict.fromkeys(hook.function for hook in hooks))
    role.add_to_policy(iam.PolicyStatement(sid="AskHooks", actions=["lambda:InvokeFunction"], resources=functions))
    return role


def _service(scope: Construct, name: str) -> iam.ServicePrincipal:
    """The service, on behalf of this account only: another account's tasks or services cannot use the role."""
    mine = {"StringEquals": {"aws:SourceAccount": cdk.Stack.of(scope).account}}
    return iam.ServicePrincipal(name, conditions=mine)
