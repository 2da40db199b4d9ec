"""A service of a fleet: its roles, log group, task definition, load balancer and ECS service."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import aws_cdk as cdk
from aws_cdk import aws_ec2 as ec2
from aws_cdk import aws_ecs as ecs
from aws_cdk import aws_logs as logs
from constructs import Construct

from inferfleet.deploy import configuration, permissions
from inferfleet.deploy import ecs as words
from inferfleet.deploy.resolve import UNKNOWN_ACCOUNT, ResolvedFleet, ResolvedService
from inferfleet.deploy.stacks.balancer import ServiceBalancer
from inferfleet.deploy.stacks.base import FleetStack, at_home, output
from inferfleet.deploy.stacks.nag import acknowledge
from inferfleet.deploy.stacks.network import FleetNetwork
from inferfleet.deploy.stacks.observability_metrics import alarm_name
from inferfleet.deploy.stacks.roles import hook_role, policies_of, shifting_role, tasks_role
from inferfleet.deploy.stacks.rollback import RollbackAlarm
from inferfleet.deploy.stacks.scaling import ServiceScaling


class FleetService(Construct):
    """A service on ECS.

    Args:
        scope: The stack that it is in.
        id: Its name there.
        fleet: The fleet.
        service: The service.
        network: Where its tasks run.
        image: The image's URI, by digest; what the file says when left out.
        folder: Where `config` is; without it no configuration goes along.

    Attributes:
        spec: The service.
        task_role: The role of the application; grant it what the file does not say.
        execution_role: The role with which ECS starts tasks.
        groups: The security groups of the tasks.
        log_group: Where the output goes.
        balancer: The load balancer, where there is one.
        rollback: The alarm that takes deployments back, where there is one.
        task_definition: The task definition.
        service: The ECS service.
        scaling: What follows the load, where the file says so.
    """

    def __init__(
        self, scope: Construct, id: str, *, fleet: ResolvedFleet, service: ResolvedService, network: FleetNetwork,
        image: str | None = None, folder: Path | None = None,
    ) -> None:  # fmt: skip
        super().__init__(scope, id)
        fleet = at_home(fleet)
        image = image or service.image.replace(UNKNOWN_ACCOUNT, cdk.Aws.ACCOUNT_ID)
        self.spec = service = replace(service, image=image)
        self.log_group = logs.LogGroup(
            self,
            "Logs",
            log_group_name=service.names.log_group,
            retention=_RETENTION[service.spec.logs.retention_days],
            removal_policy=cdk.RemovalPolicy.DESTROY,
        )
        self.task_role = tasks_role(
            self,
            "TaskRole",
            description=f"What {service.key} of {fleet.file.name} may do",
            statements=permissions.task_role(fleet, service, folder),
        )
        self.execution_role = tasks_role(
            self,
            "ExecutionRole",
            description=f"What ECS may do to start {service.key} of {fleet.file.name}",
            statements=permissions.execution_role(fleet, service),
        )
        self.groups = self._groups(network)
        self.balancer = self._balancer(network)
        self.rollback = self._rollback(fleet)
        hooks = service.spec.deployment.hooks if service.strategy in words.SHIFTING else ()
        self._hook_role = hook_role(self, hooks) if hooks else None
        around = self._surroundings(network, configuration.variables(service, folder))
        self.task_definition = self._task_definition(words.task_definition(fleet, service, around))
        self.service = self._service(words.service_definition(fleet, service, around))
        self.scaling: ServiceScaling | None = None
        if service.spec.scaling is not None:
            self.scaling = ServiceScaling(
                self, "Scaling", fleet=fleet, service=service, running=self.service, balancer=self.balancer
            )

    def _groups(self, network: FleetNetwork) -> list[ec2.ISecurityGroup]:
        if network.task_groups:
            return list(network.task_groups)
        group = ec2.SecurityGroup(self, "Group", vpc=network.vpc, description=f"Tasks of {self.spec.key}")
        network.let_in(group, f"tasks of {self.spec.key}")
        return [group]

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
        for group in self.groups:
            group.connections.allow_from(balancer.group, ec2.Port.tcp(spec.port), "the load balancer")
        return balancer

    def _rollback(self, fleet: ResolvedFleet) -> RollbackAlarm | None:
        """An alarm of its own for whoever names none; with recreate there is an outage anyway."""
        if self.balancer is None or self.spec.spec.deployment.alarms or self.spec.strategy == "recreate":
            return None
        name = alarm_name(fleet, self.spec.key, "deployment")
        full_name = self.balancer.balancer.load_balancer_full_name
        return RollbackAlarm(self, "Rollback", name=name, load_balancer=full_name)

    def _surroundings(self, network: FleetNetwork, carried: Mapping[str, str]) -> words.Surroundings:
        balancer = self.balancer
        shifts = self.spec.strategy in words.SHIFTING
        return words.Surroundings(
            image=self.spec.image,
            task_role=self.task_role.role_arn,
            execution_role=self.execution_role.role_arn,
            subnets=tuple(subnet.subnet_id for subnet in network.private),
            security_groups=tuple(group.security_group_id for group in self.groups),
            target_group=balancer.targets.ref if balancer else "",
            alternate_target_group=balancer.alternate.ref if balancer and balancer.alternate else "",
            listener_rule=balancer.rule.ref if balancer else "",
            infrastructure_role=shifting_role(self).role_arn if shifts else "",
            hook_role=self._hook_role.role_arn if self._hook_role else "",
            alarms=(self.rollback.alarm.alarm_name,) if self.rollback else (),
            configuration=carried,
        )

    def _task_definition(self, definition: dict[str, Any]) -> ecs.CfnTaskDefinition:
        part = self._part_of_a_gpu(definition)
        resource = ecs.CfnTaskDefinition(self, "TaskDefinition", **_arguments(definition))
        if part is not None:
            # CDK knows whole GPUs only, and wants their number.
            requirement = "ContainerDefinitions.0.ResourceRequirements.0"
            resource.add_property_override(f"{requirement}.SharingStrategy", part)
            resource.add_property_deletion_override(f"{requirement}.Value")
            for rule in ("CloudFormation-Validate::F3002", "CloudFormation-Validate::F3003"):
                acknowledge(resource, rule, "A part of a GPU is asked for instead of a number; CDK's schema is older.")
        resource.node.add_dependency(self.log_group, *policies_of(self.execution_role, self.task_role))
        acknowledge(
            resource,
            "AwsSolutions-ECS2",
            "Its variables are settings; `secrets` come from Secrets Manager or Parameter Store by ARN.",
        )
        return resource

    def _part_of_a_gpu(self, definition: dict[str, Any]) -> dict[str, Any] | None:
        """Takes the part of a GPU out of a definition, in CloudFormation's words."""
        if self.spec.shared_gpu is None:
            return None
        (requirement,) = definition["containerDefinitions"][0]["resourceRequirements"]
        requirement["value"] = ""
        part = requirement.pop("sharingStrategy")["nvidiaMps"]
        return {"NvidiaMps": {"Memory": part["memory"], "MaxComputePercent": part["maxComputePercent"]}}

    def _service(self, definition: dict[str, Any]) -> ecs.CfnService:
        definition |= {
            "taskDefinition": self.task_definition.ref,
            "placementStrategies": definition.pop("placementStrategy", None),
        }
        if self.spec.spec.scaling is not None:
            # The autoscaler owns the number: a deployment that names one would undo what it did.
            del definition["desiredCount"]
        service = ecs.CfnService(self, "Service", **_arguments(definition))
        if self._hook_role is not None:
            service.node.add_dependency(*policies_of(self._hook_role))
        if self.balancer is not None and self.balancer.alternate is None:
            # ECS wants the target group to have a load balancer; where traffic is shifted the service names the rule.
            service.node.add_dependency(self.balancer.rule)
        return service


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
    """A service of a fleet as a stack.

    Attributes:
        service: The service.
        alarm_names: The names of the alarms that were added to it.
    """

    def __init__(
        self, scope: Construct, *, fleet: ResolvedFleet, service: ResolvedService, network: FleetNetwork | None,
        image: str, folder: Path | None,
    ) -> None:  # fmt: skip
        description = f"Service {service.key} of the fleet {fleet.file.name}"
        super().__init__(scope, service.key, fleet=fleet, description=description)
        self.alarm_names: list[str] = []
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
            if balancer.logs is not None:
                output(self, "AccessLogsBucket", balancer.logs.bucket_name, "Access logs; empty it to delete the stack")
