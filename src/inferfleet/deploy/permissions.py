"""The least that a service's roles must allow: what its configuration needs, what ECS needs, what fleet.yaml adds."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

from inferfleet.config.cameras import CamerasFile
from inferfleet.config.permissions import Place, Statement, merged, of_cameras, of_serve
from inferfleet.config.permissions import document as policy
from inferfleet.config.serve import ServeFile
from inferfleet.deploy import configuration
from inferfleet.deploy.resolve import ResolvedFleet, ResolvedService

__all__ = ["Statement", "execution_role", "policy", "task_role"]

_REGISTRY = re.compile(
    r"(?P<account>[^/]+?)\.dkr\.ecr\.(?P<region>[a-z0-9-]+)\.amazonaws\.com(?:\.cn)?/(?P<repository>[^:@]+)"
)
_EXEC_ACTIONS = (
    "ssmmessages:CreateControlChannel",
    "ssmmessages:CreateDataChannel",
    "ssmmessages:OpenControlChannel",
    "ssmmessages:OpenDataChannel",
)


def task_role(fleet: ResolvedFleet, service: ResolvedService, folder: Path | None) -> list[Statement]:
    """Derives what the application may call.

    Args:
        fleet: The fleet.
        service: The service.
        folder: Where `config` is; without it the configuration's own needs are left out.

    Raises:
        InputError: The service's configuration cannot be read.
    """
    found: list[Statement] = []
    place = Place.of(fleet.region, fleet.account)
    configured = configuration.read(service, folder)
    if isinstance(configured, CamerasFile):
        found += of_cameras(configured, place)
    elif isinstance(configured, ServeFile):
        found += of_serve(configured, place)
    if service.spec.exec and service.target != "eks":
        why = "ECS Exec opens its channels with the task role; they know no resources"
        found.append(Statement("OpenShell", _EXEC_ACTIONS, ("*",), why))
    for index, permission in enumerate(service.spec.permissions, start=1):
        why = "written in fleet.yaml"
        found.append(Statement(f"Application{index}", permission.actions, permission.resources, why))
    return merged(found)


def execution_role(fleet: ResolvedFleet, service: ResolvedService) -> list[Statement]:
    """Derives what ECS itself needs before the container runs."""
    place = Place.of(fleet.region, fleet.account)
    found: list[Statement] = []
    registry = _REGISTRY.match(service.image)
    if registry:
        why = "a login to ECR is for the whole registry, so it knows no resources"
        found.append(Statement("LogInToRegistry", ("ecr:GetAuthorizationToken",), ("*",), why))
        pull = ("ecr:BatchCheckLayerAvailability", "ecr:BatchGetImage", "ecr:GetDownloadUrlForLayer")
        owner = replace(place, account=registry["account"])
        arn = owner.arn("ecr", f"repository/{registry['repository']}", registry["region"])
        found.append(Statement("PullImage", pull, (arn,), "the task's image is pulled from there"))
    group = place.arn("logs", f"log-group:{service.names.log_group}:*")
    why = "awslogs writes the container's output there; the group itself is made with a retention"
    found.append(Statement("WriteLogs", ("logs:CreateLogStream", "logs:PutLogEvents"), (group,), why))
    found += _secrets(service)
    return merged(found)


def _secrets(service: ResolvedService) -> Iterator[Statement]:
    for name, arn in service.spec.secrets.items():
        why = f"{name} is filled in from there"
        if ":secretsmanager:" in arn:
            # What follows the secret itself names a key of it, and a version.
            secret = ":".join(arn.split(":")[:7])
            yield Statement("ReadSecrets", ("secretsmanager:GetSecretValue",), (secret,), why)
        elif ":ssm:" in arn:
            yield Statement("ReadParameters", ("ssm:GetParameters",), (arn,), why)
