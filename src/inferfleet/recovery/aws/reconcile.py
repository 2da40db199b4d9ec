"""The minute's reconciliation: lists ECS and EC2, and feeds the same reducer, so that events are only hints."""

from collections.abc import Iterator
from typing import Any

from inferfleet.recovery.aws.diagnosis import Diagnoses
from inferfleet.recovery.aws.effects import AwsExecutor
from inferfleet.recovery.aws.engine import Recovery
from inferfleet.recovery.aws.translate import node_seen, pinned_evidence, scheduled
from inferfleet.recovery.core.observations import Maintenance, NodeSeen, Snapshot, TaskSeen, Tick
from inferfleet.recovery.core.snapshot import expand
from inferfleet.recovery.core.xid import Catalog

_AT_ONCE = 100
_GROUPED_AT_ONCE = 50
"""Instances in one DescribeAutoScalingInstances (Auto Scaling API reference)."""


class Reconciler:
    """Lists the world, tells the core, and finishes what others began."""

    def __init__(self, recovery: Recovery, executor: AwsExecutor, catalog: Catalog, diagnoses: Diagnoses) -> None:
        self.recovery = recovery
        self.executor = executor
        self.catalog = catalog
        self.diagnoses = diagnoses
        self.settings = executor.settings

    def run(self) -> dict[str, int]:
        """One round; returns what it looked at."""
        began = self.recovery.clock()
        store = self.recovery.store
        raw = list(self._container_instances())
        instances = [item["ec2InstanceId"] for item in raw]
        impaired, planned = self._status(instances)
        in_groups = self._in_groups(instances)
        nodes = [seen for item in raw if isinstance(seen := node_seen(item, impaired, in_groups), NodeSeen)]
        tasks = list(self._tasks())
        evidence = [found for item in raw if (found := pinned_evidence(item, self.catalog)) is not None]
        known = list(store.scan("node"))
        live = [task for task in store.scan("task") if task.live]
        snapshot = Snapshot(
            began, tuple(nodes), tuple(tasks), tuple(evidence), tuple(self.diagnoses.of_examined_nodes(known))
        )
        self.recovery.observe_all(expand(snapshot, known, live))
        self.recovery.observe_all(planned)
        self.recovery.observe(Tick())
        unfinished = self.recovery.finish_open_intents()
        return {"nodes": len(nodes), "tasks": len(tasks), "unfinished": unfinished}

    def _container_instances(self) -> Iterator[Any]:
        ecs = self.executor.clients.ecs
        pages = ecs.get_paginator("list_container_instances").paginate(cluster=self.settings.cluster)
        arns = [arn for page in pages for arn in page["containerInstanceArns"]]
        for at in range(0, len(arns), _AT_ONCE):
            answer = ecs.describe_container_instances(
                cluster=self.settings.cluster, containerInstances=arns[at : at + _AT_ONCE]
            )
            yield from answer["containerInstances"]

    def _tasks(self) -> Iterator[TaskSeen]:
        ecs = self.executor.clients.ecs
        arns: list[str] = []
        for desired in ("RUNNING", "STOPPED"):
            pages = ecs.get_paginator("list_tasks").paginate(
                cluster=self.settings.cluster,
                desiredStatus=desired,
            )
            arns += [arn for page in pages for arn in page["taskArns"]]
        yield from self.executor.describe_tasks(list(dict.fromkeys(arns)))

    def _in_groups(self, instances: list[str]) -> frozenset[str]:
        """Those that an Auto Scaling group would replace."""
        found: set[str] = set()
        for at in range(0, len(instances), _GROUPED_AT_ONCE):
            answer = self.executor.clients.autoscaling.describe_auto_scaling_instances(
                InstanceIds=instances[at : at + _GROUPED_AT_ONCE]
            )
            found |= {item["InstanceId"] for item in answer["AutoScalingInstances"]}
        return frozenset(found)

    def _status(self, instances: list[str]) -> tuple[dict[str, bool], list[Maintenance]]:
        """Which instances fail EC2's status checks, and what EC2 has scheduled."""
        impaired: dict[str, bool] = {}
        planned: list[Maintenance] = []
        for at in range(0, len(instances), _AT_ONCE):
            answer = self.executor.clients.ec2.describe_instance_status(
                InstanceIds=instances[at : at + _AT_ONCE], IncludeAllInstances=True
            )
            for item in answer["InstanceStatuses"]:
                checks = (item.get("InstanceStatus", {}), item.get("SystemStatus", {}))
                impaired[item["InstanceId"]] = any(check.get("Status") == "impaired" for check in checks)
                event = scheduled(item)
                if event is not None:
                    planned.append(event)
        return impaired, planned
