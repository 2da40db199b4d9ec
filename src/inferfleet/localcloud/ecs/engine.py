"""The Docker engine, as far as tasks need it: images found or pulled, containers started, seen, stopped, removed."""

from __future__ import annotations

import importlib.util
import os
import re
import threading
import time
from collections.abc import Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

from inferfleet.localcloud.processes import Process

if TYPE_CHECKING:
    from docker import DockerClient

    from inferfleet.localcloud.emulator import Place

_TIMEOUT_S = 60
_NANO = 1_000_000_000
_CONNECTIONS = 256
_REMOVED_AT_ONCE = 8
"""Each container's log is followed over a connection of its own."""
_ECR = re.compile(r"^\d{12}\.dkr\.ecr\.[a-z0-9-]+\.amazonaws\.com(?:\.cn)?(?::\d+)?/(?P<rest>.+)$")
_HEALTH = re.compile(r"\((healthy|unhealthy)\)")


class CannotPull(Exception):
    """An image is neither here nor anywhere that this machine can reach."""


@dataclass(frozen=True, slots=True)
class Seen:
    """A container, as the engine lists it: whether it runs, and what its own health check says."""

    is_running: bool
    health: str


@dataclass(frozen=True, slots=True)
class Usage:
    """What a container has used: seconds of CPU since it began, bytes of memory now, and when that was measured."""

    at: float
    cpu_s: float
    memory: float


class Engine:
    """The engine, and the address at which its containers reach this machine."""

    def __init__(self, place: Place) -> None:
        self._place = place
        self._client: DockerClient | None = None
        self._lock = threading.Lock()
        self._gateway: str | None = None
        self._is_closed = False

    @property
    def client(self) -> DockerClient | None:
        """The engine's client; None where no engine answers."""
        with self._lock:
            if self._client is None:
                self._client = _connected()
            return self._client

    @property
    def required(self) -> DockerClient:
        """The engine's client.

        Raises:
            ConnectionError: No engine answers.
        """
        if (client := self.client) is None:
            raise ConnectionError("the Docker engine does not answer")
        return client

    @property
    def gateway(self) -> str:
        """This machine's address, as containers on the engine's default network see it."""
        if self._gateway is None:
            settings = self.required.networks.get("bridge").attrs["IPAM"]["Config"][0]
            self._gateway = settings.get("Gateway") or settings["Subnet"].rsplit(".", 1)[0] + ".1"
        return self._gateway

    @cached_property
    def has_gpus(self) -> bool:
        """Whether NVIDIA's container runtime is there."""
        return "nvidia" in (self.required.info().get("Runtimes") or {})

    def image(self, reference: str) -> tuple[str, str | None]:
        """Id and registry digest of an image, which is pulled if it is not here.

        Repositories of ECR are looked for in the emulator's own.

        Raises:
            CannotPull: There is none.
        """
        from docker.errors import DockerException, ImageNotFound

        client = self.required
        digest = reference.partition("@")[2]
        for candidate in (reference, digest):
            if candidate:
                with suppress(ImageNotFound):
                    return _identity(client.images.get(candidate), digest)
        found = _ECR.match(reference)
        source = f"{self._place.host}:{self._place.port}/{found['rest']}" if found else reference
        try:
            pulled = client.images.pull(source)
        except (DockerException, OSError) as error:
            raise CannotPull(f"{reference}: {error}") from error
        return _identity(pulled, digest)

    def start(self, image: str, options: Mapping[str, Any]) -> Any:
        """Creates and starts a container.

        Raises:
            docker.errors.APIError: The engine refuses; nothing is left behind.
        """
        container = self.required.containers.create(image, **options)
        try:
            container.start()
            if self._is_closed:
                raise ConnectionError("the local cloud ends")
        except BaseException:
            with suppress(Exception):
                container.remove(v=True, force=True)
            raise
        return container

    def close(self) -> None:
        """Starts no container any more."""
        self._is_closed = True

    def sweep(self, key: str) -> None:
        """Removes the containers of emulators that were killed before they could do so themselves.

        Args:
            key: Of the label that says which process a container belongs to, as `owner` writes it.
        """
        if (client := self.client) is None:
            return
        listed = client.api.containers(all=True, filters={"label": key})
        self.remove(entry["Id"] for entry in listed if not _lives(entry["Labels"][key]))

    def observe(self, label: str) -> dict[str, Seen]:
        """All containers with a label, by id, in one call."""
        if (client := self.client) is None:
            return {}
        listed = client.api.containers(all=True, filters={"label": label})
        return {
            entry["Id"]: Seen(
                is_running=entry["State"] in ("running", "paused", "created", "restarting"),
                health=found[1].upper() if (found := _HEALTH.search(entry["Status"])) else "UNKNOWN",
            )
            for entry in listed
        }

    def address(self, container_id: str) -> str:
        """IP address of a container on the engine's default network."""
        networks = self.required.api.inspect_container(container_id)["NetworkSettings"]["Networks"]
        return next((str(network["IPAddress"]) for network in networks.values()), "")

    def exit_code(self, container_id: str) -> int | None:
        """With what a container ended; None while it runs, or if it is gone."""
        from docker.errors import NotFound

        try:
            state = self.required.api.inspect_container(container_id)["State"]
        except NotFound:
            return None
        return None if state["Running"] else int(state["ExitCode"])

    def health(self, container_id: str) -> str:
        """What a container's own health check says: HEALTHY, UNHEALTHY or UNKNOWN."""
        state = self.required.api.inspect_container(container_id)["State"]
        found = str(state.get("Health", {}).get("Status", "")).upper()
        return found if found in ("HEALTHY", "UNHEALTHY") else "UNKNOWN"

    def was_out_of_memory(self, container_id: str) -> bool:
        """Whether a container was killed for the memory that it used."""
        with suppress(Exception):
            return bool(self.required.api.inspect_container(container_id)["State"]["OOMKilled"])
        return False

    def usage(self, container_id: str) -> Usage | None:
        """What a container has used; None if it is gone, or going."""
        from docker.errors import APIError

        try:
            found = self.required.api.stats(container_id, stream=False, one_shot=True)
        except (APIError, ValueError):
            return None
        memory = found.get("memory_stats") or {}
        details = memory.get("stats") or {}
        idle = details.get("total_inactive_file", details.get("inactive_file", 0))
        return Usage(
            time.monotonic(),
            found["cpu_stats"]["cpu_usage"]["total_usage"] / _NANO,
            float(max(0, memory.get("usage", 0) - idle)),
        )

    def stop(self, container_id: str, timeout: int) -> None:
        """SIGTERM, and after `timeout` seconds SIGKILL; returns when it has ended."""
        from docker.errors import APIError

        with suppress(APIError):
            self.required.containers.get(container_id).stop(timeout=timeout)

    def remove(self, container_ids: Iterable[str], volumes: Iterable[str] = ()) -> None:
        """Removes containers, running or not, and named volumes."""
        from docker.errors import APIError

        def remove(container_id: str) -> None:
            with suppress(APIError):
                self.required.api.remove_container(container_id, v=True, force=True)

        with ThreadPoolExecutor(_REMOVED_AT_ONCE) as pool:
            list(pool.map(remove, container_ids))
        for volume in volumes:
            with suppress(APIError):
                self.required.api.remove_volume(volume)


def owner() -> str:
    """This process, so that it is known from another one with the same number."""
    return f"{os.getpid()}-{Process.of(os.getpid()).started}"


def _lives(label: str) -> bool:
    pid, _, started = label.partition("-")
    return Process(int(pid), int(started)).is_alive


def _connected() -> DockerClient | None:
    if importlib.util.find_spec("docker") is None:
        return None
    import docker
    from docker.errors import DockerException

    try:
        client = docker.from_env(timeout=_TIMEOUT_S, max_pool_size=_CONNECTIONS)
        client.ping()
    except (DockerException, OSError):
        return None
    return client


def _identity(image: Any, digest: str) -> tuple[str, str | None]:
    digests = [entry.partition("@")[2] for entry in image.attrs.get("RepoDigests") or []]
    return image.id, digest or (digests[0] if digests else None)
