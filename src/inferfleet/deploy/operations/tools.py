"""The programs that operations run beside AWS's APIs: Docker, Node and the CDK command line."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

from inferfleet.errors import OutsideError

INSTALL_CDK = "npm install -g aws-cdk@2"
_ENV = "node_modules/.bin/cdk"
_TAIL = 25
SILENCE = {
    "JSII_SILENCE_WARNING_DEPRECATED_NODE_VERSION": "1",
    "JSII_SILENCE_WARNING_END_OF_LIFE_NODE_VERSION": "20,21,23",
}
"""Variables that keep the CDK's bridge from printing about the version of Node; the doctor tells it in a line."""


def find_cdk() -> str | None:
    """The CDK command line: on PATH, else where `make` installs it beside this Python."""
    for candidate in (shutil.which("cdk"), Path(sys.prefix) / "cdk" / _ENV):
        if candidate is not None and Path(candidate).is_file():
            return str(candidate)
    return None


def version_of(*command: str) -> str | None:
    """What a program says its version is; None when it is not there or cannot say."""
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False, env=quiet_node())
    except (OSError, subprocess.TimeoutExpired):
        return None
    found = re.search(r"\d+(?:\.\d+)+", done.stdout)
    return found[0] if done.returncode == 0 and found else None


def quiet_node(more: Mapping[str, str] | None = None) -> dict[str, str]:
    """The environment for Node's programs, which otherwise print about their own versions first."""
    return {**os.environ, **SILENCE, **(more or {})}


def run(
    command: Sequence[str],
    on_line: Callable[[str], None],
    *,
    environment: Mapping[str, str] | None = None,
    folder: Path | None = None,
) -> None:
    """Runs a program to its end and hands on each line that it prints.

    On Ctrl-C the program gets the same signal from the terminal; what AWS does by then goes on there.

    Raises:
        OutsideError: It cannot be started, or ends with another code than 0; with its last lines.
    """
    try:
        process = subprocess.Popen(
            command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
            errors="replace", env={**os.environ, **(environment or {})}, cwd=folder,
        )  # fmt: skip
    except OSError as error:
        raise OutsideError(f"{command[0]} cannot be started: {error.strerror}") from error
    kept: list[str] = []
    with process, _ended(process):
        assert process.stdout is not None
        for text in process.stdout:
            line = re.sub(r"\x1b\[[0-9;]*[A-Za-z]", "", text).rstrip()
            kept = [*kept[-_TAIL:], line]
            on_line(line)
    if process.returncode:
        last = "\n".join(f"  {line}" for line in kept if line)
        raise OutsideError(f"{Path(command[0]).name} {command[1]} ended with {process.returncode}:\n{last}")


@contextmanager
def _ended(process: subprocess.Popen[str]) -> Iterator[None]:
    try:
        yield
    except BaseException:
        process.terminate()
        raise


def docker_answers() -> str | None:
    """Why Docker does not answer; None when it does."""
    if shutil.which("docker") is None:
        return "docker is not installed"
    done = subprocess.run(
        ["docker", "version", "--format", "{{.Server.Version}}"], capture_output=True, text=True, check=False
    )
    return None if done.returncode == 0 else (done.stderr.strip().splitlines() or ["it does not answer"])[-1]


def docker_architecture() -> str:
    """The processors of the machine that Docker runs on, such as `amd64`; empty when it does not answer."""
    command = ["docker", "version", "--format", "{{.Server.Arch}}"]
    return subprocess.run(command, capture_output=True, text=True, check=False).stdout.strip()


def docker_inspect(image: str, field: str) -> str | None:
    """A field of an image, such as `{{.Id}}`; None when there is no such image."""
    command = ["docker", "image", "inspect", "--format", field, image]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    return done.stdout.strip() if done.returncode == 0 else None


def docker_names(repository: str) -> list[str]:
    """`repository:tag` of all images of a repository that the Docker engine has; none where there is no Docker."""
    return _lines("docker", "image", "ls", "--format", "{{.Repository}}:{{.Tag}}", repository)


def docker_places(cluster: str) -> list[str]:
    """The local cloud, as `host:port`, of each container of an ECS cluster, in any state."""
    which = f"label=com.amazonaws.ecs.cluster={cluster}"
    return _lines("docker", "ps", "--all", "--filter", which, "--format", '{{.Label "ministack.instance"}}')


def docker_forget(name: str) -> None:
    """Takes a name from an image, and removes the image if that was its last.

    Raises:
        OutsideError: Docker will not.
    """
    run(["docker", "image", "rm", name], lambda _: None)


def _lines(*command: str) -> list[str]:
    try:
        return subprocess.run(command, capture_output=True, text=True, check=False).stdout.split()
    except OSError:
        return []


def docker_login(registry: str, user: str, password: str) -> None:
    """Signs Docker in to a registry.

    Raises:
        OutsideError: It will not have us.
    """
    command = ["docker", "login", "--username", user, "--password-stdin", registry]
    done = subprocess.run(command, input=password, capture_output=True, text=True, check=False)
    if done.returncode:
        raise OutsideError(f"docker login {registry} failed: {done.stderr.strip()}")


def repo_digests(image: str) -> list[str]:
    """`repository@sha256:…` of everywhere that an image was pushed to or pulled from."""
    found = docker_inspect(image, "{{json .RepoDigests}}")
    return list(json.loads(found)) if found else []
