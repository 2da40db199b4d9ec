"""A command in a running task: by ECS Exec on AWS, by Docker on the local cloud."""

from __future__ import annotations

import json
import shutil
import subprocess
from collections.abc import Sequence

from inferfleet.deploy.operations.account import Account
from inferfleet.deploy.operations.service import TaskState
from inferfleet.errors import InputError, OutsideError

PLUGIN = "session-manager-plugin"
_HOW = "https://docs.aws.amazon.com/systems-manager/latest/userguide/session-manager-working-with-install-plugin.html"


def choose(tasks: Sequence[TaskState], wanted: str) -> TaskState:
    """The task to go into: the one whose id begins so, else the newest that runs.

    Raises:
        InputError: There is none.
    """
    running = sorted((task for task in tasks if task.status == "RUNNING"), key=lambda task: task.started_at)
    fitting = [task for task in running if task.id.startswith(wanted)]
    if not fitting:
        known = ", ".join(task.id for task in running) or "none"
        raise InputError(f"no task that runs has an id like {wanted!r}" if wanted else f"no task runs ({known})")
    return fitting[-1]


def container_of(task: TaskState, wanted: str) -> str:
    """The container to go into.

    Raises:
        InputError: The task has no such container, or several and none was named.
    """
    names = [container.name for container in task.containers]
    if wanted and wanted not in names:
        raise InputError(f"task {task.id} has no container {wanted}; it has: {', '.join(names)}")
    if not wanted and len(names) != 1:
        raise InputError(f"task {task.id} has several containers; name one with --container: {', '.join(names)}")
    return wanted or names[0]


def command_line(
    account: Account, cluster: str, task: TaskState, container: str, command: Sequence[str], *, terminal: bool
) -> list[str]:
    """What to run on this machine for a command in a container.

    Args:
        account: Where.
        cluster: The cluster's name.
        task: The task.
        container: Its container.
        command: The command and its arguments.
        terminal: Whether a person sits at a terminal.

    Raises:
        InputError: The plugin for it is not installed, or the service does not allow it.
        OutsideError: The container is not on this machine.
    """
    if account.is_local:
        flags = ["-it"] if terminal else []
        return ["docker", "exec", *flags, _docker_container(task, container), *command]
    if shutil.which(PLUGIN) is None:
        raise InputError(f"this needs AWS's {PLUGIN}, which is not on PATH: {_HOW}")
    answer = account.client("ecs").execute_command(
        cluster=cluster, task=task.arn, container=container, interactive=True, command=_joined(command)
    )
    runtime = _runtime(account, cluster, task, container)
    target = json.dumps({"Target": f"ecs:{cluster}_{task.id}_{runtime}"})
    where = f"https://ssm.{account.region}.amazonaws.com"
    return [PLUGIN, json.dumps(answer["session"]), account.region, "StartSession", "", target, where]


def _joined(command: Sequence[str]) -> str:
    import shlex

    return shlex.join(command)


def _runtime(account: Account, cluster: str, task: TaskState, container: str) -> str:
    answer = account.client("ecs").describe_tasks(cluster=cluster, tasks=[task.arn])
    containers = answer["tasks"][0]["containers"]
    return next((str(item["runtimeId"]) for item in containers if item["name"] == container), "")


def _docker_container(task: TaskState, container: str) -> str:
    labels = {"com.amazonaws.ecs.task-arn": task.arn, "com.amazonaws.ecs.container-name": container}
    filters = [part for key, value in labels.items() for part in ("--filter", f"label={key}={value}")]
    done = subprocess.run(["docker", "ps", "--quiet", *filters], capture_output=True, text=True, check=False)
    found = done.stdout.split()
    if not found:
        raise OutsideError(f"Docker runs no container {container} of task {task.id}: {done.stderr.strip() or 'none'}")
    return found[0]
