"""What ECS tells EventBridge: task state changes, and how deployments go."""

from __future__ import annotations

import json
import logging
import threading
from typing import TYPE_CHECKING

from inferfleet.localcloud.ecs.launch import Json
from inferfleet.localcloud.ecs.model import Deployment, Status

if TYPE_CHECKING:
    from inferfleet.localcloud.ecs.records import Kept

_LOG = logging.getLogger(__name__)
_NAMES = {
    Status.IN_PROGRESS: ("INFO", "SERVICE_DEPLOYMENT_IN_PROGRESS"),
    Status.SUCCESSFUL: ("INFO", "SERVICE_DEPLOYMENT_COMPLETED"),
    Status.ROLLBACK_SUCCESSFUL: ("INFO", "SERVICE_DEPLOYMENT_COMPLETED"),
    Status.ROLLBACK_IN_PROGRESS: ("ERROR", "SERVICE_DEPLOYMENT_FAILED"),
    Status.STOPPED: ("ERROR", "SERVICE_DEPLOYMENT_FAILED"),
    Status.ROLLBACK_FAILED: ("ERROR", "SERVICE_DEPLOYMENT_FAILED"),
}


def of_task(task: Json) -> None:
    """Tells of a change of a task's state."""
    from ministack.services import ecs

    detail = ecs._normalize_ecs_timestamps(ecs._sanitize(task))
    _put("ECS Task State Change", detail, [task["taskArn"]])


def of_deployment(kept: Kept, deployment: Deployment) -> None:
    """Tells how a deployment goes, where that is news."""
    if deployment.status not in _NAMES:
        return
    kind, name = _NAMES[deployment.status]
    detail = {
        "eventType": kind,
        "eventName": name,
        "deploymentId": f"ecs-svc/{deployment.arn.rsplit('/', 1)[-1]}",
        "updatedAt": deployment.updated,
        "reason": deployment.reason or f"ECS deployment {name.rsplit('_', 1)[-1].lower()}",
    }
    _put("ECS Deployment State Change", detail, [kept.record["serviceArn"]])


def _put(kind: str, detail: Json, resources: list[str]) -> None:
    """Puts an event on the default bus, in a thread of its own: targets may call back."""
    from ministack.core.concurrency import spawn_background
    from ministack.services import eventbridge

    entry = {"Source": "aws.ecs", "DetailType": kind, "Detail": json.dumps(detail), "Resources": resources}
    try:
        spawn_background(eventbridge._put_events, {"Entries": [entry]}, allow_aws_source=True, thread_name="ecs-event")
    except RuntimeError:
        _LOG.warning("no thread for an event; %d run", threading.active_count())
