"""All stacks of a fleet, in the order in which they depend on each other."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import aws_cdk as cdk
from constructs import Construct

from inferfleet.deploy.reach import reach
from inferfleet.deploy.resolve import ResolvedFleet
from inferfleet.deploy.stacks.base import at_home
from inferfleet.deploy.stacks.cluster import ClusterStack
from inferfleet.deploy.stacks.network import FleetNetwork, NetworkStack
from inferfleet.deploy.stacks.observability import ObservabilityStack, add_service_alarms, is_watched
from inferfleet.deploy.stacks.registry import RegistryStack
from inferfleet.deploy.stacks.service import ServiceStack
from inferfleet.errors import InputError

PARTS = ("network", "registry", "cluster", "kubernetes", "observability")
"""The stacks that a fleet has besides one for each service."""

UNPUSHED_TAG = "not-pushed-yet"
"""Stands for the digest of an image in templates that are only looked at."""


def add_fleet(
    scope: Construct, fleet: ResolvedFleet, folder: Path | None, *, images: Mapping[str, str], draft: bool = False
) -> list[cdk.Stack]:
    """Adds the stacks of a fleet to an app.

    Args:
        scope: The app.
        fleet: The fleet.
        folder: The folder of its fleet.yaml; `config` is read from there.
        images: The URI to run of each image that the fleet builds, by its name in `images`.
        draft: Whether an image that is missing from `images` gets a tag that does not exist.

    Raises:
        InputError: An image is missing, or a configuration cannot be read.
    """
    fleet = at_home(fleet)
    check_names(fleet)
    built = {name: uri_of(fleet, name, images, draft=draft) for name in built_images(fleet)}
    stacks: list[cdk.Stack] = []
    network = None
    ways = reach(fleet, folder)
    if fleet.file.network.vpc is None or ways.endpoints:
        network_stack = NetworkStack(scope, fleet=fleet, reach=ways)
        network = network_stack.network
        stacks.append(network_stack)
    if built:
        stacks.append(RegistryStack(scope, fleet=fleet))
    uris = {service.key: built.get(service.spec.image, service.image) for service in fleet.services}
    if any(service.target != "eks" for service in fleet.services) or fleet.file.recovery is not None:
        stacks += _on_ecs(scope, fleet, folder, network=network, uris=uris, built=built)
    if any(service.target == "eks" for service in fleet.services):
        # The module wants kubectl's layer, which is large and which only these fleets need.
        from inferfleet.deploy.stacks.eks import KubernetesStack

        stacks.append(KubernetesStack(scope, fleet=fleet, network=network, images=uris, folder=folder))
    alarms = [name for stack in stacks if isinstance(stack, ServiceStack) for name in stack.alarm_names]
    if is_watched(fleet):
        stacks.append(ObservabilityStack(scope, fleet=fleet, folder=folder, service_alarms=alarms))
    return stacks


def _on_ecs(
    scope: Construct, fleet: ResolvedFleet, folder: Path | None, *, network: FleetNetwork | None,
    uris: Mapping[str, str], built: Mapping[str, str],
) -> list[cdk.Stack]:  # fmt: skip
    tags: dict[str, str] = {}
    if fleet.file.recovery is not None:
        from inferfleet.deploy.stacks.recovery import instance_tags

        tags = instance_tags(fleet)
    cluster = ClusterStack(scope, fleet=fleet, network=network, instance_tags=tags)
    stacks: list[cdk.Stack] = [cluster]
    for service in fleet.services:
        if service.target != "eks":
            uri = uris[service.key]
            stack = ServiceStack(scope, fleet=fleet, service=service, network=network, image=uri, folder=folder)
            stack.add_stack_dependency(cluster)
            stack.alarm_names = add_service_alarms(stack, fleet, folder).names
            stacks.append(stack)
    if fleet.file.recovery is not None:
        from inferfleet.deploy.stacks.recovery import recovery_stack

        recovery = recovery_stack(scope, fleet, built)
        recovery.add_stack_dependency(cluster)
        stacks.append(recovery)
    return stacks


def check_names(fleet: ResolvedFleet) -> None:
    """Refuses services whose stack would have the name of another.

    Raises:
        InputError: There is one.
    """
    for service in fleet.services:
        if service.key in PARTS:
            raise InputError(f"services.{service.key}: a stack of the fleet has that name; call the service otherwise")


def built_images(fleet: ResolvedFleet) -> list[str]:
    """The images that a fleet builds, by name."""
    return [name for name, image in fleet.file.images.items() if image.build is not None]


def uri_of(fleet: ResolvedFleet, name: str, images: Mapping[str, str], *, draft: bool) -> str:
    """The URI to run of an image that the fleet builds.

    Raises:
        InputError: It is not known, and this is no draft.
    """
    if name in images:
        return images[name]
    if draft:
        repository = fleet.file.images[name].repository or name
        return f"{fleet.account}.dkr.ecr.{fleet.region}.amazonaws.com/{repository}:{UNPUSHED_TAG}"
    raise InputError(
        f"images.{name}: it is built, and no digest of it is known; `inferfleet deploy` builds and pushes it"
    )
