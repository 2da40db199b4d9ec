"""All stacks of a fleet, in the order in which they depend on each other."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import aws_cdk as cdk
from constructs import Construct

from inferfleet.deploy.reach import reach
from inferfleet.deploy.resolve import ResolvedFleet, ResolvedService
from inferfleet.deploy.stacks.base import FleetStack
from inferfleet.deploy.stacks.cluster import ClusterStack
from inferfleet.deploy.stacks.network import NetworkStack
from inferfleet.deploy.stacks.observability import ObservabilityStack, add_service_alarms
from inferfleet.deploy.stacks.registry import RegistryStack
from inferfleet.deploy.stacks.service import ServiceStack
from inferfleet.errors import InputError

PARTS = ("network", "registry", "cluster", "observability")
"""The stacks that a fleet has besides one for each service."""

UNPUSHED_TAG = "not-pushed-yet"
"""Stands for the digest of an image in templates that are only looked at."""


def add_fleet(
    scope: Construct, fleet: ResolvedFleet, folder: Path | None, *, images: Mapping[str, str], draft: bool = False
) -> list[FleetStack]:
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
    stacks: list[FleetStack] = []
    network = None
    ways = reach(fleet, folder)
    if fleet.file.network.vpc is None or ways.endpoints:
        network_stack = NetworkStack(scope, fleet=fleet, reach=ways)
        network = network_stack.network
        stacks.append(network_stack)
    if any(image.build is not None for image in fleet.file.images.values()):
        stacks.append(RegistryStack(scope, fleet=fleet))
    cluster = ClusterStack(scope, fleet=fleet, network=network)
    stacks.append(cluster)
    alarms: list[str] = []
    for service in fleet.services:
        if service.target == "eks":
            continue
        image = image_uri(fleet, service, images, draft=draft)
        stack = ServiceStack(scope, fleet=fleet, service=service, network=network, image=image, folder=folder)
        stack.add_stack_dependency(cluster)
        alarms += add_service_alarms(stack, fleet, folder).names
        stacks.append(stack)
    stacks.append(ObservabilityStack(scope, fleet=fleet, folder=folder, service_alarms=alarms))
    return stacks


def at_home(fleet: ResolvedFleet) -> ResolvedFleet:
    """Returns the fleet in the account that it is deployed to, where its file names none."""
    if fleet.file.account is not None:
        return fleet
    unknown, account = fleet.account, cdk.Aws.ACCOUNT_ID
    services = tuple(replace(item, image=item.image.replace(unknown, account)) for item in fleet.services)
    return replace(fleet, account=account, services=services)


def check_names(fleet: ResolvedFleet) -> None:
    """Refuses services whose stack would have the name of another.

    Raises:
        InputError: There is one.
    """
    for service in fleet.services:
        if service.key in PARTS:
            raise InputError(f"services.{service.key}: a stack of the fleet has that name; call the service otherwise")


def image_uri(fleet: ResolvedFleet, service: ResolvedService, images: Mapping[str, str], *, draft: bool) -> str:
    """The image that a service runs.

    Raises:
        InputError: It is one that the fleet builds, and it was not pushed.
    """
    name = service.spec.image
    image = fleet.file.images.get(name)
    if name in images:
        return images[name]
    if image is None or image.build is None:
        return service.image
    if draft:
        return service.image.replace("${IMAGE_TAG}", UNPUSHED_TAG)
    raise InputError(
        f"services.{service.key}.image: {name!r} is built and no digest of it is known; "
        f"`inferfleet deploy` builds and pushes it"
    )
