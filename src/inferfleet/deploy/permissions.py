"""The least that a service's roles must allow: what its configuration needs, what ECS needs, what fleet.yaml adds."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

from inferfleet.config import base, fleet_env, source
from inferfleet.config.cameras import CamerasFile
from inferfleet.config.permissions import Place, Statement, merged, of_cameras, of_serve
from inferfleet.config.permissions import document as policy
from inferfleet.config.serve import ServeFile
from inferfleet.deploy.resolve import ResolvedFleet, ResolvedService

__all__ = ["Statement", "execution_role", "policy", "task_role"]

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
    if service.spec.config is not None and folder is not None:
        found += _of_config(service, folder / service.spec.config, Place.of(fleet.region, fleet.account))
    if service.spec.exec:
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
    if ".dkr.ecr." in service.image:
        repository = service.image.split("/", 1)[1].split("@")[0].split(":")[0]
        why = "a login to ECR is for the whole registry, so it knows no resources"
        found.append(Statement("LogInToRegistry", ("ecr:GetAuthorizationToken",), ("*",), why))
        pull = ("ecr:BatchCheckLayerAvailability", "ecr:BatchGetImage", "ecr:GetDownloadUrlForLayer")
        arn = place.arn("ecr", f"repository/{repository}")
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


def _of_config(service: ResolvedService, path: Path, place: Place) -> list[Statement]:
    """Derives what a cameras.yaml or a serve.yaml needs; any other configuration speaks for itself."""
    document = source.load(path, {**fleet_env.beside(path), **os.environ})
    if service.spec.kind == "streams":
        return of_cameras(base.validate(document, CamerasFile), place)
    if service.spec.kind == "api":
        return of_serve(base.validate(document, ServeFile), place)
    return []
