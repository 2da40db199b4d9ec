"""What the tasks and instances of a fleet must reach, and by which way: a VPC endpoint, or NAT, and why.

Follows from the permissions: whoever may call a service must also reach it. What no endpoint leads to (cameras and
models on the internet, images of other registries, other regions) needs a NAT gateway.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

from inferfleet.config.cameras import CamerasFile
from inferfleet.config.sources import HttpSource, RtspSource
from inferfleet.deploy import configuration, permissions
from inferfleet.deploy.permissions import Statement
from inferfleet.deploy.resolve import ResolvedFleet, ResolvedService

GATEWAYS = frozenset({"dynamodb", "s3"})
"""The endpoints that are an entry of a route table: they cost nothing."""

ENDPOINTS: dict[str, tuple[str, ...]] = {
    "cloudwatch": ("monitoring",),
    "dynamodb": ("dynamodb",),
    # Layers of images are in S3.
    "ecr": ("ecr.api", "ecr.dkr", "s3"),
    "events": ("events",),
    "firehose": ("kinesis-firehose",),
    "kinesis": ("kinesis-streams",),
    "kinesisvideo": ("kinesisvideo",),
    "kms": ("kms",),
    "lambda": ("lambda",),
    "logs": ("logs",),
    "s3": ("s3",),
    "secretsmanager": ("secretsmanager",),
    "sns": ("sns",),
    "sqs": ("sqs",),
    "ssm": ("ssm",),
    "ssmmessages": ("ssmmessages",),
    "states": ("states",),
    "sts": ("sts",),
    "xray": ("xray",),
}
"""Endpoints by the prefix of the actions that go through them."""

AGENT_ENDPOINTS = ("ecs", "ecs-agent", "ecs-telemetry")
"""What the ECS agent of an instance speaks to. Fargate's own has ways of its own.

See https://docs.aws.amazon.com/AmazonECS/latest/developerguide/vpc-endpoints.html
"""

KVS_REGIONS = frozenset(
    {
        "af-south-1", "ap-east-1", "ap-northeast-1", "ap-northeast-2", "ap-south-1", "ap-southeast-1", "ap-southeast-2",
        "ca-central-1", "eu-central-1", "eu-south-2", "eu-west-1", "eu-west-2", "eu-west-3", "me-south-1", "sa-east-1",
        "us-east-1", "us-east-2", "us-west-2",
    }
)  # fmt: skip
"""Where Kinesis Video Streams is: https://docs.aws.amazon.com/kinesisvideostreams/latest/dg/availability.html."""


@dataclass(frozen=True, slots=True)
class Endpoint:
    """A VPC endpoint that a fleet needs.

    Attributes:
        name: What follows `com.amazonaws.<region>.`.
        services: Keys of the services that need it; none for one that only the file wants.
    """

    name: str
    services: tuple[str, ...]

    @property
    def is_gateway(self) -> bool:
        """Whether it is an entry of a route table, and not an interface with an address."""
        return self.name in GATEWAYS


@dataclass(frozen=True, slots=True)
class Need:
    """Something to which no endpoint leads.

    Attributes:
        service: The service that needs it.
        what: What it needs.
        is_certain: Whether it is known; what a foreign image calls is not.
    """

    service: str
    what: str
    is_certain: bool = True

    def __str__(self) -> str:
        """One line."""
        return f"{self.service}: {self.what}"


@dataclass(frozen=True, slots=True)
class Reach:
    """The ways out of a fleet's private subnets.

    Attributes:
        endpoints: The endpoints, by name.
        internet: What needs NAT.
        nat_gateways: How many there are.
    """

    endpoints: tuple[Endpoint, ...]
    internet: tuple[Need, ...]
    nat_gateways: int


def reach(fleet: ResolvedFleet, folder: Path | None) -> Reach:
    """Finds the ways out that a fleet needs, as its `network` allows them.

    Args:
        fleet: The fleet.
        folder: The folder of its fleet.yaml; without it nothing is known of its configurations.

    Raises:
        InputError: A configuration cannot be read.
    """
    network = fleet.file.network
    wanted = _Wanted(fleet)
    for service in fleet.services:
        wanted.service(service, folder)
    needed = {name: tuple(dict.fromkeys(services)) for name, services in sorted(wanted.endpoints.items())}
    internet = list(dict.fromkeys(wanted.internet))
    if network.endpoints == "auto":
        # Whoever has made a VPC has made its ways out, and an endpoint with private DNS can be there only once.
        made = needed if network.vpc is None else {}
    else:
        listed = () if network.endpoints == "none" else network.endpoints
        made = {name: needed.get(name, ()) for name in listed}
        internet += [
            Need(service, f"there is no endpoint {name}")
            for name, services in wanted.endpoints.items()
            if name not in made
            for service in dict.fromkeys(services)
        ]
    return Reach(
        endpoints=tuple(Endpoint(name, services) for name, services in made.items()),
        internet=tuple(internet),
        nat_gateways=_gateways(fleet, bool(internet)),
    )


def _gateways(fleet: ResolvedFleet, is_needed: bool) -> int:
    network = fleet.file.network
    if network.vpc is not None:
        return 0
    return {"auto": int(is_needed), "none": 0, "one": 1, "per-zone": network.zones}[network.nat]


class _Wanted:
    """Collects what is needed, and why."""

    def __init__(self, fleet: ResolvedFleet) -> None:
        self.fleet = fleet
        self.endpoints: dict[str, list[str]] = {}
        self.internet: list[Need] = []

    def service(self, service: ResolvedService, folder: Path | None) -> None:
        key = service.key
        if service.target == "eks":
            self.internet.append(Need(key, "the nodes of EKS load what runs beside it from several registries"))
        elif ".dkr.ecr." not in service.image:
            self.internet.append(Need(key, f"its image {service.image} is not in ECR"))
        if service.target in ("ecs-ec2", "ecs-managed"):
            for name in AGENT_ENDPOINTS:
                self._endpoint(name, key)
        for statement in permissions.execution_role(self.fleet, service):
            self._statement(key, statement)
        for statement in permissions.task_role(self.fleet, service, folder):
            self._statement(key, statement)
        self.internet += [Need(key, what) for what in _addresses(service, folder)]
        if service.spec.kind == "container" and not service.spec.permissions:
            what = "what its image calls is not known; say it in `permissions`"
            self.internet.append(Need(key, what, is_certain=False))

    def _endpoint(self, name: str, service: str) -> None:
        if name == "kinesisvideo" and self.fleet.region not in KVS_REGIONS:
            self.internet.append(Need(service, f"Kinesis Video Streams has no endpoint in {self.fleet.region}"))
        else:
            self.endpoints.setdefault(name, []).append(service)

    def _statement(self, service: str, statement: Statement) -> None:
        for prefix in dict.fromkeys(action.split(":")[0] for action in statement.actions):
            elsewhere = _regions(statement.resources) - {self.fleet.region}
            if elsewhere:
                self.internet.append(Need(service, f"it calls {prefix} in {', '.join(sorted(elsewhere))}"))
            elif prefix not in ENDPOINTS:
                self.internet.append(Need(service, f"it calls {prefix}, and no endpoint is known for that"))
            else:
                for name in ENDPOINTS[prefix]:
                    self._endpoint(name, service)


def _regions(resources: Iterable[str]) -> set[str]:
    """The regions that ARNs name; those of S3 and `*` name none."""
    parts = (resource.split(":") for resource in resources)
    return {part[3] for part in parts if len(part) > 3 and part[3] not in ("", "*")}  # noqa: PLR2004


def _addresses(service: ResolvedService, folder: Path | None) -> Iterator[str]:
    """Yields what a service reaches by an address that is not private."""
    for name, value in service.environment.items():
        if _is_public(value):
            yield f"{name} is {urlsplit(value).hostname}"
    configured = configuration.read(service, folder)
    if configured is None:
        return
    for name, model in configured.models.items():
        if str(model.path).startswith("https:"):
            yield f"the model {name!r} is loaded from {urlsplit(str(model.path)).hostname}"
    if isinstance(configured, CamerasFile):
        for camera in configured.cameras:
            source = camera.source
            if camera.enabled and isinstance(source, RtspSource | HttpSource) and _is_public(source.url):
                yield f"camera {camera.id!r} is at {urlsplit(source.url).hostname}"


def _is_public(address: str) -> bool:
    """Whether an address is on the internet, as far as it shows."""
    try:
        host = urlsplit(address).hostname if "://" in address else None
    except ValueError:
        return False
    if not host:
        return False
    try:
        return not ipaddress.ip_address(host).is_private
    except ValueError:
        return "." in host and not host.endswith((".internal", ".local", ".lan", ".localhost", ".amazonaws.com"))
