"""AWS on this machine: MiniStack and our Kinesis Video Streams beside it, started, found again, and stopped."""

from __future__ import annotations

import importlib.util
import json
import os
import socket
import sys
import urllib.error
import urllib.request
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from inferfleet.errors import InputError, OutsideError
from inferfleet.localcloud import processes
from inferfleet.localcloud.processes import Process

HOST = "127.0.0.1"
EVERYWHERE = "0.0.0.0"
ACCOUNT = "000000000000"
_STATE_FILE = "cloud.json"
_START_S = 90.0


@dataclass(frozen=True, slots=True)
class Service:
    """One of the two servers.

    Attributes:
        name: As people call it.
        url: Where it listens.
        health: Path that answers once it is ready.
        log: What it prints.
        process: The process that it is.
    """

    name: str
    url: str
    health: str
    log: Path
    process: Process

    @property
    def is_healthy(self) -> bool:
        """Whether it answers."""
        return self.process.is_alive and answers(self.url + self.health)


@dataclass(frozen=True, slots=True)
class Cloud:
    """A running local cloud.

    Attributes:
        region: What it is called.
        services: Its servers, by their role: `aws` (absent where only Kinesis Video Streams was wanted) and `kvs`.
    """

    region: str
    services: dict[str, Service]

    def environment(self) -> dict[str, str]:
        """The variables that make boto3, the AWS command line, the CDK and inferfleet use it."""
        found = {
            "AWS_ACCESS_KEY_ID": "test",
            "AWS_SECRET_ACCESS_KEY": "test",
            "AWS_REGION": self.region,
            "AWS_DEFAULT_REGION": self.region,
            "AWS_ACCOUNT_ID": ACCOUNT,
            "AWS_EC2_METADATA_DISABLED": "true",
        }
        if "aws" in self.services:
            found["AWS_ENDPOINT_URL"] = self.services["aws"].url
        for service in ("KINESIS_VIDEO", "KINESIS_VIDEO_MEDIA", "KINESIS_VIDEO_ARCHIVED_MEDIA"):
            found[f"AWS_ENDPOINT_URL_{service}"] = self.services["kvs"].url
        return found


def folder() -> Path:
    """Where the local cloud keeps its state: $INFERFLEET_LOCAL_DIR, else below the user's state folder."""
    if chosen := os.environ.get("INFERFLEET_LOCAL_DIR"):
        return Path(chosen)
    state = os.environ.get("XDG_STATE_HOME") or Path.home() / ".local" / "state"
    return Path(state) / "inferfleet" / "local"


def find(home: Path) -> Cloud | None:
    """The local cloud that runs, if one does."""
    try:
        kept = json.loads((home / _STATE_FILE).read_text())
        cloud = Cloud(kept["region"], {role: _service(values) for role, values in kept["services"].items()})
    except (OSError, ValueError, KeyError, TypeError):
        return None
    return cloud if any(service.process.is_alive for service in cloud.services.values()) else None


def start(
    home: Path,
    *,
    host: str = HOST,
    port: int = 4566,
    kvs_port: int = 4567,
    region: str = "us-east-1",
    faults: Sequence[str] = (),
    only_kvs: bool = False,
) -> Cloud:
    """Starts it and waits until it answers.

    Args:
        home: Where its state and logs go.
        host: Address to listen at; 0.0.0.0 for other machines and containers to reach it.
        port: Of MiniStack; 0 for any that is free.
        kvs_port: Of Kinesis Video Streams; 0 for any that is free.
        region: What it is called.
        faults: For Kinesis Video Streams, as `kvs.faults.parse` reads them.
        only_kvs: Leave MiniStack out.

    Raises:
        InputError: A fault cannot be read, or MiniStack is not installed.
        OutsideError: A port is taken, or a server does not start.
    """
    from inferfleet.localcloud.kvs import faults as known

    for spec in faults:
        known.parse(spec)
    home.mkdir(parents=True, exist_ok=True)
    kvs_port = _free(host, kvs_port, "--kvs-port")
    begun: dict[str, Service] = {}
    try:
        if not only_kvs:
            begun["aws"] = _start_ministack(home, host, port, kvs_port, region)
        begun["kvs"] = _start_kvs(home, host, kvs_port, region, faults)
        for service in begun.values():
            ready = lambda service=service: answers(service.url + service.health)  # noqa: E731
            processes.wait_until(ready, service.process, service.name, service.log, _START_S)
    except BaseException:
        for service in begun.values():
            processes.stop(service.process)
        raise
    cloud = Cloud(region, begun)
    _keep(home, cloud)
    return cloud


def stop(home: Path) -> bool:
    """Stops it; whether there was anything to stop."""
    cloud = find(home)
    if cloud is not None:
        for service in cloud.services.values():
            processes.stop(service.process)
    (home / _STATE_FILE).unlink(missing_ok=True)
    return cloud is not None


def answers(url: str) -> bool:
    """Whether something answers at an address with a status that is no server error."""
    try:
        with urllib.request.urlopen(url, timeout=2):
            return True
    except urllib.error.HTTPError as error:
        return error.code < 500  # noqa: PLR2004 - HTTP's server errors
    except OSError:
        return False


def _start_ministack(home: Path, host: str, port: int, kvs_port: int, region: str) -> Service:
    if importlib.util.find_spec("ministack") is None:
        raise InputError('MiniStack is not installed; `pip install "inferfleet[local]"`, or use --only-kvs')
    port = _free(host, port, "--port")
    environment = {
        "GATEWAY_PORT": str(port),
        "BIND_HOST": host,
        "MINISTACK_HOST": os.environ.get("MINISTACK_HOST", HOST),
        "MINISTACK_REGION": region,
        "MINISTACK_ACCOUNT_ID": ACCOUNT,
        "S3_DATA_DIR": str(home / "s3"),
        "IOT_MTLS_ENABLED": "0",
        "LOG_LEVEL": os.environ.get("LOG_LEVEL", "WARNING"),
    }
    log = home / "ministack.log"
    command = [sys.executable, "-m", "inferfleet.localcloud.emulator", "--kvs-port", str(kvs_port)]
    process = processes.start(command, environment, log)
    return Service("MiniStack", f"http://{_own(host)}:{port}", "/_ministack/health", log, process)


def _start_kvs(home: Path, host: str, port: int, region: str, faults: Sequence[str]) -> Service:
    command = [sys.executable, "-m", "inferfleet.localcloud.kvs.server", "--host", host, "--port", str(port)]
    command += ["--region", region]
    for spec in faults:
        command += ["--fault", spec]
    log = home / "kvs.log"
    process = processes.start(command, {}, log)
    return Service("Kinesis Video Streams", f"http://{_own(host)}:{port}", "/_inferfleet/state", log, process)


def _own(host: str) -> str:
    """Where this machine itself reaches what listens at `host`."""
    return HOST if host == EVERYWHERE else host


def _free(host: str, port: int, option: str) -> int:
    """The port, or for 0 one that is free.

    Raises:
        OutsideError: Something listens there already.
    """
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
        except OSError as error:
            raise OutsideError(
                f"port {port} of {host} is taken; stop what listens there, or choose another with {option}"
            ) from error
        return int(probe.getsockname()[1])


def _keep(home: Path, cloud: Cloud) -> None:
    (home / _STATE_FILE).write_text(json.dumps(asdict(cloud), default=str, indent=1))


def _service(values: dict[str, Any]) -> Service:
    process = Process(**values["process"])
    return Service(values["name"], values["url"], values["health"], Path(values["log"]), process)
