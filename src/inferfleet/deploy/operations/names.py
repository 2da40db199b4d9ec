"""The names of a fleet's stacks, in the order in which they are deployed."""

from __future__ import annotations

from inferfleet.deploy.resolve import ResolvedFleet

RECOVERY_STACK = "EcsGpuRecoveryStack"


def stack_names(fleet: ResolvedFleet) -> tuple[str, ...]:
    """Every stack that a fleet may have; those that it does not need are not there."""
    name = fleet.file.name
    services = [service_stack(fleet, service.key) for service in fleet.services if service.target != "eks"]
    kubernetes = [f"{name}-kubernetes"] if len(services) < len(fleet.services) else []
    recovery = [RECOVERY_STACK] if fleet.file.recovery is not None else []
    base = (f"{name}-network", f"{name}-registry", f"{name}-cluster")
    return (*base, *kubernetes, *services, f"{name}-observability", *recovery)


def service_stack(fleet: ResolvedFleet, key: str) -> str:
    """The stack of a service on ECS; those on EKS share one."""
    return f"{fleet.file.name}-{key}"
