"""A fleet as the JSON that `aws ecs` and `aws iam` take, with a comment file that says why each permission is there."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

from inferfleet.deploy import ecs, permissions
from inferfleet.deploy.permissions import Statement
from inferfleet.deploy.resolve import ResolvedFleet, ResolvedService
from inferfleet.errors import InputError

_VARIABLE = re.compile(r"\$\{(\w+)\}")


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
    around = ecs.unknown_surroundings(fleet, service, folder)
    tags = {"tags": _tags(fleet)} if fleet.file.tags else {}
    rendered = {
        "ecs-task-def.json": _text(ecs.task_definition(fleet, service, around) | tags),
        "ecs-service.json": _text(ecs.service_definition(fleet, service, around) | tags),
        "iam-execution-role.json": _text(permissions.policy(execution_role)),
        "iam-trust-policy.json": _text(ecs.TRUST),
        "iam-roles.md": _reasons(service, task_role, execution_role),
    }
    if task_role:
        rendered["iam-task-role.json"] = _text(permissions.policy(task_role))
    return rendered


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

`iam-roles.md` says why each permission is there.{_beside(fleet, services)}
"""


def _beside(fleet: ResolvedFleet, services: list[ResolvedService]) -> str:
    """What the fleet has besides, and these files have not."""
    has = {
        "the network": fleet.file.network.vpc is None,
        "instances and capacity providers": any(item.kind != "fargate" for item in fleet.file.capacity.values()),
        "load balancers": any(service.spec.load_balancer for service in services),
        "autoscaling": any(service.spec.scaling for service in services),
    }
    missing = [what for what, is_there in has.items() if is_there]
    if not missing:
        return ""
    return f" Not in these files: {', '.join(missing)}; `inferfleet render --format cloudformation` has all of it."
