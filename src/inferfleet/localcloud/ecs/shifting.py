"""Blue/green, linear and canary deployments, one step at a time.

The new revision starts beside the old one, traffic moves by listener weights, the new one bakes, then the old one goes;
whatever fails before that turns back.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from inferfleet.localcloud.ecs.model import (
    Decision,
    Deployment,
    Phase,
    Service,
    Stage,
    Start,
    Status,
    Stop,
    Task,
)

_ALL = 100.0


def decide(service: Service, tasks: Sequence[Task], now: float) -> Decision:
    """One step of a deployment that shifts traffic and is not over.

    Args:
        service: As it is.
        tasks: All of its tasks that have not stopped.
        now: Seconds since the epoch.
    """
    deployment = service.deployment
    if deployment.status is Status.PENDING:
        deployment = replace(
            deployment,
            status=Status.IN_PROGRESS,
            stage=Stage.RECONCILE_SERVICE,
            stage_since=now,
            started=now,
            updated=now,
        )
    if deployment.status is Status.ROLLBACK_IN_PROGRESS:
        return _back(service, deployment, tasks, now)
    green = [task for task in tasks if task.revision == deployment.target]
    blue = [task for task in tasks if task.revision == deployment.source]
    others = [task for task in tasks if task not in green and task not in blue]
    events: tuple[str, ...] = ()
    while (later := _next(service, deployment, green, blue, now)) is not deployment:
        deployment = later
    if deployment.status is Status.SUCCESSFUL:
        events = (completed(service, deployment), f"(service {service.name}) has reached a steady state.")
    reason = scaling(deployment)
    is_cleaning = deployment.stage is Stage.CLEAN_UP
    stop = [*_stops(others, reason), *surplus(green, service.desired, reason)]
    stop += _stops(blue, reason) if is_cleaning else surplus(blue, service.desired, reason)
    start = []
    if now >= service.retry_at:
        start = _missing(deployment.target, green, service.desired)
        if not is_cleaning and deployment.source is not None:
            start += _missing(deployment.source, blue, service.desired)
    steady = deployment.status is Status.SUCCESSFUL
    return Decision(replace(service, deployment=deployment, is_steady=steady), tuple(start), tuple(stop), events)


def surplus(tasks: Sequence[Task], desired: int, reason: str) -> list[Stop]:
    """Which tasks of a revision go: too many, and failing ones in whose place others serve."""
    good = [task for task in _live(tasks) if not task.is_failing]
    good.sort(key=lambda task: (task.is_serving, -task.created))
    failing = [task for task in tasks if task.is_failing] if _is_up(tasks, desired) else []
    return [*_stops(good[: max(0, len(good) - desired)], reason), *(replaced(task) for task in failing)]


def replaced(task: Task) -> Stop:
    """The end of a task that is no longer healthy."""
    return Stop(task.arn, task.reason, is_failure=True)


def scaling(deployment: Deployment) -> str:
    """Why a deployment stops a task, in ECS's words."""
    return f"Scaling activity initiated by (deployment {short_id(deployment)})"


def completed(service: Service, deployment: Deployment) -> str:
    """The event that a deployment has come to its end."""
    return f"(service {service.name}) (deployment {short_id(deployment)}) deployment completed."


def short_id(deployment: Deployment) -> str:
    """What DescribeServices and events call a deployment."""
    return f"ecs-svc/{deployment.arn.rsplit('/', 1)[-1]}"


def _next(
    service: Service, deployment: Deployment, green: Sequence[Task], blue: Sequence[Task], now: float
) -> Deployment:
    """The deployment one stage, or one share of the traffic, further; itself if that has to wait."""
    if _waits(service, deployment, green, blue, now):
        return deployment
    deployment = replace(deployment, stage_since=now, updated=now)
    steps = deployment.rules.steps
    if deployment.stage is Stage.CLEAN_UP:
        return replace(deployment, status=Status.SUCCESSFUL, finished=now)
    if deployment.stage is Stage.PRODUCTION_TRAFFIC_SHIFT and deployment.step < len(steps):
        step = deployment.step + 1
        return replace(deployment, step=step, weight=steps[step].percent if step < len(steps) else _ALL)
    match _after(deployment):
        case Stage.TEST_TRAFFIC_SHIFT:
            return replace(deployment, stage=Stage.TEST_TRAFFIC_SHIFT, test_weight=_ALL)
        case Stage.PRODUCTION_TRAFFIC_SHIFT:
            weight = steps[0].percent if steps else _ALL
            return replace(deployment, stage=Stage.PRODUCTION_TRAFFIC_SHIFT, weight=weight)
        case stage:
            return replace(deployment, stage=stage)


def _waits(service: Service, deployment: Deployment, green: Sequence[Task], blue: Sequence[Task], now: float) -> bool:
    """Whether a deployment has to stay where it is."""
    rules = deployment.rules
    waited = now - deployment.stage_since
    match deployment.stage:
        case Stage.SCALE_UP:
            return not _is_up(green, service.desired)
        case Stage.PRODUCTION_TRAFFIC_SHIFT:
            return deployment.step < len(rules.steps) and waited < rules.steps[deployment.step].bake_s
        case Stage.BAKE_TIME:
            return waited < rules.bake_s
        case Stage.CLEAN_UP:
            return deployment.is_over or bool(blue) or not _is_up(green, service.desired)
        case _:
            return False


def _after(deployment: Deployment) -> Stage:
    """The stage that follows a deployment's own."""
    if deployment.stage is None:
        return Stage.RECONCILE_SERVICE
    if deployment.stage is Stage.POST_SCALE_UP and not deployment.rules.has_test_traffic:
        return Stage.PRODUCTION_TRAFFIC_SHIFT
    order = list(Stage)
    return order[order.index(deployment.stage) + 1]


def _back(service: Service, deployment: Deployment, tasks: Sequence[Task], now: float) -> Decision:
    """Traffic is back at the old revision already; the new one's tasks go once the old ones can bear it."""
    old = [task for task in tasks if task.revision == deployment.source]
    new = [task for task in tasks if task.revision != deployment.source]
    reason = scaling(deployment)
    start = _missing(deployment.source or "", old, service.desired) if now >= service.retry_at else []
    stop = [*surplus(old, service.desired, reason), *(_stops(new, reason) if _is_up(old, service.desired) else [])]
    events: tuple[str, ...] = ()
    steady = _is_up(old, service.desired) and not new
    if steady:
        deployment = replace(deployment, status=Status.ROLLBACK_SUCCESSFUL, finished=now, updated=now)
        events = (completed(service, deployment), f"(service {service.name}) has reached a steady state.")
    return Decision(replace(service, deployment=deployment, is_steady=steady), tuple(start), tuple(stop), events)


def _is_up(tasks: Sequence[Task], desired: int) -> bool:
    return sum(task.is_serving for task in tasks) >= desired


def _live(tasks: Sequence[Task]) -> list[Task]:
    return [task for task in tasks if task.phase is not Phase.STOPPING]


def _missing(revision: str, tasks: Sequence[Task], desired: int) -> list[Start]:
    count = desired - sum(not task.is_failing for task in _live(tasks))
    return [Start(revision, count)] if count > 0 else []


def _stops(tasks: Sequence[Task], reason: str) -> list[Stop]:
    return [Stop(task.arn, reason) for task in _live(tasks)]
