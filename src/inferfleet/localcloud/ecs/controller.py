"""The loop that keeps services as they shall be: look at containers and targets, decide, act."""

from __future__ import annotations

import json
import logging
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING

from inferfleet.localcloud.ecs import decide, notices, records, shifting, traffic, views
from inferfleet.localcloud.ecs.balancer import Balancer
from inferfleet.localcloud.ecs.engine import Engine, Seen
from inferfleet.localcloud.ecs.launch import Json
from inferfleet.localcloud.ecs.model import Start, Status, Stop
from inferfleet.localcloud.ecs.records import Kept
from inferfleet.localcloud.ecs.runs import Runs

if TYPE_CHECKING:
    from inferfleet.localcloud.ecs.environment import Environment

_LOG = logging.getLogger(__name__)
_TICK_S = 0.25
_STOPPED_KEPT_S = 3600.0
"""DescribeTasks shows stopped tasks for about an hour."""
_UNABLE_AFTER = 3
_FAILURES = ("EssentialContainerExited", "TaskFailedToStart")

ServiceKey = tuple[str, str, str, str]


class Controller:
    """All services, and the thread that looks after them.

    Attributes:
        services: By account, region, cluster and name.
        lock: Held whenever a service is looked at or changed.
    """

    def __init__(self, engine: Engine, environment: Environment, balancer: Balancer) -> None:
        self.services: dict[ServiceKey, Kept] = {}
        self.lock = threading.RLock()
        self.runs = Runs(engine, environment, balancer, self._task_changed)
        self._engine = engine
        self._environment = environment
        self._balancer = balancer
        self._wake = threading.Event()
        self._over = False
        self._trouble = ""
        self._thread = threading.Thread(target=self._run, name="ecs-controller", daemon=True)

    def start(self) -> None:
        """Begins to look after services."""
        self._thread.start()

    def close(self) -> None:
        """Ends, and with it all containers."""
        self._over = True
        self._engine.close()
        self._wake.set()
        if self._thread.is_alive():
            self._thread.join()
        self.forget_all()

    def forget_all(self) -> None:
        """Has no service any more; their containers go."""
        with self.lock:
            self.services.clear()
            if self._engine.client is not None:
                self._engine.remove(self._engine.observe(self._environment.label))

    def wake(self) -> None:
        """Looks after services now and not a little later."""
        self._wake.set()

    @contextmanager
    def service(self, key: ServiceKey) -> Iterator[Kept | None]:
        """A service, to be looked at and changed; None where there is none."""
        with self.lock:
            yield self.services.get(key)
        self._wake.set()

    def tasks_of(self, kept: Kept) -> list[Json]:
        """Records of a service's tasks, stopped ones among them."""
        from ministack.services import ecs

        cluster = kept.record["clusterArn"]
        return [
            task
            for task in ecs._tasks.values()
            if task.get("group") == kept.group and task.get("clusterArn") == cluster
        ]

    def _run(self) -> None:
        while not self._over:
            self._wake.wait(_TICK_S)
            self._wake.clear()
            try:
                self._tick()
                self._trouble = ""
            except Exception as error:
                if str(error) != self._trouble:
                    _LOG.exception("the ECS controller stumbled; it goes on trying")
                self._trouble = str(error)

    def _tick(self) -> None:
        from ministack.core.responses import request_scope
        from ministack.services import ecs

        # Only what ran before the engine is asked: a container that starts meanwhile would seem to be gone.
        tasks = [(scope, task) for scope, task in ecs._tasks.all_items() if task["lastStatus"] == "RUNNING"]
        seen = self._engine.observe(self._environment.label) if tasks else {}
        for (account, region, _), task in tasks:
            with request_scope(account, region):
                self._look_at(task, seen)
        with self.lock:
            for kept in [one for one in self.services.values() if one.record["status"] != "INACTIVE"]:
                with request_scope(kept.account, kept.region):
                    self._look_after(kept)
        self._forget()

    def _look_at(self, task: Json, seen: dict[str, Seen]) -> None:
        """Takes over what the engine says of a task's containers."""
        run = self.runs.of(task)
        if not run.containers:
            return
        definitions = {entry["name"]: entry for entry in _definition(task)["containerDefinitions"]}
        states = []
        for record in task["containers"]:
            name = record["name"]
            container = seen.get(run.containers[name].id)
            is_essential = definitions[name].get("essential", True)
            if container is None or not container.is_running:
                record.update(lastStatus="STOPPED", exitCode=self._engine.exit_code(run.containers[name].id))
                if is_essential and task["desiredStatus"] != "STOPPED":
                    self.runs.stop(task, "Essential container in task exited", "EssentialContainerExited", drains=False)
            elif (definitions[name].get("healthCheck") or {}).get("command"):
                record["healthStatus"] = container.health
                states += [container.health] if is_essential else []
        task["healthStatus"] = next(
            (state for state in ("UNHEALTHY", "UNKNOWN", "HEALTHY") if state in states), "UNKNOWN"
        )
        task["_checked"] = bool(states)

    def _look_after(self, kept: Kept) -> None:
        """One round for one service."""
        now = time.time()
        records_of = self.tasks_of(kept)
        going = [task for task in records_of if task["lastStatus"] != "STOPPED"]
        self._note_failures(kept, records_of, now)
        self._register(kept, going, now)
        grace = float(kept.record.get("healthCheckGracePeriodSeconds") or 0)
        tasks = [
            views.task(task, self._balancer.of_task(arn), grace, now, has_served=arn in kept.healthy)
            for arn, task in ((task["taskArn"], task) for task in going)
        ]
        for task in tasks:
            if task.is_serving and task.arn not in kept.healthy:
                kept.healthy.add(task.arn)
                kept.service = decide.noted_healthy(kept.service, task.revision, now)
        before = kept.service.deployment
        decision = decide.decide(kept.service, tasks, now, _firing(kept))
        if kept.failures_told < _UNABLE_AFTER <= decision.service.failures_in_a_row:
            kept.tell(f"(service {kept.name}) is unable to consistently start tasks successfully.", now)
        kept.failures_told = decision.service.failures_in_a_row
        kept.update(decision.service, now)
        if decision.service.deployment is not before:
            traffic.shift(kept)
            self._tell_of(kept, before.status, now)
        self._stop(kept, decision.stop, going, now)
        self._start(kept, decision.start, now)
        for message in decision.events:
            kept.tell(message, now)
        if kept.service.is_leaving and not going:
            kept.record["status"] = "INACTIVE"
        records.refresh(kept, self.tasks_of(kept))

    def _note_failures(self, kept: Kept, tasks: list[Json], now: float) -> None:
        """Counts tasks that have ended by themselves since the last round."""
        for task in tasks:
            if task["desiredStatus"] == "STOPPED" and task.get("stopCode") in _FAILURES and not task.get("_noted"):
                task["_noted"] = True
                kept.service = decide.noted_failure(kept.service, task.get("_deployment_id") or "", now)

    def _register(self, kept: Kept, tasks: list[Json], now: float) -> None:
        """Puts running tasks behind the service's load balancers."""
        for task in tasks:
            if task["lastStatus"] != "RUNNING" or task["taskArn"] in kept.registered:
                continue
            kept.registered.add(task["taskArn"])
            revision = kept.revisions[task["_deployment_id"]]
            addresses = views.addresses(revision, self.runs.of(task).addresses)
            self._balancer.join(task["taskArn"], addresses)
            for group, _, _ in addresses:
                kept.tell(f"(service {kept.name}) registered 1 targets in (target-group {group})", now)

    def _stop(self, kept: Kept, stops: Sequence[Stop], tasks: list[Json], now: float) -> None:
        by_arn = {task["taskArn"]: task for task in tasks}
        for stop in stops:
            task = by_arn[stop.arn]
            if not self.runs.stop(task, stop.reason, "ServiceSchedulerInitiated"):
                continue
            name = f"(task {stop.arn.rsplit('/', 1)[-1]})"
            if stop.is_failure:
                kept.tell(f"(service {kept.name}) {name} is unhealthy: {stop.reason}.", now)
            kept.tell(f"(service {kept.name}) has stopped 1 running tasks: {name}.", now)

    def _start(self, kept: Kept, starts: Sequence[Start], now: float) -> None:
        from ministack.services import ecs

        for start in starts:
            revision = kept.revisions[start.revision]
            status, _, body = ecs._run_task(
                {
                    "cluster": kept.cluster,
                    "taskDefinition": revision.task_definition,
                    "count": start.count,
                    "group": kept.group,
                    "startedBy": shifting.short_id(kept.service.deployment),
                    "launchType": revision.settings.get("launchType"),
                    "capacityProviderStrategy": revision.settings.get("capacityProviderStrategy"),
                    "platformVersion": revision.settings.get("platformVersion", ""),
                    "networkConfiguration": revision.settings.get("networkConfiguration"),
                    "enableExecuteCommand": kept.record.get("enableExecuteCommand", False),
                    "_deploymentId": start.revision,
                }
            )
            answer = json.loads(body)
            if status >= 400:  # noqa: PLR2004 - HTTP's errors
                kept.service = decide.noted_failure(kept.service, start.revision, now)
                kept.tell(f"(service {kept.name}) was unable to start a task. Reason: {answer.get('message')}.", now)
                return
            names = " ".join(f"(task {task['taskArn'].rsplit('/', 1)[-1]})" for task in answer["tasks"])
            kept.tell(f"(service {kept.name}) has started {start.count} tasks: {names}.", now)

    def _tell_of(self, kept: Kept, before: Status, now: float) -> None:
        """Says what has become of a deployment, if that is news."""
        deployment = kept.service.deployment
        if deployment.status is before:
            return
        called = f"(service {kept.name}) (deployment {shifting.short_id(deployment)})"
        if deployment.status in (Status.ROLLBACK_IN_PROGRESS, Status.STOPPED, Status.ROLLBACK_FAILED):
            kept.tell(f"{called} deployment failed: {deployment.reason}", now)
        if deployment.status is Status.ROLLBACK_IN_PROGRESS and deployment.rollback:
            good = records.deployment_of(kept, deployment.rollback.revision)
            kept.tell(f"(service {kept.name}) rolling back to deployment {shifting.short_id(good)}.", now)
        notices.of_deployment(kept, deployment)

    def _task_changed(self, task: Json) -> None:
        notices.of_task(task)
        self._wake.set()

    def _forget(self) -> None:
        """Lets tasks go that stopped a while ago."""
        from ministack.services import ecs

        now = time.time()
        for (account, region, arn), task in ecs._tasks.all_items():
            if task["lastStatus"] == "STOPPED" and now - float(ecs._ts_to_epoch(task["stoppedAt"])) > _STOPPED_KEPT_S:
                ecs._tasks.pop_scoped(account, region, arn, None)


def _definition(task: Json) -> Json:
    from ministack.services import ecs

    found: Json = ecs._task_defs[ecs._resolve_td_key(task["taskDefinitionArn"])]
    return found


def _firing(kept: Kept) -> list[str]:
    """Which of the service's alarms are in the state ALARM."""
    from ministack.services import cloudwatch

    names = kept.service.deployment.rules.alarms
    return [name for name in names if (cloudwatch._alarms.get(name) or {}).get("StateValue") == "ALARM"]
