"""A container definition → what the Docker engine is told, purely."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

Json = dict[str, Any]

DEFAULT_STOP_TIMEOUT_S = 30
PATIENCE = 4
"""How many times as long as on AWS a health check may take, as all tasks share this machine's cores. What is refused or
answered with an error fails as soon as there."""
_RETRIES = 2
"""How many times as many failures in a row make a container unhealthy, for the same reason."""
_MEBIBYTE = 2**20
_NANO = 1_000_000_000
_HEALTH_DEFAULTS = {"interval": 30, "timeout": 5, "retries": 3, "startPeriod": 0}
"""ECS's own (API reference, HealthCheck)."""


def options(
    definition: Json, task: Json, environment: Mapping[str, str], volumes: Sequence[str], *, has_gpus: bool = False
) -> Json:
    """Arguments of docker-py's `containers.create`, without name, labels and network.

    Args:
        definition: A container definition with the overrides of the task applied.
        task: The task definition.
        environment: Variables of the container.
        volumes: Bind strings, as `binds` makes them.
        has_gpus: Whether the engine can lend GPUs; without, a container that wants some goes without.
    """
    linux = definition.get("linuxParameters") or {}
    capabilities = linux.get("capabilities") or {}
    found: Json = {
        "environment": dict(environment),
        "command": definition.get("command") or None,
        "entrypoint": definition.get("entryPoint") or None,
        "working_dir": definition.get("workingDirectory"),
        "user": definition.get("user"),
        "hostname": definition.get("hostname"),
        "privileged": bool(definition.get("privileged", False)),
        "read_only": bool(definition.get("readonlyRootFilesystem", False)),
        "tty": bool(definition.get("pseudoTerminal", False)),
        "stdin_open": bool(definition.get("interactive", False)),
        "init": bool(linux.get("initProcessEnabled", False)),
        "cap_add": capabilities.get("add") or None,
        "cap_drop": capabilities.get("drop") or None,
        "security_opt": definition.get("dockerSecurityOptions") or None,
        "cpu_shares": max(2, int(definition.get("cpu") or task.get("cpu") or 2)),
        "volumes": list(volumes) or None,
        "tmpfs": {entry["containerPath"]: _tmpfs(entry) for entry in linux.get("tmpfs") or []} or None,
        "healthcheck": health_check(definition),
        **_memory(definition, task),
    }
    if has_gpus and (count := gpus(definition)):
        from docker.types import DeviceRequest

        found["device_requests"] = [DeviceRequest(count=count, capabilities=[["gpu"]])]
    if shared := linux.get("sharedMemorySize"):
        found["shm_size"] = int(shared) * _MEBIBYTE
    return {key: value for key, value in found.items() if value is not None}


def gpus(definition: Json) -> int:
    """How many GPUs a container wants."""
    wanted = definition.get("resourceRequirements") or []
    return sum(int(entry["value"]) for entry in wanted if entry.get("type") == "GPU")


def health_check(definition: Json) -> Json:
    """The engine's health check. ECS looks at the container definition's alone, never at the image's."""
    check = definition.get("healthCheck")
    if not check or not check.get("command"):
        return {"test": ["NONE"]}
    command = list(check["command"])
    if command[0] not in ("CMD", "CMD-SHELL"):
        command = ["CMD", *command]
    values = {key: int(check.get(key) or default) for key, default in _HEALTH_DEFAULTS.items()}
    return {
        "test": command,
        "interval": values["interval"] * _NANO,
        "timeout": values["timeout"] * PATIENCE * _NANO,
        "retries": values["retries"] * _RETRIES,
        "start_period": values["startPeriod"] * _NANO,
    }


def binds(task: Json, definition: Json, prefix: str) -> list[str]:
    """Bind strings of a container's mount points.

    Args:
        task: The task definition.
        definition: The container definition.
        prefix: Of the names of volumes that live as long as the task.
    """
    hosts = {volume["name"]: (volume.get("host") or {}).get("sourcePath") for volume in task.get("volumes") or []}
    found = []
    for mount in definition.get("mountPoints") or []:
        name, path = mount.get("sourceVolume"), mount.get("containerPath")
        if name in hosts and path:
            source = hosts[name] or f"{prefix}-{name}"
            found.append(f"{source}:{path}:{'ro' if mount.get('readOnly') else 'rw'}")
    return found


def in_order(definitions: Iterable[Json]) -> list[Json]:
    """Container definitions, each after those that it depends on; in a circle, as they come."""
    waiting = list(definitions)
    done: list[Json] = []
    while waiting:
        names = {definition["name"] for definition in waiting}
        ready = [one for one in waiting if not names & {link["containerName"] for link in one.get("dependsOn") or []}]
        done += ready or waiting
        waiting = [one for one in waiting if one not in done]
    return done


def overridden(definition: Json, overrides: Sequence[Json]) -> Json:
    """A container definition with RunTask's overrides of it applied."""
    mine = next((entry for entry in overrides if entry.get("name") == definition["name"]), {})
    merged = {**definition, **{key: value for key, value in mine.items() if key not in ("name", "environment")}}
    variables = {entry["name"]: entry["value"] for entry in definition.get("environment") or []}
    variables.update({entry["name"]: entry["value"] for entry in mine.get("environment") or []})
    merged["environment"] = [{"name": name, "value": value} for name, value in variables.items()]
    return merged


def _memory(definition: Json, task: Json) -> Json:
    """Limits: the container's own, else the task's."""
    limit = definition.get("memory") or task.get("memory")
    found: Json = {"mem_limit": int(limit) * _MEBIBYTE} if limit else {}
    if reserved := definition.get("memoryReservation"):
        found["mem_reservation"] = int(reserved) * _MEBIBYTE
    return found


def _tmpfs(entry: Json) -> str:
    return ",".join([f"size={int(entry['size'])}m", *(entry.get("mountOptions") or [])])
