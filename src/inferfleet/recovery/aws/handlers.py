"""The Lambdas: thin adapters from queues of EventBridge events, and from the clock, to the one loop.

`EcsTaskHandler`, `DcgmTaskMonitor` and `EcsInstanceMonitor` read SQS batches and report the messages that failed, so
that only those come again and end in a dead-letter queue; `Reconciler` runs each minute. A message that cannot be
understood fails, too: it must be seen by someone, not swallowed.
"""

import json
import logging
import os
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cache
from typing import Any

from inferfleet.recovery.aws.diagnosis import Diagnoses
from inferfleet.recovery.aws.effects import AwsExecutor, Clients
from inferfleet.recovery.aws.engine import Recovery
from inferfleet.recovery.aws.reconcile import Reconciler
from inferfleet.recovery.aws.settings import Settings, settings_from
from inferfleet.recovery.aws.store import Store
from inferfleet.recovery.aws.translate import (
    DIAGNOSIS_PREFIX,
    agent_evidence,
    agent_maintenance,
    ec2_warning,
    health_evidence,
    node_seen,
    task_seen,
)
from inferfleet.recovery.core.model import Boot
from inferfleet.recovery.core.observations import NodeSeen
from inferfleet.recovery.core.terms import IntentKind, NodePhase
from inferfleet.recovery.core.xid import Catalog, load_catalog

logger = logging.getLogger("inferfleet.recovery")
_DEFAULT_TIME_MS = 120_000


@dataclass(frozen=True, slots=True)
class Parts:
    """Everything that a handler works with."""

    settings: Settings
    recovery: Recovery
    executor: AwsExecutor
    diagnoses: Diagnoses
    catalog: Catalog

    def reconciler(self) -> Reconciler:
        """The minute's reconciliation."""
        return Reconciler(self.recovery, self.executor, self.catalog, self.diagnoses)


def assemble(
    settings: Settings,
    make_client: Callable[[str], Any],
    *,
    clock: Callable[[], float] = time.time,
    deadline: float = float("inf"),
) -> Parts:
    """Puts the parts together.

    Args:
        settings: Names and limits.
        make_client: Makes a boto3 client by the name of its service.
        clock: Seconds since the epoch.
        deadline: When this run must be over.
    """
    clients = Clients(make_client("ecs"), make_client("ec2"), make_client("autoscaling"), make_client("sns"))
    store = Store(make_client("dynamodb"), settings)
    executor = AwsExecutor(clients, settings, store.view)
    recovery = Recovery(store, executor, clock=clock, deadline=deadline)
    diagnoses = Diagnoses(clients.ecs, make_client("logs"), settings)
    return Parts(settings, recovery, executor, diagnoses, load_catalog(settings.xid_overrides))


@cache
def _client(name: str) -> Any:
    """One client a service for the life of the Lambda's container. Retries are botocore's adaptive ones."""
    import boto3
    from botocore.config import Config

    config = Config(retries={"mode": "adaptive", "max_attempts": 8}, connect_timeout=3, read_timeout=10)
    return boto3.client(name, config=config)  # type: ignore[call-overload]


def _parts(context: Any) -> Parts:
    left = (
        context.get_remaining_time_in_millis() if hasattr(context, "get_remaining_time_in_millis") else _DEFAULT_TIME_MS
    )
    return assemble(settings_from(os.environ), _client, deadline=time.time() + left / 1000)


def ecs_task_handler(event: Mapping[str, Any], context: Any) -> dict[str, Any]:
    """`EcsTaskHandler`: ECS Task State Change."""
    return each_message(event, _parts(context), on_task_event)


def dcgm_task_monitor(event: Mapping[str, Any], context: Any) -> dict[str, Any]:
    """`DcgmTaskMonitor`: ECS Task State Change of diagnostic tasks that have stopped."""
    return each_message(event, _parts(context), on_diagnosis_event)


def ecs_instance_monitor(event: Mapping[str, Any], context: Any) -> dict[str, Any]:
    """`EcsInstanceMonitor`: container instances, accelerator health, Spot warnings and the node agent's findings."""
    return each_message(event, _parts(context), on_instance_event)


def reconciler(event: Mapping[str, Any], context: Any) -> dict[str, int]:
    """`Reconciler`: once a minute."""
    return _parts(context).reconciler().run()


def each_message(
    event: Mapping[str, Any], parts: Parts, handle: Callable[[Mapping[str, Any], Parts], None]
) -> dict[str, Any]:
    """Handles a batch of SQS messages and names those that failed; an event without `Records` is EventBridge's own."""
    if "Records" not in event:
        handle(event, parts)
        return {}
    failed = []
    for message in event["Records"]:
        try:
            handle(json.loads(message["body"]), parts)
        except Exception:
            logger.exception(
                "message %s failed; it comes again, or goes to the dead-letter queue", message["messageId"]
            )
            failed.append({"itemIdentifier": message["messageId"]})
    return {"batchItemFailures": failed}


def on_task_event(event: Mapping[str, Any], parts: Parts) -> None:
    """A task changed."""
    detail = event["detail"]
    if not _is_ours(detail, parts.settings):
        return
    seen = task_seen(detail, _node_of(detail, parts), parts.settings.daemons)
    if seen is not None:
        parts.recovery.observe(seen)


def on_diagnosis_event(event: Mapping[str, Any], parts: Parts) -> None:
    """A diagnostic task has stopped: its verdict goes to the node that waits for it."""
    detail = event["detail"]
    by = str(detail.get("startedBy", ""))
    if not _is_ours(detail, parts.settings) or not by.startswith(DIAGNOSIS_PREFIX) or detail["lastStatus"] != "STOPPED":
        return
    request = str(detail.get("group", "")).partition(":")[2]
    intent = parts.recovery.store.view().intent(request)
    if intent is not None:
        reset = intent.kind is IntentKind.RESET_GPU
        parts.recovery.observe(parts.diagnoses.read(detail, intent.node, request, reset=reset))


def on_instance_event(event: Mapping[str, Any], parts: Parts) -> None:
    """Anything about an instance, by its detail type.

    Raises:
        ValueError: If nothing here knows the event: a rule and this function must agree.
    """
    detail = event["detail"]
    match event.get("detail-type"):
        case "ECS Container Instance State Change" if _is_ours(detail, parts.settings):
            seen = node_seen(detail)
            if seen is not None:
                parts.recovery.observe(seen)
        case "ECS Container Instance Health Change" if _is_ours(detail, parts.settings):
            evidence = health_evidence(detail, parts.catalog)
            if evidence is not None:
                parts.recovery.observe(evidence)
        case "EC2 Spot Instance Interruption Warning":
            warning = ec2_warning(event)
            if warning is not None:
                parts.recovery.observe(warning)
        case "inferfleet GPU Finding":
            _on_finding(detail, parts)
        case "ECS Container Instance State Change" | "ECS Container Instance Health Change":
            pass
        case other:
            raise ValueError(f"no handler for events of the type {other!r}")


def _on_finding(detail: Mapping[str, Any], parts: Parts) -> None:
    if str(detail.get("cluster", "")) != parts.settings.cluster:
        return
    node = parts.recovery.store.view().node(str(detail["node"]))
    if node is not None and node.phase is not NodePhase.RETIRED and detail.get("boot"):
        boot = Boot(str(detail["boot"]), float(detail.get("booted_at", 0)))
        parts.recovery.observe(NodeSeen(node.id, connected=node.connected, boot=boot))
    for seen in (agent_evidence(detail, parts.catalog), agent_maintenance(detail)):
        if seen is not None:
            parts.recovery.observe(seen)


def _is_ours(detail: Mapping[str, Any], settings: Settings) -> bool:
    """Exactly our cluster, not one whose name begins like it."""
    return str(detail.get("clusterArn", "")).rsplit("/", 1)[-1] == settings.cluster


def _node_of(detail: Mapping[str, Any], parts: Parts) -> dict[str, str]:
    """Container instance ARN → EC2 instance id, from our own record of the task, else from ECS."""
    arn = str(detail.get("containerInstanceArn", ""))
    if not arn:
        return {}
    known = parts.recovery.store.view().task(str(detail["taskArn"]))
    return {arn: known.node} if known is not None and known.node else parts.executor.instance_ids([arn])
