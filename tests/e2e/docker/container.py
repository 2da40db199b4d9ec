"""A container as a cautious platform runs it: nothing writable, no capabilities, no way to more rights."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import docker
import httpx
from docker.models.containers import Container as DockerContainer

DEADLINE = 120
PORT = "8080/tcp"


class Container:
    """A container of an image; it is gone, with its volumes, when the block ends."""

    def __init__(
        self,
        image: str,
        *command: str,
        config: Path | None = None,
        environment: Mapping[str, str] | None = None,
        **more: Any,
    ) -> None:
        """Starts it.

        Args:
            image: The image's name.
            command: What runs in it; the image's own command when left out.
            config: A folder that it finds at /app/config, read-only.
            environment: Its variables.
            more: Whatever else `docker run` takes, as the Docker SDK calls it.
        """
        self._client = docker.from_env()
        settings: dict[str, Any] = {
            "read_only": True,
            "cap_drop": ["ALL"],
            "security_opt": ["no-new-privileges"],
            "ports": {PORT: ("127.0.0.1", None)},
        } | more
        if config is not None:
            # Temporary folders of tests are for their user alone; the container's user is another.
            config.chmod(0o755)
            settings["volumes"] = {str(config): {"bind": "/app/config", "mode": "ro"}}
        self._container: DockerContainer = self._client.containers.run(
            image, list(command) or None, detach=True, environment=dict(environment or {}), **settings
        )

    def __enter__(self) -> Container:
        return self

    def __exit__(self, *_: object) -> None:
        self._container.remove(force=True, v=True)
        self._client.close()

    @property
    def url(self) -> str:
        """Where its port is to be reached from here."""
        self._container.reload()
        (published,) = self._container.ports[PORT]
        return f"http://127.0.0.1:{published['HostPort']}"

    @property
    def output(self) -> str:
        """What it has printed to stdout."""
        return str(self._container.logs(stdout=True, stderr=False).decode())

    @property
    def log(self) -> str:
        """What it has printed to stderr."""
        return str(self._container.logs(stdout=False, stderr=True).decode())

    def wait_until(self, path: str, fulfilled: Callable[[httpx.Response], bool]) -> httpx.Response:
        """Asks a path until the answer is as wanted."""
        until = time.monotonic() + DEADLINE
        while time.monotonic() < until:
            self._container.reload()
            assert self._container.status == "running", self.log
            try:
                answer = httpx.get(self.url + path, timeout=DEADLINE)
            except httpx.TransportError:
                # Docker takes connections before the application listens.
                time.sleep(0.1)
                continue
            if fulfilled(answer):
                return answer
            time.sleep(0.1)
        raise AssertionError(f"{path} never answered as wanted; the end of the log:\n{self.log[-2000:]}")

    def run(self, *command: str, **options: Any) -> tuple[int, str]:
        """Runs a command in it: exit code, and what it printed."""
        code, output = self._container.exec_run(list(command), **options)
        return int(code), output.decode(errors="replace")

    def stop(self, seconds: int = 60) -> int:
        """Stops it as ECS does, by SIGTERM, and SIGKILL after so many seconds: its exit code."""
        self._container.stop(timeout=seconds)
        return self.wait()

    def wait(self) -> int:
        """Waits until it has ended: its exit code."""
        return int(self._container.wait(timeout=DEADLINE)["StatusCode"])
