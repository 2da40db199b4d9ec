"""A service in the words of ECS: the inputs of RegisterTaskDefinition and CreateService.

The rendered files and the CDK stacks are both made from these, so that they cannot differ. What a service refers to
and does not own (roles, subnets, target groups) comes in as `Surroundings`: ARNs, CDK tokens, or `${NAMES}` to fill in.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from inferfleet.deploy import configuration
from inferfleet.deploy.resolve import ResolvedFleet, ResolvedService
from inferfleet.recovery.aws.settings import FENCE_ATTRIBUTE

SHIFTING = {"blue-green": "BLUE_GREEN", "canary": "CANARY", "linear": "LINEAR"}
"""The strategies that shift a load balancer's traffic between two target groups, as ECS names them."""

TRUST = {
    "Version": "2012-10-17",
    "Statement": [{"Effect": "Allow", "Principal": {"Service": "ecs-tasks.amazonaws.com"}, "Action": "sts:AssumeRole"}],
}
"""Who may assume the roles of a task."""

_COMPATIBILITY = {"fargate": "FARGATE", "ecs-ec2": "EC2", "ecs-managed": "MANAGED_INSTANCES"}


@dataclass(frozen=True, slots=True)
class Surroundings:
    """What a service refers to.

    Attributes:
        image: URI of its image.
        task_role: ARN of the role of its application.
        execution_role: ARN of the role with which ECS starts it.
        subnets: Ids.
        security_groups: Ids.
        target_group: ARN, where there is a load balancer.
        alternate_target_group: ARN of the second one, where traffic is shifted.
        listener_rule: ARN of the rule whose weights are shifted.
        infrastructure_role: ARN of the role with which ECS shifts.
        hook_role: ARN of the role with which ECS calls hooks.
        alarms: Names of alarms that roll a deployment back, beside those that the file names.
        configuration: The variables that carry its configuration.
    """

    image: str
    task_role: str
    execution_role: str
    subnets: tuple[str, ...]
    security_groups: tuple[str, ...]
    target_group: str = "${TARGET_GROUP_ARN}"
    alternate_target_group: str = "${ALTERNATE_TARGET_GROUP_ARN}"
    listener_rule: str = "${PRODUCTION_LISTENER_RULE_ARN}"
    infrastructure_role: str = "${INFRASTRUCTURE_ROLE_ARN}"
    hook_role: str = "${HOOK_ROLE_ARN}"
    alarms: tuple[str, ...] = ()
    configuration: Mapping[str, str] = field(default_factory=dict)


def unknown_surroundings(fleet: ResolvedFleet, service: ResolvedService, folder: Path | None) -> Surroundings:
    """Returns what is known before anything exists: names, and variables for the rest.

    Args:
        fleet: The fleet.
        service: The service.
        folder: Where `config` is; without it the configuration is left out.

    Raises:
        InputError: The configuration cannot be read.
    """
    network = fleet.file.network
    role = f"arn:aws:iam::{fleet.account}:role"
    return Surroundings(
        image=service.image,
        task_role=f"{role}/{service.names.task_role}",
        execution_role=f"{role}/{service.names.execution_role}",
        subnets=network.private_subnets or tuple(f"${{PRIVATE_SUBNET_{n}}}" for n in range(1, network.zones + 1)),
        security_groups=network.security_groups or ("${SECURITY_GROUP_ID}",),
        infrastructure_role=f"{role}/{service.key}-ecs-infrastructure-role",
        configuration=configuration.variables(service, folder),
    )


def task_definition(fleet: ResolvedFleet, service: ResolvedService, around: Surroundings) -> dict[str, Any]:
    """Returns the input of RegisterTaskDefinition, without tags."""
    return {
        "family": service.names.family,
        "networkMode": "awsvpc",
        "requiresCompatibilities": [_COMPATIBILITY[service.target]],
        "cpu": str(service.cpu),
        "memory": str(service.memory),
        "executionRoleArn": around.execution_role,
        "taskRoleArn": around.task_role,
        "runtimePlatform": {
            "operatingSystemFamily": "LINUX",
            "cpuArchitecture": "ARM64" if service.spec.architecture == "arm64" else "X86_64",
        },
        "containerDefinitions": [_container(fleet, service, around)],
    }


def _container(fleet: ResolvedFleet, service: ResolvedService, around: Surroundings) -> dict[str, Any]:
    spec = service.spec
    environment = {**service.environment, **around.configuration}
    container: dict[str, Any] = {
        "name": service.names.container,
        "image": around.image,
        "essential": True,
        "portMappings": [{"containerPort": spec.port, "protocol": "tcp", "name": "http"}],
        "environment": [{"name": name, "value": value} for name, value in environment.items()],
        "healthCheck": {
            "command": list(spec.health.command or _health_command(service)),
            "interval": spec.health.interval,
            "timeout": spec.health.timeout,
            "retries": spec.health.retries,
            "startPeriod": spec.health.start_period,
        },
        "logConfiguration": {
            "logDriver": "awslogs",
            "options": {
                "awslogs-group": service.names.log_group,
                "awslogs-region": fleet.region,
                "awslogs-stream-prefix": "ecs",
            },
        },
        "stopTimeout": spec.stop_seconds,
    }
    if service.command:
        container["command"] = list(service.command)
    if spec.secrets:
        container["secrets"] = [{"name": name, "valueFrom": arn} for name, arn in spec.secrets.items()]
    requirements = _gpu(service)
    if requirements:
        container["resourceRequirements"] = requirements
    if service.target != "fargate" or spec.exec:
        # Reaps what a shell of ECS Exec, or the application, leaves behind.
        container["linuxParameters"] = {"initProcessEnabled": True}
    return container


def _gpu(service: ResolvedService) -> list[dict[str, Any]]:
    if service.gpus:
        return [{"type": "GPU", "value": str(service.gpus)}]
    shared = service.shared_gpu
    if shared is None:
        return []
    part = {"nvidiaMps": {"memory": shared.memory, "maxComputePercent": shared.compute}}
    return [{"type": "GPU", "sharingStrategy": part}]


def _health_command(service: ResolvedService) -> tuple[str, ...]:
    """Asks by Python's own library, which raises on every status from 400: the images have no curl."""
    url = f"http://localhost:{service.spec.port}{service.health_path}"
    timeout = max(1, service.spec.health.timeout - 1)
    return ("CMD", "python", "-c", f"import urllib.request as u; u.urlopen('{url}', timeout={timeout})")


def service_definition(fleet: ResolvedFleet, service: ResolvedService, around: Surroundings) -> dict[str, Any]:
    """Returns the input of CreateService, without tags."""
    spec = service.spec
    network: dict[str, Any] = {"subnets": list(around.subnets), "securityGroups": list(around.security_groups)}
    if service.target == "fargate":
        network["assignPublicIp"] = "DISABLED"
    definition: dict[str, Any] = {
        "cluster": fleet.cluster,
        "serviceName": service.names.service,
        "taskDefinition": service.names.family,
        "desiredCount": service.count,
        "schedulingStrategy": "REPLICA",
        "capacityProviderStrategy": [
            {"capacityProvider": item.name, "weight": item.weight, "base": item.base}
            if item.base
            else {"capacityProvider": item.name, "weight": item.weight}
            for item in service.providers
        ],
        "networkConfiguration": {"awsvpcConfiguration": network},
        "deploymentController": {"type": "ECS"},
        "deploymentConfiguration": _deployment(service, around),
        "availabilityZoneRebalancing": "ENABLED" if _may_rebalance(service) else "DISABLED",
        "enableECSManagedTags": True,
        "propagateTags": "SERVICE",
        "enableExecuteCommand": spec.exec,
    }
    if spec.load_balancer is not None:
        definition["loadBalancers"] = [_load_balancer(service, around)]
        definition["healthCheckGracePeriodSeconds"] = spec.health.start_period
    if service.target == "ecs-ec2":
        definition["placementStrategy"] = [
            {"type": "spread", "field": "attribute:ecs.availability-zone"},
            {"type": "spread", "field": "instanceId"},
        ]
        if fleet.file.recovery is not None:
            unfenced = f"attribute:{FENCE_ATTRIBUTE} !exists"
            definition["placementConstraints"] = [{"type": "memberOf", "expression": unfenced}]
    return definition


def _may_rebalance(service: ResolvedService) -> bool:
    """Balancing starts a task before it stops one: that needs a spare GPU, room above 100 %, and stands two readers."""
    scarce = service.gpus or service.shared_gpu or service.strategy == "recreate"
    return not scarce and service.maximum > 100  # noqa: PLR2004


def _deployment(service: ResolvedService, around: Surroundings) -> dict[str, Any]:
    """How a version takes over. The circuit breaker works for every strategy of the ECS controller.

    Terraform's acceptance tests, which run against AWS, have blue/green deployments that it rolls back, though
    the API's reference still says that it is for rolling updates.
    """
    spec = service.spec.deployment
    settings: dict[str, Any] = {
        "minimumHealthyPercent": service.minimum,
        "maximumPercent": service.maximum,
    }
    strategy = SHIFTING.get(service.strategy)
    settings["strategy"] = strategy or "ROLLING"
    settings["deploymentCircuitBreaker"] = {"enable": True, "rollback": True}
    if strategy is not None:
        settings["bakeTimeInMinutes"] = spec.bake_minutes
    if strategy == "CANARY":
        settings["canaryConfiguration"] = {
            "canaryPercent": spec.canary_percent, "canaryBakeTimeInMinutes": spec.step_minutes,
        }  # fmt: skip
    if strategy == "LINEAR":
        settings["linearConfiguration"] = {
            "stepPercent": spec.step_percent, "stepBakeTimeInMinutes": spec.step_minutes,
        }  # fmt: skip
    alarms = [*spec.alarms, *around.alarms]
    if alarms:
        settings["alarms"] = {"alarmNames": alarms, "enable": True, "rollback": True}
    if spec.hooks and strategy is not None:
        settings["lifecycleHooks"] = [
            {"hookTargetArn": hook.function, "roleArn": around.hook_role, "lifecycleStages": list(hook.stages)}
            for hook in spec.hooks
        ]
    return settings


def _load_balancer(service: ResolvedService, around: Surroundings) -> dict[str, Any]:
    balancer: dict[str, Any] = {
        "targetGroupArn": around.target_group,
        "containerName": service.names.container,
        "containerPort": service.spec.port,
    }
    if service.strategy in SHIFTING:
        balancer["advancedConfiguration"] = {
            "alternateTargetGroupArn": around.alternate_target_group,
            "productionListenerRule": around.listener_rule,
            "roleArn": around.infrastructure_role,
        }
    return balancer
