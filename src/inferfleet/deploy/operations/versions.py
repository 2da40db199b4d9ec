"""The versions that a service has run, and the one to go back to."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from inferfleet.deploy.operations.account import Account, is_missing
from inferfleet.deploy.operations.service import NEVER, ServiceState, last_part, read_deployments, read_revisions
from inferfleet.errors import InputError

_REMEMBERED = 50
_DERIVED = (
    "taskDefinitionArn", "revision", "status", "requiresAttributes", "compatibilities", "registeredAt",
    "registeredBy", "deregisteredAt",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Version:
    """A version of a service.

    Attributes:
        task_definition: `family:revision`.
        deployed_at: When it was deployed; the oldest time there is when that is not known.
        succeeded: Whether it ever ran as it should.
        current: Whether it runs now.
        images: The images of its containers.
    """

    task_definition: str
    deployed_at: datetime
    succeeded: bool
    current: bool
    images: tuple[str, ...] = ()


def history(account: Account, service: ServiceState) -> list[Version]:
    """The versions that were deployed, newest first, each once; ECS remembers 90 days."""
    deployments = read_deployments(account, service, limit=_REMEMBERED)
    named = read_revisions(account, [item.revision for item in deployments])
    found: dict[str, Version] = {}
    for item in deployments:
        name = named.get(item.revision, "")
        if name:
            before = found.get(name)
            good = item.status == "SUCCESSFUL" or (before is not None and before.succeeded)
            at = before.deployed_at if before else item.created_at
            found[name] = Version(name, at, good, name == service.task_definition)
    family, _, number = service.task_definition.partition(":")
    for revision in range(int(number), 0, -1):
        name = f"{family}:{revision}"
        if name not in found and len(found) < _REMEMBERED:
            found[name] = Version(name, NEVER, False, name == service.task_definition)
    return sorted(found.values(), key=lambda item: int(item.task_definition.rpartition(":")[2]), reverse=True)


def choose(versions: Sequence[Version], wanted: str, family: str) -> Version:
    """The version to go back to.

    Args:
        versions: From `history`.
        wanted: `family:revision`, a revision, or empty for the last good one before the current.
        family: The service's family.

    Raises:
        InputError: There is no such version.
    """
    if wanted:
        name = f"{family}:{wanted}" if wanted.isdigit() else last_part(wanted)
        found = next((item for item in versions if item.task_definition == name), None)
        if found is None:
            known = ", ".join(item.task_definition for item in versions) or "none"
            raise InputError(f"there is no version {name}; there are: {known}")
        if found.current:
            raise InputError(f"{name} is what runs already")
        return found
    current = next((item for item in versions if item.current), None)
    earlier = [item for item in versions if not item.current and (current is None or _number(item) < _number(current))]
    good = [item for item in earlier if item.succeeded] or earlier
    if not good:
        raise InputError("there is no earlier version to go back to")
    return good[0]


def _number(version: Version) -> int:
    return int(version.task_definition.rpartition(":")[2])


def usable(account: Account, version: Version) -> str:
    """A task definition like this version that tasks can be started from; an inactive one is registered anew.

    CloudFormation deregisters the revision that it replaces, and ECS starts nothing from such a one.

    Raises:
        InputError: The task definition was deleted.
    """
    ecs = account.client("ecs")
    try:
        answer = ecs.describe_task_definition(taskDefinition=version.task_definition, include=["TAGS"])
    except Exception as error:
        if is_missing(error):
            raise InputError(f"{version.task_definition} was deleted; choose another version with --to") from error
        raise
    found = answer["taskDefinition"]
    if found["status"] == "ACTIVE":
        return str(found["taskDefinitionArn"])
    again: dict[str, Any] = {key: value for key, value in found.items() if key not in _DERIVED}
    if answer.get("tags"):
        again["tags"] = [tag for tag in answer["tags"] if not tag["key"].startswith("aws:")]
    return str(ecs.register_task_definition(**again)["taskDefinition"]["taskDefinitionArn"])


def missing_images(account: Account, task_definition: str) -> list[str]:
    """Images of a task definition that this account's registry does not hold any more."""
    answer = account.client("ecs").describe_task_definition(taskDefinition=task_definition)
    gone = []
    for container in answer["taskDefinition"]["containerDefinitions"]:
        registry, _, rest = container["image"].partition("/")
        if not registry.startswith(f"{account.id}.dkr.ecr.{account.region}.") or account.is_local:
            continue
        key, mark = ("imageDigest", "@") if "@" in rest else ("imageTag", ":")
        repository, _, value = rest.partition(mark)
        which = {key: value}
        try:
            account.client("ecr").describe_images(repositoryName=repository, imageIds=[which])
        except Exception as error:
            if not is_missing(error):
                raise
            gone.append(container["image"])
    return gone
