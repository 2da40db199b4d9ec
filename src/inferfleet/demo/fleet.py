"""A fleet's whole life in a few minutes: deployed, replaced twice under load, spoilt, scaled, and removed.

Everything is done by the commands that a user would type, on a local cloud of its own, with containers of the real
image; what is told are the answers of the containers and what the commands ended with.
"""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from inferfleet.demo.fleet_load import Load, post
from inferfleet.deploy.operations import tools
from inferfleet.deploy.start import Template, from_template
from inferfleet.errors import InputError, OutsideError
from inferfleet.localcloud import cloud as localcloud

NAME = "ml-inference"
_BUILD, _IMAGE = "docker/build.py", "inferfleet:cpu"
_CLOUD = "cloud"
FASTER = {"INFERFLEET_LOCAL_PACE": "60", "INFERFLEET_AUTOSCALING_MINUTE_S": "2"}
"""A minute of baking and draining passes in a second, one of autoscaling in two."""
CALM, STORM = 8.0, 40.0
"""Requests a second while versions change, and to make it scale out."""
_LEAST, _MOST = 2, 4
_PER_TASK = 600
"""Requests a minute and task that autoscaling holds: above the calm's share, below the storm's."""
_SCALING_S = 90.0
_POLL_S = 0.5
_GOOD, _BAD = 0, 1

Tell = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class Ran:
    """A command that ended.

    Attributes:
        code: Its exit code.
        said: What it printed on standard output.
        seconds: How long it took.
    """

    code: int
    said: str
    seconds: float


@dataclass(frozen=True, slots=True)
class Rollout:
    """A new version that came under load.

    Attributes:
        strategy: How.
        ran: The deployment.
        sent: Requests meanwhile.
        failed: Those that were not answered with 200.
        examples: The first failures, in words.
        version: What the fleet's tasks run afterwards, as `family:revision`.
    """

    strategy: str
    ran: Ran
    sent: int
    failed: int
    examples: tuple[str, ...]
    version: str


@dataclass(frozen=True)
class Life:
    """What was seen.

    Attributes:
        first: The first deployment.
        answer: What /predict answered.
        rollouts: New versions that are good.
        spoilt: A new version that fails its health check.
        refused: The plan of a change that would send requests where no task is.
        scaled_out: The most tasks that ran under load.
        scaled_in: The tasks that ran when it was calm again.
        removed: The removal.
        removed_again: A second removal.
        containers: Containers that are left of it.
        seconds: All together.
    """

    first: Ran
    answer: dict[str, Any]
    rollouts: tuple[Rollout, ...]
    spoilt: Rollout
    refused: Ran
    scaled_out: int
    scaled_in: int
    removed: Ran
    removed_again: Ran
    containers: tuple[str, ...]
    seconds: float

    @property
    def complaint(self) -> str:
        """What was not as it should be; empty when all was."""
        wrong = [
            (not self.answer.get("predictions"), "/predict did not answer"),
            (self.spoilt.ran.code != _BAD, f"the spoilt version ended with {self.spoilt.ran.code}"),
            ("rolled back" not in self.spoilt.ran.said, "the spoilt version was not reported as rolled back"),
            (self.refused.code != _BAD, f"the plan that loses the traffic ended with {self.refused.code}"),
            (self.scaled_out <= _LEAST, "load did not make it scale out"),
            (self.scaled_in != _LEAST, f"calm left {self.scaled_in} tasks"),
            (self.removed.code != _GOOD, f"the removal ended with {self.removed.code}"),
            ("nothing is left" not in self.removed.said, "something is left"),
            (bool(self.containers), f"containers are left: {', '.join(self.containers)}"),
        ]
        for item in self.rollouts:
            wrong.append((item.ran.code != _GOOD, f"{item.strategy} ended with {item.ran.code}"))
        for item in (*self.rollouts, self.spoilt):
            lost = f"{item.failed} of {item.sent} requests failed during {item.strategy}: {item.examples}"
            wrong.append((item.failed > 0 or not item.sent, lost))
        return "; ".join(text for is_wrong, text in wrong if is_wrong)

    @property
    def summary(self) -> str:
        """All of it in a line."""
        sent = sum(item.sent for item in (*self.rollouts, self.spoilt))
        failed = sum(item.failed for item in (*self.rollouts, self.spoilt))
        times = ", ".join(f"{item.strategy} {item.ran.seconds:.0f} s" for item in self.rollouts)
        return (
            f"demo-fleet: deployed in {self.first.seconds:.0f} s, {times}, a spoilt version rolled back in "
            f"{self.spoilt.ran.seconds:.0f} s, {sent} requests, {failed} failed, {_LEAST} to {self.scaled_out} to "
            f"{self.scaled_in} tasks, removed in {self.removed.seconds:.0f} s, {self.seconds:.0f} s in all"
        )


def live(folder: Path, image: str, step: Tell, line: Tell) -> Life:
    """Lives a fleet's life.

    Args:
        folder: Gets the fleet.yaml, the picture and the local cloud's state.
        image: Our image, in the Docker engine.
        step: Is told what begins.
        line: Is told each line that the commands print.

    Raises:
        OutsideError: The local cloud does not start, or the fleet does not answer at all.
    """
    began = time.monotonic()
    folder = folder.resolve()
    with _cloud(folder) as environment:
        site = _Site(folder, image, environment, line)
        try:
            return _story(site, step, began)
        finally:
            site.run("destroy", "--yes")


def _story(site: _Site, step: Tell, began: float) -> Life:
    picture = draw(site.folder / "picture.jpg")
    step("a fleet.yaml becomes containers behind a load balancer")
    site.write({"RELEASE": "1"}, "rolling")
    first = site.deploy()
    if first.code != _GOOD:
        raise OutsideError(f"the first deployment ended with {first.code}: {first.said[-1000:]}")
    url = f"{site.address()}/predict"
    answer, problem = post(url, picture)
    if problem:
        raise OutsideError(f"the fleet does not answer at {url}: {problem}")
    step(f"version 2 comes by a rolling update, under {CALM:g} requests a second")
    site.write({"RELEASE": "2"}, "rolling")
    rolling = _roll(site, "rolling", url, picture)
    step("version 3 listens at another port than its health check asks: it must not stay")
    site.write({"RELEASE": "3", "HTTP_PORT": "5999"}, "rolling")
    spoilt = _roll(site, "rolling", url, picture)
    step(f"version 4 comes by blue/green, under {CALM:g} requests a second")
    site.write({"RELEASE": "4"}, "blue-green")
    blue_green = _roll(site, "blue-green", url, picture)
    step("back to rolling updates, while blue/green has left the traffic on its second target group: the plan refuses")
    site.write({"RELEASE": "5"}, "rolling")
    refused = site.run("plan")
    step(f"{STORM:g} requests a second: it scales out; then calm: it scales in")
    with Load(url, picture, STORM, threads=16):
        scaled_out = site.tasks_become(lambda count: count > _LEAST)
    scaled_in = site.tasks_become(lambda count: count == _LEAST)
    step("and it is removed, twice")
    removed = site.run("destroy", "--yes")
    again = site.run("destroy", "--yes")
    return Life(
        first, json.loads(answer), (rolling, blue_green), spoilt, refused, scaled_out, scaled_in, removed, again,
        site.containers(), time.monotonic() - began,
    )  # fmt: skip


def _roll(site: _Site, strategy: str, url: str, picture: bytes) -> Rollout:
    with Load(url, picture, CALM) as load:
        ran = site.deploy()
    return Rollout(strategy, ran, load.sent, load.failed, tuple(load.examples), site.version())


class _Site:
    """The fleet's file, and the commands that act on it."""

    def __init__(self, folder: Path, image: str, environment: dict[str, str], line: Tell) -> None:
        self.folder, self._image = folder, image
        self._environment, self._line = environment, line
        self.fleet = folder / "fleet.yaml"

    def write(self, variables: dict[str, str], strategy: str) -> None:
        """Writes the fleet: the example that ships, with numbers that fit one machine."""
        fleet = yaml.safe_load(from_template(Template.API, NAME, "us-east-1").files["fleet.yaml"])
        fleet.pop("account", None)
        service = fleet["services"][NAME]
        service["environment"] |= variables
        service["count"] = _LEAST
        service["scaling"] = {
            "min": _LEAST, "max": _MOST, "requests": _PER_TASK, "scale_in_cooldown": 60, "scale_out_cooldown": 60
        }  # fmt: skip
        service["health"] = {"interval": 5, "timeout": 5, "retries": 3, "start_period": 10}
        service["load_balancer"] |= {"deregistration_seconds": 60}
        service["deployment"] = {"strategy": strategy} | ({"bake_minutes": 5} if strategy == "blue-green" else {})
        service["stop_seconds"] = 30
        self.fleet.write_text(yaml.safe_dump(fleet, sort_keys=False))

    def deploy(self) -> Ran:
        """Deploys the fleet as it is written."""
        return self.run("deploy", "--yes", "--image", f"{NAME}={self._image}")

    def run(self, command: str, *options: str) -> Ran:
        """Runs a command of inferfleet on the fleet."""
        arguments = [sys.executable, "-m", "inferfleet", command, str(self.fleet), "--local", *options]
        began, said = time.monotonic(), list[str]()
        self._line(f"$ inferfleet {command} fleet.yaml --local {' '.join(options)}")
        with subprocess.Popen(
            arguments, env=self._environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
        ) as process:
            assert process.stdout is not None
            try:
                for text in process.stdout:
                    said.append(text)
                    self._line(text.rstrip())
            except BaseException:
                process.send_signal(signal.SIGINT)  # as Ctrl-C at a terminal does
                raise
        return Ran(process.returncode, "".join(said), time.monotonic() - began)

    def status(self) -> dict[str, Any]:
        """The service's part of `inferfleet status --json`."""
        arguments = [sys.executable, "-m", "inferfleet", "status", str(self.fleet), "--local", "--json"]
        done = subprocess.run(arguments, env=self._environment, capture_output=True, text=True, check=False)
        if not done.stdout:
            raise OutsideError(f"inferfleet status ended with {done.returncode}: {done.stderr[-500:]}")
        return dict(json.loads(done.stdout)["services"][0])

    def containers(self) -> tuple[str, ...]:
        """Containers that the local cloud has made and not removed, in any state."""
        running = localcloud.find(self.folder / _CLOUD)
        if running is None:
            return ()
        port = running.services["aws"].url.rpartition(":")[2]
        columns = '{{.Names}} {{.Label "ministack.instance"}}'
        command = ["docker", "ps", "--all", "--filter", "label=ministack=ecs", "--format", columns]
        listed = subprocess.run(command, capture_output=True, text=True, check=True).stdout.splitlines()
        return tuple(line.split()[0] for line in listed if line.endswith(f":{port}"))

    def address(self) -> str:
        """Where the load balancer answers."""
        return str(self.status()["balancers"][0]["url"])

    def version(self) -> str:
        """What runs."""
        return str(self.status()["state"]["task_definition"])

    def tasks_become(self, wanted: Callable[[int], bool]) -> int:
        """Waits until the number of tasks that run is as wanted, or for as long as is sensible; returns it."""
        until, count = time.monotonic() + _SCALING_S, 0
        while time.monotonic() < until:
            state = self.status()["state"]
            count = int(state["running"])
            if wanted(count) and state["desired"] == count:
                break
            time.sleep(_POLL_S)
        return count


def build_image(checkout: Path, line: Tell) -> str:
    """Builds our image from a checkout, if its source has changed since; returns its name.

    Raises:
        InputError: It is no checkout of inferfleet.
        OutsideError: The build fails.
    """
    script = checkout / _BUILD
    if not script.is_file():
        raise InputError(f"{checkout} has no {_BUILD}; go to a checkout of inferfleet, or name an image with --image")
    tools.run([sys.executable, str(script), "--target", "cpu", "--tag", _IMAGE, "--if-changed"], line)
    return _IMAGE


def draw(path: Path) -> bytes:
    """Draws a road user, close, as the model that ships has learned them; writes it as a JPEG and returns that."""
    import cv2

    from inferfleet.demo.random_scenes import random_scene
    from inferfleet.demo.scene import render

    for seed in range(20):
        frame, objects = render(random_scene(seed), 1.0)
        large = [item for item in objects if item.visible > 0.95 and item.box[2] - item.box[0] > 120]
        if large:
            left, top, right, bottom = (round(value) for value in large[0].box)
            crop = frame[max(0, top - 10) : bottom + 10, max(0, left - 10) : right + 10]
            encoded = cv2.imencode(".jpg", crop)[1].tobytes()
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(encoded)
            return encoded
    raise AssertionError("none of twenty scenes has a large road user")


@contextmanager
def _cloud(folder: Path) -> Iterator[dict[str, str]]:
    """A local cloud of its own; yields the environment in which the commands find it."""
    home = folder / _CLOUD
    shutil.rmtree(home, ignore_errors=True)
    home.mkdir(parents=True)
    environment = {**os.environ, "INFERFLEET_LOCAL_DIR": str(home), **FASTER}
    up = [sys.executable, "-m", "inferfleet", "local", "up", "--port", "0", "--kvs-port", "0"]
    done = subprocess.run(up, env=environment, capture_output=True, text=True, check=False)
    if done.returncode:
        raise OutsideError(f"the local cloud does not start: {done.stderr}")
    try:
        yield environment
    finally:
        localcloud.stop(home)
