"""Tasks as they run: from the record of a task to its containers, and back again when it ends.

MiniStack makes the records and answers DescribeTasks and ListTasks from them; here they come to life. Each start and
each end has a thread of its own, as both wait for the engine.
"""

from __future__ import annotations

import logging
import threading
import time
import uuid
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from inferfleet.localcloud.ecs import launch, logs
from inferfleet.localcloud.ecs.engine import CannotPull, Engine
from inferfleet.localcloud.ecs.environment import Environment
from inferfleet.localcloud.ecs.launch import Json

if TYPE_CHECKING:
    from inferfleet.localcloud.ecs.balancer import Balancer

_LOG = logging.getLogger(__name__)
_POLL_S = 0.1
_START_TIMEOUT_S = 180
_LOG_END_S = 10.0


class CannotStart(Exception):
    """A task cannot be started; the message is its stoppedReason."""


class _Overtaken(Exception):
    """A task was stopped while it was starting."""


@dataclass(frozen=True, slots=True)
class Container:
    """A started container: its id, and how long it has to end after SIGTERM, in seconds."""

    id: str
    stop_timeout: int


@dataclass(slots=True)
class Run:
    """What runs for a task.

    Attributes:
        begun: Set once its start is over, well or not.
        containers: Those that were started, by name.
        addresses: Where they are reached, by name.
        volumes: Names of the volumes that end with the task.
        followers: The threads that forward logs.
    """

    begun: threading.Event = field(default_factory=threading.Event)
    containers: dict[str, Container] = field(default_factory=dict)
    addresses: dict[str, str] = field(default_factory=dict)
    volumes: set[str] = field(default_factory=set)
    followers: list[threading.Thread] = field(default_factory=list)

    @property
    def address(self) -> str:
        """Where the task is reached."""
        return next(iter(self.addresses.values()), "")


class Runs:
    """What runs on the engine for which task."""

    def __init__(
        self, engine: Engine, environment: Environment, balancer: Balancer, changed: Callable[[Json], None]
    ) -> None:
        """Prepares it.

        Args:
            engine: What runs containers.
            environment: What containers are told of the emulator.
            balancer: What tasks are registered with.
            changed: Called after each change of a task's state, with its record.
        """
        self._engine = engine
        self._environment = environment
        self._balancer = balancer
        self._changed = changed
        self._runs: dict[str, Run] = {}
        self._lock = threading.Lock()

    def start(
        self, task: Json, definition: Json, overrides: Sequence[Json], _client: object, account: str, region: str
    ) -> None:
        """Starts a task, and returns when it runs or has failed to. In the place of MiniStack's `_run_task_worker`."""
        from ministack.core.responses import request_scope
        from ministack.services import ecs

        with request_scope(account, region):
            try:
                self._start(task, definition, overrides)
                failure = ""
            except _Overtaken:
                failure = ""
            except CannotPull as error:
                failure = f"CannotPullContainerError: {error}"
            except ecs._SecretResolutionError as error:
                failure = f"ResourceInitializationError: unable to pull secrets or registry auth: {error}"
            except logs.NoLogGroup as error:
                failure = f"ResourceInitializationError: {error}"
            except CannotStart as error:
                failure = str(error)
            except Exception as error:
                _LOG.warning("task %s cannot be started: %s", task["taskArn"], error)
                failure = f"CannotStartContainerError: {error}"
            finally:
                self.of(task).begun.set()
            if failure:
                self.stop(task, failure, "TaskFailedToStart", drains=False)

    def stop(self, task: Json, reason: str, code: str, *, drains: bool = True) -> bool:
        """Begins to stop a task; whether nobody had done so before.

        Args:
            task: Its record.
            reason: For people.
            code: For programs: one of ECS's stop codes.
            drains: Whether its requests under way shall be finished first.
        """
        from ministack.core.responses import get_account_id, get_region

        with self._lock:
            if task["desiredStatus"] == "STOPPED":
                return False
            task.update(desiredStatus="STOPPED", stoppedReason=reason, stopCode=code, stoppingAt=time.time())
        scope = (get_account_id(), get_region())
        name = f"ecs-stop-{task['taskArn'][-8:]}"
        threading.Thread(target=self._end, args=(task, drains, *scope), name=name, daemon=True).start()
        return True

    def _start(self, task: Json, definition: Json, overrides: Sequence[Json]) -> None:
        self._move(task, "PENDING", pullStartedAt=time.time())
        images = {
            container["name"]: self._engine.image(container["image"])
            for container in definition["containerDefinitions"]
        }
        self._move(task, "ACTIVATING", pullStoppedAt=time.time())
        for container in launch.in_order(definition["containerDefinitions"]):
            self._wait_for_dependencies(task, container)
            merged = launch.overridden(container, overrides)
            self._start_container(task, definition, merged, images[container["name"]])
        if definition.get("networkMode") == "awsvpc":
            task["attachments"] = [_interface(self.of(task).address, task.get("_subnet"))]
        self._move(task, "RUNNING", startedAt=time.time())

    def _start_container(self, task: Json, definition: Json, container: Json, image: tuple[str, str | None]) -> None:
        from ministack.core.responses import get_account_id, get_region

        run = self.of(task)
        task_id = task["taskArn"].rsplit("/", 1)[-1]
        name = container["name"]
        variables = self._environment.of(task, definition, container)
        binds = launch.binds(definition, container, f"ecs-{task_id}")
        run.volumes |= {source for source in (bind.split(":")[0] for bind in binds) if source.startswith("ecs-")}
        options = {
            **launch.options(container, definition, variables, binds, has_gpus=self._engine.has_gpus),
            **self._network(run, definition),
            "name": f"ecs-{definition['family']}-{name}-{task_id[:8]}",
            "labels": {
                **self._environment.labels(task, definition, container),
                **(container.get("dockerLabels") or {}),
            },
        }
        if task["desiredStatus"] == "STOPPED":
            raise _Overtaken
        started = self._engine.start(image[0], options)
        run.containers[name] = Container(started.id, int(container.get("stopTimeout") or launch.DEFAULT_STOP_TIMEOUT_S))
        task["_docker_ids"].append(started.id)
        run.addresses[name] = self._engine.address(started.id) or run.address
        _record(task, name).update(
            lastStatus="RUNNING",
            runtimeId=started.id,
            imageDigest=image[1],
            networkInterfaces=[{"privateIpv4Address": run.addresses[name]}],
        )
        if to := logs.destination(container, task_id, started.id, get_region()):
            logs.prepare(get_account_id(), to)
            run.followers.append(logs.follow(started, get_account_id(), to))

    def _network(self, run: Run, definition: Json) -> Json:
        """A network namespace for the whole task, as in awsvpc mode, or one for each container, as in bridge mode."""
        hosts = {"host.docker.internal": self._engine.gateway}
        if definition.get("networkMode") == "bridge":
            return {"extra_hosts": hosts}
        for container in run.containers.values():
            if self._engine.exit_code(container.id) is None:
                return {"network_mode": f"container:{container.id}"}
        return {"extra_hosts": hosts}

    def _wait_for_dependencies(self, task: Json, container: Json) -> None:
        """Waits until what a container depends on has come as far as it says.

        Raises:
            CannotStart: It did not, and never will or not in time.
        """
        until = time.monotonic() + float(container.get("startTimeout") or _START_TIMEOUT_S)
        for link in container.get("dependsOn") or []:
            while not self._is_met(self.of(task).containers[link["containerName"]], link):
                if task["desiredStatus"] == "STOPPED":
                    raise _Overtaken
                if time.monotonic() > until:
                    raise CannotStart(
                        f"TaskFailedToStart: container {container['name']} waited in vain for "
                        f"{link['containerName']} to be {link['condition']}"
                    )
                time.sleep(_POLL_S)

    def _is_met(self, container: Container, link: Json) -> bool:
        code = self._engine.exit_code(container.id)
        condition, name = link["condition"], link["containerName"]
        if condition == "HEALTHY":
            health = self._engine.health(container.id)
            if code is not None or health == "UNHEALTHY":
                raise CannotStart(f"TaskFailedToStart: container {name} is not healthy")
            return health == "HEALTHY"
        if condition == "SUCCESS" and code:
            raise CannotStart(f"TaskFailedToStart: container {name} ended with {code}")
        return condition == "START" or code is not None

    def _end(self, task: Json, drains: bool, account: str, region: str) -> None:
        from ministack.core.responses import request_scope
        from ministack.services import ecs_metadata

        run = self.of(task)
        with request_scope(account, region):
            run.begun.wait()
            self._move(task, "DEACTIVATING")
            self._balancer.leave(task["taskArn"], drains=drains)
            self._move(task, "STOPPING")
            self._stop_containers(task, run)
            self._move(task, "DEPROVISIONING", executionStoppedAt=time.time())
            for follower in run.followers:
                follower.join(_LOG_END_S)
            self._engine.remove([container.id for container in run.containers.values()], run.volumes)
            for token in task.pop("_metadata_tokens", ()):
                ecs_metadata.unregister_token(token)
            self._move(task, "STOPPED", stoppedAt=time.time())
            with self._lock:
                self._runs.pop(task["taskArn"], None)

    def _stop_containers(self, task: Json, run: Run) -> None:
        """Ends all containers at once, each within its own stop timeout, and keeps with what they ended."""
        if not run.containers:
            return
        with ThreadPoolExecutor(len(run.containers)) as pool:
            list(
                pool.map(
                    lambda container: self._engine.stop(container.id, container.stop_timeout), run.containers.values()
                )
            )
        for name, container in run.containers.items():
            record = _record(task, name)
            record.update(lastStatus="STOPPED", exitCode=self._engine.exit_code(container.id))
            if self._engine.was_out_of_memory(container.id):
                record["reason"] = "OutOfMemoryError: Container killed due to memory usage"

    def _move(self, task: Json, status: str, **more: Any) -> None:
        """Puts a task into a state.

        Raises:
            _Overtaken: It is being stopped, and this is a state on its way up.
        """
        from ministack.services import ecs, ecs_metadata

        with self._lock:
            if task["desiredStatus"] == "STOPPED" and status in ("PENDING", "ACTIVATING", "RUNNING"):
                raise _Overtaken
            task.update(lastStatus=status, **more)
            ecs._bump_task_version(task)
            if status == "STOPPED":
                for record in task["containers"]:
                    record["lastStatus"] = "STOPPED"
        ecs_metadata.set_task_status(task["taskArn"], known_status=status, desired_status=task["desiredStatus"])
        ecs._recount_cluster(ecs._cluster_name_from_arn(task["clusterArn"]))
        self._changed(task)

    def of(self, task: Json) -> Run:
        """What runs for a task."""
        with self._lock:
            run = self._runs.setdefault(task["taskArn"], Run())
            if not task["_docker_ids"] and task["lastStatus"] == "RUNNING":
                run.begun.set()  # without an engine, a task runs as soon as it is written down
            return run


def _record(task: Json, name: str) -> Json:
    found: Json = next(record for record in task["containers"] if record["name"] == name)
    return found


def _interface(address: str, subnet: str | None) -> Json:
    """A network interface, as DescribeTasks shows it."""
    details = [{"name": "privateIPv4Address", "value": address}]
    if subnet:
        details.insert(0, {"name": "subnetId", "value": subnet})
    return {"id": str(uuid.uuid4()), "type": "ElasticNetworkInterface", "status": "ATTACHED", "details": details}
