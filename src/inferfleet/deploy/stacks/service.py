"""A service of a fleet: its roles, log group, task definition, load balancer and ECS service."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import aws_cdk as cdk
from aws_cdk import aws_ec2 as ec2
from aws_cdk import aws_ecs as ecs
from aws_cdk import aws_iam as iam
from aws_cdk import aws_logs as logs
from constructs import Construct, IConstruct

from inferfleet.deploy import configuration, permissions
from inferfleet.deploy import ecs as words
from inferfleet.deploy.permissions import Statement
from inferfleet.deploy.resolve import ResolvedFleet, ResolvedService
from inferfleet.deploy.stacks.balancer import ServiceBalancer
from inferfleet.deploy.stacks.base import FleetStack, output
from inferfleet.deploy.stacks.nag import acknowledge, acknowledge_wildcards
from inferfleet.deploy.stacks.network import FleetNetwork


class FleetService(Construct):
    """A service on ECS.

    Args:
        scope: The stack that it is in.
        id: Its name there.
        fleet: The fleet.
        service: The service.
        network: Where its tasks run.
        image: The image's URI, by digest.
        folder: Where `config` is.

    Attributes:
        task_role: The role of the application; grant it what the file does not say.
        execution_role: The role with which ECS starts tasks.
        group: The security group of the tasks.
        log_group: Where the output goes.
        balancer: The load balancer, where there is one.
        task_definition: The task definition.
        service: The ECS service.
    """

    def __init__(
        self, scope: Construct, id: str, *, fleet: ResolvedFleet, service: ResolvedService, network: FleetNetwork,
        image: str, folder: Path | None = None,
    ) -> None:  # fmt: skip
        super().__init__(scope, id)
        self.spec = service
        self.log_group = logs.LogGroup(
            self,
            "Logs",
            log_group_name=service.names.log_group,
            retention=_RETENTION[service.spec.logs.retention_days],
            removal_policy=cdk.RemovalPolicy.DESTROY,
        )
        self.task_role = _role(self, "TaskRole", "What the application may do", service, fleet)
        self.execution_role = _role(self, "ExecutionRole", "What ECS may do to start tasks", service, fleet)
        _grant(self.task_role, permissions.task_role(fleet, service, folder))
        _grant(self.execution_role, permissions.execution_role(fleet, service))
        self.group = ec2.SecurityGroup(self, "Group", vpc=network.vpc, description=f"Tasks of {service.key}")
        self.balancer = self._balancer(network)
        around = self._surroundings(network, image, configuration.variables(service, folder))
        definition = _arguments(words.task_definition(fleet, service, around))
        self.task_definition = ecs.CfnTaskDefinition(self, "TaskDefinition", **definition)
        self.task_definition.node.add_dependency(self.log_group, *_policies(self.execution_role, self.task_role))
        acknowledge(
            self.task_definition,
            "AwsSolutions-ECS2",
            "Its variables are settings; `secrets` come from Secrets Manager or Parameter Store by ARN.",
        )
        self.service = self._service(words.service_definition(fleet, service, around))

    def _balancer(self, network: FleetNetwork) -> ServiceBalancer | None:
        spec = self.spec.spec
        if spec.load_balancer is None:
            return None
        balancer = ServiceBalancer(
            self,
            "LoadBalancer",
            name=self.spec.names.load_balancer,
            settings=spec.load_balancer,
            network=network,
            port=spec.port,
            health_path=self.spec.ready_path,
            shifting=self.spec.strategy in words.SHIFTING,
        )
        self.group.connections.allow_from(balancer.group, ec2.Port.tcp(spec.port))
        return balancer

    def _surroundings(self, network: FleetNetwork, image: str, carried: Mapping[str, str]) -> words.Surroundings:
        balancer = self.balancer
        shifts = balancer is not None and balancer.alternate is not None
        return words.Surroundings(
            image=image,
            task_role=self.task_role.role_arn,
            execution_role=self.execution_role.role_arn,
            subnets=tuple(subnet.subnet_id for subnet in network.private),
            security_groups=(self.group.security_group_id,),
            target_group=balancer.targets.ref if balancer else "",
            alternate_target_group=balancer.alternate.ref if balancer and balancer.alternate else "",
            listener_rule=balancer.rule.ref if balancer else "",
            infrastructure_role=_shifting_role(self).role_arn if shifts else "",
            configuration=carried,
        )

    def _service(self, definition: dict[str, Any]) -> ecs.CfnService:
        definition |= {
            "taskDefinition": self.task_definition.ref,
            "placementStrategies": definition.pop("placementStrategy", None),
        }
        if self.spec.spec.scaling is not None:
            # The autoscaler owns the number: a deployment that names one would undo what it did.
            del definition["desiredCount"]
        service = ecs.CfnService(self, "Service", **_arguments(definition))
        if self.balancer is not None and self.balancer.alternate is None:
            # ECS wants the target group to have a load balancer; where traffic is shifted the service names the rule.
            service.node.add_dependency(self.balancer.rule)
        return service


def _role(scope: Construct, name: str, description: str, service: ResolvedService, fleet: ResolvedFleet) -> iam.Role:
    principal = iam.ServicePrincipal(
        "ecs-tasks.amazonaws.com", conditions={"StringEquals": {"aws:SourceAccount": cdk.Stack.of(scope).account}}
    )
    return iam.Role(
        scope, name, assumed_by=principal, description=f"{description} ({service.key} of {fleet.file.name})"
    )


def _shifting_role(scope: Construct) -> iam.Role:
    policy = "AmazonECSInfrastructureRolePolicyForLoadBalancers"
    role = iam.Role(
        scope,
        "ShiftingRole",
        assumed_by=iam.ServicePrincipal("ecs.amazonaws.com"),
        description="With it ECS shifts traffic between target groups",
        managed_policies=[iam.ManagedPolicy.from_aws_managed_policy_name(policy)],
    )
    acknowledge(
        role,
        f"AwsSolutions-IAM4[Policy::arn:<AWS::Partition>:iam::aws:policy/{policy}]",
        "AWS keeps this policy in step with what ECS calls to shift traffic; ECS alone may assume the role.",
    )
    return role


def _grant(role: iam.Role, statements: list[Statement]) -> None:
    for statement in statements:
        role.add_to_policy(
            iam.PolicyStatement(sid=statement.sid, actions=list(statement.actions), resources=list(statement.resources))
        )
    acknowledge_wildcards(role, statements)


def _policies(*roles: iam.Role) -> list[IConstruct]:
    """The policies of roles: a task that starts before them is refused what it needs."""
    policies = [role.node.try_find_child("DefaultPolicy") for role in roles]
    return [policy for policy in policies if policy is not None]


_RETENTION = {
    1: logs.RetentionDays.ONE_DAY, 3: logs.RetentionDays.THREE_DAYS, 5: logs.RetentionDays.FIVE_DAYS,
    7: logs.RetentionDays.ONE_WEEK, 14: logs.RetentionDays.TWO_WEEKS, 30: logs.RetentionDays.ONE_MONTH,
    60: logs.RetentionDays.TWO_MONTHS, 90: logs.RetentionDays.THREE_MONTHS, 120: logs.RetentionDays.FOUR_MONTHS,
    150: logs.RetentionDays.FIVE_MONTHS, 180: logs.RetentionDays.SIX_MONTHS, 365: logs.RetentionDays.ONE_YEAR,
    400: logs.RetentionDays.THIRTEEN_MONTHS, 545: logs.RetentionDays.EIGHTEEN_MONTHS,
    731: logs.RetentionDays.TWO_YEARS, 1827: logs.RetentionDays.FIVE_YEARS, 3653: logs.RetentionDays.TEN_YEARS,
}  # fmt: skip


def _arguments(definition: dict[str, Any]) -> dict[str, Any]:
    """Writes the keys of an API's input as the arguments of CDK's constructs; what is in them keeps its keys."""
    return {_snake(key): value for key, value in definition.items() if value is not None}


def _snake(key: str) -> str:
    return re.sub(r"(?<=[a-z])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])", "_", key).lower()


class ServiceStack(FleetStack):
    """A service of a fleet as a stack."""

    def __init__(
        self, scope: Construct, *, fleet: ResolvedFleet, service: ResolvedService, network: FleetNetwork | None,
        image: str, folder: Path | None,
    ) -> None:  # fmt: skip
        description = f"Service {service.key} of the fleet {fleet.file.name}"
        super().__init__(scope, service.key, fleet=fleet, description=description)
        network = network or FleetNetwork(self, "Network", settings=fleet.file.network)
        self.service = FleetService(
            self, "Service", fleet=fleet, service=service, network=network, image=image, folder=folder
        )
        output(self, "ClusterName", fleet.cluster, "The ECS cluster")
        output(self, "ServiceName", self.service.service.attr_name, "The ECS service")
        output(self, "TaskDefinitionArn", self.service.task_definition.ref, "Its task definition")
        output(self, "LogGroupName", self.service.log_group.log_group_name, "Where its output goes")
        if self.service.balancer is not None:
            balancer = self.service.balancer
            output(self, "LoadBalancerDnsName", balancer.balancer.load_balancer_dns_name, "The load balancer")
            output(self, "Url", balancer.url, "Where it answers")
