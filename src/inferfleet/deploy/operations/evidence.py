"""Why the tasks of a version did not stay: what ECS says of those that stopped, beside the last they printed."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from inferfleet.deploy.operations.account import Account, code, is_missing
from inferfleet.deploy.operations.service import TaskState, read_tasks
from inferfleet.deploy.operations.verdict import Cause, causes, failed_tasks

_TASKS = 20
_READ_LOGS_OF = 3
_LINES = 12


def why(account: Account, cluster: str, task_definition: str, since: datetime) -> tuple[Cause, ...]:
    """Reads why the tasks of a version ended.

    Args:
        account: Where.
        cluster: The cluster's name.
        task_definition: The version, as `family:revision`.
        since: Only tasks that ended after this; a version that is tried again has failed before.
    """
    family = task_definition.partition(":")[0]
    tasks = read_tasks(account, cluster, family=family, stopped=True)
    failed = [task for task in failed_tasks(tasks, task_definition) if task.stopped_at >= since][:_TASKS]
    if not failed:
        return ()
    return causes(failed, _last_lines(account, failed[:_READ_LOGS_OF]))


def _last_lines(account: Account, tasks: Sequence[TaskState]) -> dict[str, Sequence[str]]:
    definition = account.client("ecs").describe_task_definition(taskDefinition=tasks[0].task_definition)
    places = log_places(definition["taskDefinition"])
    return {
        task.id: [line for group, prefix, name in places for line in tail(account, group, f"{prefix}/{name}/{task.id}")]
        for task in tasks
    }


def log_places(definition: dict[str, object]) -> list[tuple[str, str, str]]:
    """Where the containers of a task definition write: group, prefix of the stream, container."""
    places = []
    containers = definition.get("containerDefinitions", [])
    assert isinstance(containers, list)
    for container in containers:
        settings = container.get("logConfiguration") or {}
        options = settings.get("options") or {}
        if settings.get("logDriver") == "awslogs" and "awslogs-stream-prefix" in options:
            places.append((options["awslogs-group"], options["awslogs-stream-prefix"], container["name"]))
    return places


def tail(account: Account, group: str, stream: str, lines: int = _LINES) -> list[str]:
    """The last lines of a stream; none when it is not there or may not be read."""
    try:
        answer = account.client("logs").get_log_events(
            logGroupName=group, logStreamName=stream, limit=lines, startFromHead=False
        )
    except Exception as error:
        if is_missing(error) or code(error).startswith("AccessDenied"):
            return []
        raise
    return [str(event["message"]).rstrip() for event in answer["events"]][-lines:]
