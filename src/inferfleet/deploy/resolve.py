"""A fleet with nothing left to guess: every default, size and name that follows from what the file says.

Files are rendered from this, the plan counts with it, and `inferfleet show --resolved` prints it.
"""

from __future__ import annotations

import hashlib
import math
from collections.abc import Mapping
from dataclasses import dataclass, field

from inferfleet.config.fleet import FleetFile
from inferfleet.config.fleet_capacity import Capacity, Ec2Capacity, FargateCapacity, ManagedCapacity
from inferfleet.config.fleet_service import Service, SharedGpu
from inferfleet.config.source import KeyPath
from inferfleet.deploy import instances
from inferfleet.errors import InputError

UNITS = 1024
UNKNOWN_ACCOUNT = "${AWS_ACCOUNT_ID}"
"""Stands for the account of a fleet whose file names none."""
_HEALTH_PATHS = {"api": "/health"}
_READY_PATHS = {"api": "/ready", "streams": "/readyz"}
_LONGEST_BALANCER_NAME = 32
_DEFAULT_STRATEGY = {"streams": "recreate"}


@dataclass(frozen=True, slots=True)
class Provider:
    """A line of a capacity provider strategy."""

    name: str
    weight: int
    base: int = 0


@dataclass(frozen=True, slots=True)
class Room:
    """What one instance of a capacity offers to tasks.

    Attributes:
        name: The instance type, or what stands for it.
        cpu: CPU units.
        memory: MiB.
        gpus: GPUs.
        gpu_memory: Memory of each GPU, in MiB.
        least: Instances that always run.
        most: Most instances.
    """

    name: str
    cpu: int
    memory: int
    gpus: int
    gpu_memory: int
    least: int
    most: int


@dataclass(frozen=True, slots=True)
class Names:
    """The names of what a service is made of."""

    service: str
    family: str
    container: str
    log_group: str
    task_role: str
    execution_role: str
    security_group: str
    load_balancer: str
    target_group: str
    alternate_target_group: str


@dataclass(frozen=True)
class ResolvedService:
    """A service with all that it does not say.

    Attributes:
        key: Its name in the file.
        spec: What the file says.
        target: What it runs on.
        names: The names of its parts.
        image: The image's URI; `${IMAGE_TAG}` stands for what is built later.
        cpu: CPU units.
        memory: MiB.
        gpus: Whole GPUs of a task.
        shared_gpu: The part of a GPU that it has instead.
        providers: Its capacity provider strategy; empty on EKS.
        room: What one instance offers; None on Fargate and EKS.
        count: Tasks to begin with.
        strategy: How a new version takes over.
        minimum: Percentage of tasks that stay up.
        maximum: Percentage of tasks that may run at once.
        environment: All variables of the container.
        command: What it runs; empty for the image's own.
        health_path: Where liveness is asked.
        ready_path: Where readiness is asked.
    """

    key: str
    spec: Service
    target: str
    names: Names
    image: str
    cpu: int
    memory: int
    gpus: int
    shared_gpu: SharedGpu | None
    providers: tuple[Provider, ...]
    room: Room | None
    count: int
    strategy: str
    minimum: int
    maximum: int
    environment: Mapping[str, str]
    command: tuple[str, ...]
    health_path: str
    ready_path: str


@dataclass(frozen=True)
class ResolvedFleet:
    """A fleet with all that it does not say.

    Attributes:
        file: What the file says.
        account: The account, or `${AWS_ACCOUNT_ID}`.
        cluster: The cluster's name.
        services: Its services.
    """

    file: FleetFile
    account: str
    cluster: str
    services: tuple[ResolvedService, ...]

    @property
    def region(self) -> str:
        """The AWS region."""
        return self.file.region


@dataclass(frozen=True, slots=True)
class Problem:
    """Something that cannot work, and where the file says it."""

    path: KeyPath
    message: str


@dataclass
class _Resolver:
    fleet: FleetFile
    problems: list[Problem] = field(default_factory=list)

    def service(self, key: str, spec: Service) -> ResolvedService:
        capacity_name, capacity = self._capacity(spec)
        target = spec.target or _target_of(capacity)
        room = _room(capacity)
        gpus = 0 if isinstance(spec.gpu, SharedGpu) else spec.gpu
        shared = spec.gpu if isinstance(spec.gpu, SharedGpu) else None
        cpu, memory = self._size(key, spec, target, room, gpus)
        strategy = spec.deployment.strategy or _DEFAULT_STRATEGY.get(spec.kind, "rolling")
        minimum, maximum = _percentages(spec, strategy)
        return ResolvedService(
            key=key, spec=spec, target=target, names=_names(key, spec, bool(gpus or shared)),
            image=self._image(spec), cpu=cpu, memory=memory, gpus=gpus, shared_gpu=shared,
            providers=_providers(self.fleet.name, capacity_name, capacity) if target != "eks" else (), room=room,
            count=_count(spec), strategy=strategy, minimum=minimum, maximum=maximum,
            environment=_environment(self.fleet, spec), command=_command(spec),
            health_path=spec.health.path or _HEALTH_PATHS.get(spec.kind, "/healthz"),
            ready_path=spec.health.path or _READY_PATHS.get(spec.kind, "/healthz"),
        )  # fmt: skip

    def _capacity(self, spec: Service) -> tuple[str, Capacity | None]:
        if spec.target == "eks":
            return "", None
        if spec.capacity:
            return spec.capacity, self.fleet.capacity[spec.capacity]
        kinds = {"ecs-ec2": "ec2", "ecs-managed": "managed", "fargate": "fargate"}
        wanted = kinds.get(spec.target or "")
        for name, item in self.fleet.capacity.items():
            if wanted is None or item.kind == wanted:
                return name, item
        return "", FargateCapacity()

    def _image(self, spec: Service) -> str:
        image = self.fleet.images.get(spec.image)
        if image is None or image.uri:
            return image.uri if image is not None and image.uri else spec.image
        account = self.fleet.account or UNKNOWN_ACCOUNT
        repository = image.repository or spec.image
        return f"{account}.dkr.ecr.{self.fleet.region}.amazonaws.com/{repository}:${{IMAGE_TAG}}"

    def _size(self, key: str, spec: Service, target: str, room: Room | None, gpus: int) -> tuple[int, int]:
        if target == "fargate":
            return self._fargate_size(key, spec, gpus)
        if room is None:
            cpu, memory = spec.cpu or UNITS, spec.memory or 2 * UNITS
            return (4 * UNITS if cpu == "max" else cpu), (8 * UNITS if memory == "max" else memory)
        share = max(1, room.gpus // gpus) if gpus else 1
        cpu_fits, memory_fits = room.cpu // share, room.memory // share
        cpu = spec.cpu if spec.cpu is not None else ("max" if gpus else UNITS)
        memory = spec.memory if spec.memory is not None else ("max" if gpus else min(2 * UNITS, memory_fits))
        if isinstance(cpu, int) and cpu > room.cpu:
            self._say(("services", key, "cpu"), f"{cpu} CPU units do not fit: {room.name} has {room.cpu}")
        if isinstance(memory, int) and memory > room.memory:
            self._say(
                ("services", key, "memory"),
                f"{memory} MiB do not fit: {room.name} leaves {room.memory} MiB to tasks; write `memory: max`",
            )
        if gpus > room.gpus:
            has = f"{room.gpus} GPU{'s' * (room.gpus != 1)}" if room.gpus else "no GPU"
            self._say(("services", key, "gpu"), f"{gpus} GPUs a task, and {room.name} has {has}")
        return (cpu_fits if cpu == "max" else cpu), (memory_fits if memory == "max" else memory)

    def _fargate_size(self, key: str, spec: Service, gpus: int) -> tuple[int, int]:
        sizes = instances.table().fargate
        if gpus:
            self._say(("services", key, "gpu"), "Fargate has no GPUs; use target ecs-ec2 or ecs-managed")
        cpu = max(sizes) if spec.cpu == "max" else (spec.cpu or UNITS)
        if cpu not in sizes:
            listed = ", ".join(map(str, sizes))
            self._say(("services", key, "cpu"), f"Fargate has no size with {cpu} CPU units; it has {listed}")
            return cpu, 2 * UNITS
        memory = (
            spec.memory if spec.memory is not None else sizes[cpu][min(1, len(sizes[cpu]) - 1) if cpu < UNITS else 0]
        )
        memory = sizes[cpu][-1] if memory == "max" else memory
        if memory not in sizes[cpu]:
            nearest = min(sizes[cpu], key=lambda size: (size < memory, abs(size - memory)))
            message = f"Fargate has no size with {cpu} CPU units and {memory} MiB; the nearest is {nearest} MiB"
            self._say(("services", key, "memory"), message)
        return cpu, memory

    def _say(self, path: KeyPath, message: str) -> None:
        self.problems.append(Problem(path, message))


def resolve(fleet: FleetFile) -> ResolvedFleet:
    """Resolves a fleet.

    Raises:
        InputError: Something in it cannot work; one line for each.
    """
    resolved, problems = examine(fleet)
    if problems:
        raise InputError("\n".join(f"{'.'.join(map(str, p.path))}: {p.message}" for p in problems))
    return resolved


def examine(fleet: FleetFile) -> tuple[ResolvedFleet, list[Problem]]:
    """Resolves a fleet as far as it goes, and says what cannot work."""
    resolver = _Resolver(fleet)
    services = tuple(resolver.service(key, spec) for key, spec in fleet.services.items())
    account = fleet.account or UNKNOWN_ACCOUNT
    return ResolvedFleet(fleet, account, fleet.cluster or f"{fleet.name}-cluster", services), resolver.problems


def _target_of(capacity: Capacity | None) -> str:
    return {"ec2": "ecs-ec2", "managed": "ecs-managed"}.get(capacity.kind if capacity else "", "fargate")


def _room(capacity: Capacity | None) -> Room | None:
    if isinstance(capacity, ManagedCapacity):
        memory = int(capacity.memory_gib[1] * UNITS * 0.93)
        name = f"a managed instance of at most {capacity.vcpu[1]} vCPUs"
        return Room(name, capacity.vcpu[1] * UNITS, memory, capacity.gpu, 16 * UNITS, 0, 1000)
    if not isinstance(capacity, Ec2Capacity):
        return None
    known = [instances.table().ec2[name] for name in capacity.instances if name in instances.table().ec2]
    if not known:
        return None
    small = min(known, key=lambda item: (item.memory_mib, item.vcpu))
    gpus = min(item.gpus for item in known)
    return Room(
        small.name, min(item.cpu_units for item in known), small.usable_mib, gpus, small.gpu_memory_mib,
        capacity.min, capacity.max,
    )  # fmt: skip


def ecs_capacity(fleet: ResolvedFleet) -> dict[str, Capacity]:
    """The entries of `capacity` that ECS has: one that only services on EKS name is a pool of nodes there."""
    if fleet.services and fleet.file.recovery is None and all(item.target == "eks" for item in fleet.services):
        return {}
    users = {key: {item.target for item in fleet.services if item.spec.capacity == key} for key in fleet.file.capacity}
    return {key: item for key, item in fleet.file.capacity.items() if users[key] != {"eks"}}


def capacity_provider(fleet: str, capacity: str) -> str:
    """The name of the capacity provider of an entry of `capacity`; some beginnings are AWS's own."""
    name = f"{fleet}-{capacity}-capacity-provider"
    return f"on-{name}" if name.startswith(("aws", "ecs", "fargate")) else name


def _providers(fleet: str, name: str, capacity: Capacity | None) -> tuple[Provider, ...]:
    if not isinstance(capacity, FargateCapacity):
        return (Provider(capacity_provider(fleet, name), 1),)
    providers = [Provider("FARGATE", capacity.weight, capacity.base)]
    if capacity.spot_weight:
        providers.append(Provider("FARGATE_SPOT", capacity.spot_weight))
    return tuple(item for item in providers if item.weight or item.base)


def _names(key: str, spec: Service, has_gpu: bool) -> Names:
    return Names(
        service=spec.name or f"{key}-service",
        family=spec.family or (f"{key}-gpu" if has_gpu else f"{key}-task"),
        container=key,
        log_group=spec.logs.group or f"/ecs/{key}",
        task_role=f"{key}-task-role",
        execution_role=f"{key}-execution-role",
        security_group=f"{key}-ecs-sg",
        load_balancer=_balancer_name(key, spec),
        target_group=f"{key}-tg",
        alternate_target_group=f"{key}-tg-green",
    )


def _balancer_name(key: str, spec: Service) -> str:
    """A load balancer's name, of at most 32 characters; a new scheme is a new load balancer, beside the old one."""
    inside = spec.load_balancer is not None and not spec.load_balancer.public
    suffix = "-internal-alb" if inside else "-alb"
    if len(key + suffix) <= _LONGEST_BALANCER_NAME:
        return key + suffix
    digest = hashlib.sha256(key.encode()).hexdigest()[:6]
    return f"{key[: _LONGEST_BALANCER_NAME - len(suffix) - 7].rstrip('-')}-{digest}{suffix}"


def _count(spec: Service) -> int:
    count = spec.count if spec.count is not None else (1 if spec.kind == "streams" else 2)
    if spec.scaling is not None:
        return min(max(count, spec.scaling.min), spec.scaling.max)
    return count


def _percentages(spec: Service, strategy: str) -> tuple[int, int]:
    if strategy == "recreate":
        return 0, 100
    minimum = spec.deployment.minimum if spec.deployment.minimum is not None else 100
    maximum = spec.deployment.maximum if spec.deployment.maximum is not None else 200
    return minimum, maximum


def _environment(fleet: FleetFile, spec: Service) -> dict[str, str]:
    values = {"AWS_REGION": fleet.region, "HTTP_PORT": str(spec.port)}
    written = {
        key: str(value).lower() if isinstance(value, bool) else str(value) for key, value in spec.environment.items()
    }
    return values | written


def _command(spec: Service) -> tuple[str, ...]:
    if spec.command is not None:
        return spec.command
    return {"streams": ("inferfleet", "run"), "api": ("inferfleet", "serve")}.get(spec.kind, ())


def tasks_per_instance(service: ResolvedService) -> int:
    """How many tasks of a service one instance of its capacity holds; at least 0."""
    room = service.room
    if room is None:
        return 0
    fits = [room.cpu // service.cpu if service.cpu else math.inf, room.memory // service.memory]
    if service.gpus:
        fits.append(room.gpus // service.gpus)
    if service.shared_gpu is not None:
        fits.append(room.gpus * (room.gpu_memory // service.shared_gpu.memory))
    return int(min(fits))
