"""A fleet as the JSON that `aws ecs` and `aws iam` take, with a comment file that says why each permission is there."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

from inferfleet.deploy import permissions
from inferfleet.deploy.permissions import Statement
from inferfleet.deploy.resolve import ResolvedFleet, ResolvedService
from inferfleet.errors import InputError

_STRATEGIES = {"blue-green": "BLUE_GREEN", "canary": "CANARY", "linear": "LINEAR"}
_COMPATIBILITY = {"fargate": "FARGATE", "ecs-ec2": "EC2", "ecs-managed": "MANAGED_INSTANCES"}
_VARIABLE = re.compile(r"\$\{(\w+)\}")
_TRUST = {
    "Version": "2012-10-17",
    "Statement": [{"Effect": "Allow", "Principal": {"Service": "ecs-tasks.amazonaws.com"}, "Action": "sts:AssumeRole"}],
}


def files(fleet: ResolvedFleet, folder: Path | None) -> dict[str, str]:
    """Renders every ECS service of a fleet; a fleet with one has its files at the top, with the names of old.

    Raises:
        InputError: The fleet has no service for ECS, or a configuration cannot be read.
    """
    services = [service for service in fleet.services if service.target != "eks"]
    if not services:
        raise InputError(f"fleet {fleet.file.name} has no service that runs on ECS; add one under `services`")
    rendered: dict[str, str] = {}
    for service in services:
        prefix = "" if len(services) == 1 else f"{service.key}/"
        for name, text in _service_files(fleet, service, folder).items():
            rendered[prefix + name] = text
    rendered[".env.example"] = _environment_file(rendered)
    rendered["README.md"] = _readme(fleet, services)
    return rendered


def _service_files(fleet: ResolvedFleet, service: ResolvedService, folder: Path | None) -> dict[str, str]:
    task_role = permissions.task_role(fleet, service, folder)
    execution_role = permissions.execution_role(fleet, service)
    rendered = {
        "ecs-task-def.json": _text(task_definition(fleet, service)),
        "ecs-service.json": _text(service_definition(fleet, service)),
        "iam-execution-role.json": _text(permissions.policy(execution_role)),
        "iam-trust-policy.json": _text(_TRUST),
        "iam-roles.md": _reasons(service, task_role, execution_role),
    }
    if task_role:
        rendered["iam-task-role.json"] = _text(permissions.policy(task_role))
    return rendered


def task_definition(fleet: ResolvedFleet, service: ResolvedService) -> dict[str, Any]:
    """Returns the input of RegisterTaskDefinition."""
    definition: dict[str, Any] = {
        "family": service.names.family,
        "networkMode": "awsvpc",
        "requiresCompatibilities": [_COMPATIBILITY[service.target]],
        "cpu": str(service.cpu),
        "memory": str(service.memory),
        "executionRoleArn": f"arn:aws:iam::{fleet.account}:role/{service.names.execution_role}",
        "taskRoleArn": f"arn:aws:iam::{fleet.account}:role/{service.names.task_role}",
        "runtimePlatform": {
            "operatingSystemFamily": "LINUX",
            "cpuArchitecture": "ARM64" if service.spec.architecture == "arm64" else "X86_64",
        },
        "containerDefinitions": [_container(fleet, service)],
    }
    if fleet.file.tags:
        definition["tags"] = _tags(fleet)
    return definition


def _container(fleet: ResolvedFleet, service: ResolvedService) -> dict[str, Any]:
    spec = service.spec
    container: dict[str, Any] = {
        "name": service.names.container,
        "image": service.image,
        "essential": True,
        "portMappings": [{"containerPort": spec.port, "protocol": "tcp", "name": "http"}],
        "environment": [{"name": name, "value": value} for name, value in service.environment.items()],
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


def service_definition(fleet: ResolvedFleet, service: ResolvedService) -> dict[str, Any]:
    """Returns the input of CreateService."""
    spec = service.spec
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
        "networkConfiguration": {"awsvpcConfiguration": _network(fleet, service)},
        "deploymentController": {"type": "ECS"},
        "deploymentConfiguration": _deployment(service),
        # Balancing starts a task before it stops one: a spare GPU, and two readers of one stream.
        "availabilityZoneRebalancing": "DISABLED" if _is_scarce(service) else "ENABLED",
        "enableECSManagedTags": True,
        "propagateTags": "SERVICE",
        "enableExecuteCommand": spec.exec,
    }
    if spec.load_balancer is not None:
        definition["loadBalancers"] = [_load_balancer(fleet, service)]
        definition["healthCheckGracePeriodSeconds"] = spec.health.start_period
    if service.target == "ecs-ec2":
        definition["placementStrategy"] = [
            {"type": "spread", "field": "attribute:ecs.availability-zone"},
            {"type": "spread", "field": "instanceId"},
        ]
    if fleet.file.tags:
        definition["tags"] = _tags(fleet)
    return definition


def _is_scarce(service: ResolvedService) -> bool:
    return bool(service.gpus or service.shared_gpu or service.strategy == "recreate")


def _network(fleet: ResolvedFleet, service: ResolvedService) -> dict[str, Any]:
    network = fleet.file.network
    subnets = list(network.private_subnets) or [f"${{PRIVATE_SUBNET_{n}}}" for n in range(1, network.zones + 1)]
    groups = list(network.security_groups) or ["${SECURITY_GROUP_ID}"]
    settings: dict[str, Any] = {"subnets": subnets, "securityGroups": groups}
    if service.target == "fargate":
        settings["assignPublicIp"] = "DISABLED"
    return settings


def _deployment(service: ResolvedService) -> dict[str, Any]:
    spec = service.spec.deployment
    configuration: dict[str, Any] = {
        "minimumHealthyPercent": service.minimum,
        "maximumPercent": service.maximum,
    }
    strategy = _STRATEGIES.get(service.strategy)
    configuration["strategy"] = strategy or "ROLLING"
    if strategy is None:
        configuration["deploymentCircuitBreaker"] = {"enable": True, "rollback": True}
    else:
        configuration["bakeTimeInMinutes"] = spec.bake_minutes
    if strategy == "CANARY":
        configuration["canaryConfiguration"] = {
            "canaryPercent": spec.canary_percent, "canaryBakeTimeInMinutes": spec.step_minutes,
        }  # fmt: skip
    if strategy == "LINEAR":
        configuration["linearConfiguration"] = {
            "stepPercent": spec.step_percent, "stepBakeTimeInMinutes": spec.step_minutes,
        }  # fmt: skip
    if spec.alarms:
        configuration["alarms"] = {"alarmNames": list(spec.alarms), "enable": True, "rollback": True}
    if spec.hooks and strategy is not None:
        configuration["lifecycleHooks"] = [
            {"hookTargetArn": hook.function, "roleArn": "${HOOK_ROLE_ARN}", "lifecycleStages": list(hook.stages)}
            for hook in spec.hooks
        ]
    return configuration


def _load_balancer(fleet: ResolvedFleet, service: ResolvedService) -> dict[str, Any]:
    balancer: dict[str, Any] = {
        "targetGroupArn": "${TARGET_GROUP_ARN}",
        "containerName": service.names.container,
        "containerPort": service.spec.port,
    }
    if service.strategy in _STRATEGIES:
        balancer["advancedConfiguration"] = {
            "alternateTargetGroupArn": "${ALTERNATE_TARGET_GROUP_ARN}",
            "productionListenerRule": "${PRODUCTION_LISTENER_RULE_ARN}",
            "roleArn": f"arn:aws:iam::{fleet.account}:role/{service.key}-ecs-infrastructure-role",
        }
    return balancer


def _tags(fleet: ResolvedFleet) -> list[dict[str, str]]:
    return [{"key": key, "value": value} for key, value in fleet.file.tags.items()]


def _text(data: Any) -> str:
    return json.dumps(data, indent=2) + "\n"


def _reasons(service: ResolvedService, task: list[Statement], execution: list[Statement]) -> str:
    """Says why each statement is there; IAM's JSON has no comments."""
    lines = [f"# Why the roles of {service.key} allow what they allow", ""]
    for title, name, statements in (
        ("Task role", service.names.task_role, task),
        ("Execution role", service.names.execution_role, execution),
    ):
        lines += [f"## {title} `{name}`", ""]
        if not statements:
            lines += ["The application calls no AWS service, so the role needs no policy.", ""]
        for statement in statements:
            on = ", ".join(f"`{resource}`" for resource in statement.resources)
            lines += [f"- **{statement.sid}**: {statement.why}.", f"  On {on}.", ""]
    return "\n".join(lines).rstrip() + "\n"


_MEANINGS = {
    "AWS_ACCOUNT_ID": "12-digit account id",
    "IMAGE_TAG": "tag of the image that was pushed; push each tag once",
    "SECURITY_GROUP_ID": "security group of the tasks",
    "TARGET_GROUP_ARN": "target group of type ip",
    "ALTERNATE_TARGET_GROUP_ARN": "the second target group, for the other colour",
    "PRODUCTION_LISTENER_RULE_ARN": "listener rule whose traffic is shifted",
    "HOOK_ROLE_ARN": "role with which ECS calls the hooks",
}


def _environment_file(rendered: dict[str, str]) -> str:
    names = dict.fromkeys(name for text in rendered.values() for name in _VARIABLE.findall(text))
    lines = ["# What the files leave open. Fill it in, then: set -a; . ./.env; set +a; envsubst < template > file"]
    lines += [f"{name}=  # {_MEANINGS.get(name, 'a private subnet')}" for name in names]
    return "\n".join(lines) + "\n"


def _readme(fleet: ResolvedFleet, services: list[ResolvedService]) -> str:
    folder = "" if len(services) == 1 else f"{services[0].key}/"
    first = services[0]
    retention = first.spec.logs.retention_days
    return f"""# {fleet.file.name} on ECS

Rendered by `inferfleet render --format ecs`. Fill in `.env` from `.env.example`, then, for each service:

```bash
set -a; . ./.env; set +a
aws logs create-log-group --log-group-name {first.names.log_group}
aws logs put-retention-policy --log-group-name {first.names.log_group} --retention-in-days {retention}
envsubst < {folder}ecs-task-def.json > /tmp/ecs-task-def.json
aws ecs register-task-definition --cli-input-json file:///tmp/ecs-task-def.json
envsubst < {folder}ecs-service.json > /tmp/ecs-service.json
aws ecs create-service --cli-input-json file:///tmp/ecs-service.json
aws ecs list-service-deployments --cluster {fleet.cluster} --service {first.names.service}
```

`iam-roles.md` says why each permission is there.
"""
