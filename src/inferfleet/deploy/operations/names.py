"""The names of a fleet's stacks, in the order in which they are deployed."""

from __future__ import annotations

from inferfleet.deploy.resolve import ResolvedFleet

RECOVERY_STACK = "EcsGpuRecoveryStack"


def stack_names(fleet: ResolvedFleet) -> tuple[str, ...]:
    """Every stack that a fleet may have; those that it does not need are not there."""
    name = fleet.file.name
    services = [f"{name}-{service.key}" for service in fleet.services]
    recovery = [RECOVERY_STACK] if fleet.file.recovery is not None else []
    return (f"{name}-network", f"{name}-registry", f"{name}-cluster", *services, f"{name}-observability", *recovery)


def service_stack(fleet: ResolvedFleet, key: str) -> str:
    """The stack of a service."""
    return f"{fleet.file.name}-{key}"
