"""A resolved fleet as plain data, for `inferfleet show` and for programs."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

from inferfleet.deploy.resolve import ResolvedFleet, ResolvedService, tasks_per_instance


def as_data(fleet: ResolvedFleet) -> dict[str, Any]:
    """Returns everything that is in force: what the file says, its defaults, and what is derived from both."""
    data = fleet.file.model_dump(mode="json", exclude_none=True)
    data["account"] = fleet.account
    data["cluster"] = fleet.cluster
    data["services"] = {service.key: _service(service) for service in fleet.services}
    return data


def _service(service: ResolvedService) -> dict[str, Any]:
    data = service.spec.model_dump(mode="json", exclude_none=True)
    data |= {
        "target": service.target,
        "image": service.image,
        "cpu": service.cpu,
        "memory": service.memory,
        "count": service.count,
        "environment": dict(service.environment),
        "command": list(service.command),
    }
    data["deployment"] |= {"strategy": service.strategy, "minimum": service.minimum, "maximum": service.maximum}
    data["health"] |= {"path": service.health_path}
    data["names"] = asdict(service.names)
    if service.providers:
        data["capacity_provider_strategy"] = [asdict(provider) for provider in service.providers]
    if service.room is not None:
        data["tasks_per_instance"] = tasks_per_instance(service)
    return data
