"""`fleet.yaml`: everything that runs on AWS, in one file.

Whatever it does not say has a default that is right in production; `inferfleet show fleet.yaml --resolved` shows them.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated

from pydantic import Field, model_validator

from inferfleet.config import base, fleet_env
from inferfleet.config.base import Misfit, Model
from inferfleet.config.fleet_capacity import Capacity
from inferfleet.config.fleet_network import Network
from inferfleet.config.fleet_service import Service
from inferfleet.config.fleet_system import Alerts, Budget, Recovery
from inferfleet.config.source import load

Key = Annotated[str, Field(pattern=r"^[a-z][a-z0-9-]{0,40}$")]
_SHORTEST_REPOSITORY = 2
_BALANCER_SUBNETS = 2
_KINDS = {"ecs-ec2": "ec2", "ecs-managed": "managed", "fargate": "fargate"}


class Image(Model):
    """A container image: one that is built, or one that exists."""

    build: Path | None = None
    """Folder to build from."""
    dockerfile: Path = Path("Dockerfile")
    """The Dockerfile, from that folder."""
    stage: str | None = None
    """Stage of the Dockerfile to stop at."""
    repository: str | None = Field(default=None, pattern=r"^[a-z0-9][a-z0-9._/-]{1,255}$")
    """ECR repository that it is pushed to; the image's key when left out."""
    uri: str | None = None
    """An image that exists, best with its digest: `repository@sha256:…`."""

    @model_validator(mode="after")
    def _one_origin(self) -> Image:
        if (self.build is None) == (self.uri is None):
            raise Misfit("an image has either build or uri")
        if self.uri is not None and "@sha256:" not in self.uri and self.uri.rsplit("/", 1)[-1].endswith(":latest"):
            raise Misfit("latest moves; name a digest (repository@sha256:…) or a tag that is pushed once", "uri")
        return self


class FleetFile(Model):
    """All of `fleet.yaml`."""

    name: Key
    """Name of the fleet; what is created carries it."""
    region: str = Field(default="us-east-1", pattern=r"^[a-z]{2}(-[a-z]+)+-\d$")
    """AWS region."""
    account: str | None = Field(default=None, pattern=r"^\d{12}$")
    """AWS account; that of the credentials when left out."""
    tags: dict[str, str] = {}
    """Tags of everything that is created."""
    cluster: str | None = Field(default=None, pattern=r"^[A-Za-z0-9_-]{1,255}$")
    """Name of the ECS or EKS cluster; `<name>-cluster` when left out."""
    network: Network = Network()
    """Where it runs."""
    images: dict[Key, Image] = {}
    """The images, by name."""
    capacity: dict[Key, Capacity] = {}
    """What tasks run on, by name; Fargate when left out."""
    services: dict[Key, Service] = {}
    """What runs, by name."""
    recovery: Recovery | None = None
    """GPU recovery for the fleet's instances; write `recovery: {}` for its defaults."""
    alerts: Alerts = Alerts()
    """Who is told when something is wrong."""
    dashboards: bool = True
    """Whether a CloudWatch dashboard is made."""
    budget: Budget | None = None
    """A monthly budget."""

    @model_validator(mode="after")
    def _names_fit(self) -> FleetFile:
        if not self.services and self.recovery is None:
            raise Misfit("there is nothing to run; add a service, or recovery", "services")
        for name, image in self.images.items():
            if image.build is not None and len(image.repository or name) < _SHORTEST_REPOSITORY:
                raise Misfit(f"an ECR repository has at least {_SHORTEST_REPOSITORY} characters", "images", name)
        for key, service in self.services.items():
            self._check_image(service.image, "services", key, "image")
            self._check_capacity(key, service)
            self._check_balancer(key, service)
        if self.recovery is not None and self.recovery.agent_image:
            self._check_image(self.recovery.agent_image, "recovery", "agent_image")
        return self

    def _check_image(self, name: str, *path: str) -> None:
        if name not in self.images and not any(character in name for character in "/:."):
            known = ", ".join(self.images) or "none"
            raise Misfit(f"there is no image {name!r}; `images` has: {known}", *path)

    def _check_balancer(self, key: str, service: Service) -> None:
        """A load balancer stands in two zones at least; Kubernetes finds its subnets by their tags."""
        balancer, network = service.load_balancer, self.network
        if balancer is None or network.vpc is None or service.target == "eks":
            return
        kind = "public_subnets" if balancer.public else "private_subnets"
        if len(getattr(network, kind)) < _BALANCER_SUBNETS:
            other = "; or write `public: false`" if balancer.public else ""
            message = f"the load balancer needs two of `network.{kind}`, in different zones{other}"
            raise Misfit(message, "services", key, "load_balancer")

    def _check_capacity(self, key: str, service: Service) -> None:
        if service.capacity is not None and service.capacity not in self.capacity:
            known = ", ".join(self.capacity) or "none"
            message = f"there is no capacity {service.capacity!r}; `capacity` has: {known}"
            raise Misfit(message, "services", key, "capacity")
        wanted = _KINDS.get(service.target or "")
        if service.capacity is not None and wanted and self.capacity[service.capacity].kind != wanted:
            kind = self.capacity[service.capacity].kind
            raise Misfit(f"target {service.target} does not run on {kind} capacity", "services", key, "target")
        fitting = [name for name, item in self.capacity.items() if item.kind == wanted]
        if service.capacity is None and wanted and len(fitting) > 1:
            message = f"several capacities fit; name one of: {', '.join(fitting)}"
            raise Misfit(message, "services", key, "capacity")
        if wanted in ("ec2", "managed") and service.capacity is None and not fitting:
            message = f"target {service.target} needs an entry of `capacity` of kind {wanted}"
            raise Misfit(message, "services", key, "target")


def read_fleet(path: Path, environment: Mapping[str, str] | None = None) -> FleetFile:
    """Reads a fleet, with the `.env` beside it; the process's own environment goes first.

    Args:
        path: The fleet.yaml.
        environment: Where variables are looked up; the process's environment over the `.env` file when left out.

    Raises:
        InputError: With one line per mistake.
    """
    if environment is None:
        environment = {**fleet_env.beside(path), **os.environ}
    return base.validate(load(path, environment), FleetFile)
