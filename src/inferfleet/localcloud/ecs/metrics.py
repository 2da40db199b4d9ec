"""What CloudWatch is told: how much of its CPU and memory each service uses, and what load balancers served."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from inferfleet.localcloud.ecs import balancer as targets
from inferfleet.localcloud.ecs.balancer import Balancer, Served
from inferfleet.localcloud.ecs.engine import Engine, Usage
from inferfleet.localcloud.ecs.launch import Json

if TYPE_CHECKING:
    from inferfleet.localcloud.ecs.controller import Controller
    from inferfleet.localcloud.ecs.records import Kept

_LOG = logging.getLogger(__name__)
_PERCENT = 100.0
_UNITS_PER_CORE = 1024
_MEBIBYTE = 2**20


@dataclass(frozen=True, slots=True)
class Share:
    """What tasks use, and what they may: CPU in units of ECS, memory in bytes."""

    cpu: float = 0.0
    cpu_reserved: float = 0.0
    memory: float = 0.0
    memory_reserved: float = 0.0


class Metrics:
    """Measures, a few times a minute."""

    def __init__(self, controller: Controller, engine: Engine, balancer: Balancer, interval: float) -> None:
        """Prepares it.

        Args:
            controller: Whose services are measured.
            engine: What runs their containers.
            balancer: What requests go through.
            interval: Seconds from one measurement to the next.
        """
        self._controller = controller
        self._engine = engine
        self._balancer = balancer
        self._interval = interval
        self._before: dict[str, Usage] = {}
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._run, name="ecs-metrics", daemon=True)

    def start(self) -> None:
        """Begins, in a thread of its own."""
        self._thread.start()

    def close(self) -> None:
        """Ends."""
        self._over.set()

    def _run(self) -> None:
        while not self._over.wait(self._interval):
            try:
                self._measure()
            except Exception as error:
                _LOG.warning("metrics were not taken: %s", error)

    def _measure(self) -> None:
        from ministack.core.responses import request_scope

        with self._controller.lock:
            services = [kept for kept in self._controller.services.values() if kept.record["status"] == "ACTIVE"]
        used: dict[str, Usage] = {}
        for kept in services:
            with request_scope(kept.account, kept.region):
                self._measure_service(kept, used)
        self._before = used
        for group, served in self._balancer.take_served().items():
            _, _, _, region, account, _ = group.split(":", 5)
            with request_scope(account, region):
                _put("AWS/ApplicationELB", list(self._requests(group, served)))

    def _measure_service(self, kept: Kept, used: dict[str, Usage]) -> None:
        from ministack.services import ecs

        share = Share()
        for task in self._controller.tasks_of(kept):
            if task["lastStatus"] != "RUNNING":
                continue
            now = {name: usage for name in task["_docker_ids"] if (usage := self._engine.usage(name))}
            used.update(now)
            definition = ecs._task_defs[ecs._resolve_td_key(task["taskDefinitionArn"])]
            share = added(share, definition, now, self._before)
        dimensions = {"ClusterName": kept.cluster, "ServiceName": kept.name}
        _put("AWS/ECS", list(utilisation(share, dimensions)))

    def _requests(self, group: str, served: Served) -> Iterable[Json]:
        """What a target group served, by itself and by load balancer."""
        name = {"TargetGroup": group.rsplit(":", 1)[-1]}
        states = [target.state for _, target in self._balancer.of_group(group)]
        healthy = states.count("healthy")
        for load_balancer in targets.groups_in_use().get(group, ()):
            of = {"LoadBalancer": load_balancer.partition(":loadbalancer/")[2]}
            for dimensions in (of, {**of, **name}):
                yield _datum("RequestCount", served.requests, dimensions, "Count")
                for kind, count in served.statuses.items():
                    yield _datum(f"HTTPCode_Target_{kind}XX_Count", count, dimensions, "Count")
                for seconds in served.seconds:
                    yield _datum("TargetResponseTime", seconds, dimensions, "Seconds")
            if served.failures:
                yield _datum("HTTPCode_ELB_5XX_Count", served.failures, of, "Count")
            yield _datum("HealthyHostCount", healthy, {**of, **name}, "Count")
            yield _datum("UnHealthyHostCount", states.count("unhealthy"), {**of, **name}, "Count")
            yield _datum("RequestCountPerTarget", served.requests / max(1, healthy), {**of, **name}, "Count")
        yield _datum("RequestCountPerTarget", served.requests / max(1, healthy), name, "Count")


def added(share: Share, definition: Json, now: Mapping[str, Usage], before: Mapping[str, Usage]) -> Share:
    """What tasks use with one more task among them, as far as it was measured twice."""
    containers = definition["containerDefinitions"]
    measured = {name: usage for name, usage in now.items() if name in before and usage.at > before[name].at}
    if not measured:
        return share
    cores = sum((usage.cpu_s - before[name].cpu_s) / (usage.at - before[name].at) for name, usage in measured.items())
    cpu = float(definition.get("cpu") or sum(float(one.get("cpu") or 0) for one in containers))
    memory = float(
        definition.get("memory")
        or sum(float(one.get("memoryReservation") or one.get("memory") or 0) for one in containers)
    )
    return Share(
        share.cpu + cores * _UNITS_PER_CORE,
        share.cpu_reserved + cpu,
        share.memory + sum(usage.memory for usage in measured.values()),
        share.memory_reserved + memory * _MEBIBYTE,
    )


def utilisation(share: Share, dimensions: Mapping[str, str]) -> Iterable[Json]:
    """A service's metrics: what it uses of what it reserved, in percent; nothing for what it did not reserve."""
    for name, used, reserved in (
        ("CPUUtilization", share.cpu, share.cpu_reserved),
        ("MemoryUtilization", share.memory, share.memory_reserved),
    ):
        if reserved:
            yield _datum(name, _PERCENT * used / reserved, dimensions, "Percent")


def _datum(name: str, value: float, dimensions: Mapping[str, str], unit: str) -> Json:
    return {
        "MetricName": name,
        "Value": float(value),
        "Unit": unit,
        "Timestamp": time.time(),
        "Dimensions": [{"Name": key, "Value": text} for key, text in dimensions.items()],
    }


def _put(namespace: str, data: list[Json]) -> None:
    from ministack.services import cloudwatch

    if data:
        cloudwatch._put_metric_data({}, {"Namespace": namespace, "MetricData": data}, False, True)
