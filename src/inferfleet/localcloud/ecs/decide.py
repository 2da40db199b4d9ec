"""The service scheduler and deployment controller as a pure function: a service, its tasks and the time → what to do.

Sources: the ECS developer guide on rolling, blue/green, linear and canary deployments, on the deployment circuit
breaker, and on service throttle logic.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace

from inferfleet.localcloud.ecs import shifting
from inferfleet.localcloud.ecs.model import (
    Decision,
    Deployment,
    Phase,
    Rollback,
    Service,
    Stage,
    Start,
    Status,
    Stop,
    Task,
)

_LONGEST_RETRY_S = 60.0
_WHOLE = 100


def decide(service: Service, tasks: Sequence[Task], now: float, firing: Sequence[str] = ()) -> Decision:
    """What to do for a service.

    Args:
        service: As it is.
        tasks: All of its tasks that have not stopped.
        now: Seconds since the epoch.
        firing: Names of alarms that are in the state ALARM.
    """
    if service.is_leaving:
        return Decision(service, stop=_all(tasks, "Service deleted"))
    sick = tuple(Stop(task.arn, task.reason, is_failure=True) for task in tasks if task.is_sick)
    service = _with_failures(service, sick, tasks, now)
    service = _with(service, _watched(service, now, firing))
    going = [replace(task, phase=Phase.STOPPING) if task.is_sick else task for task in tasks]
    if service.deployment.shifts_traffic and not service.deployment.is_over:
        decision = shifting.decide(service, going, now)
    else:
        decision = _rolling(service, going, now)
    service = _with_failures(decision.service, decision.stop, tasks, now)
    return replace(decision, service=service, stop=sick + decision.stop)


def noted_failure(service: Service, revision: str, now: float) -> Service:
    """The service after one of its tasks failed: to start, to stay, or, as `decide` sees by itself, to be healthy."""
    row = service.failures_in_a_row + 1
    service = replace(
        service, failures_in_a_row=row, retry_at=now + min(2.0 ** (row - 1), _LONGEST_RETRY_S), is_steady=False
    )
    deployment = service.deployment
    if deployment.is_forward and revision == deployment.target:
        service = _with(service, replace(deployment, failures=deployment.failures + 1, updated=now))
    return service


def noted_healthy(service: Service, revision: str, now: float) -> Service:
    """The service after one of its tasks became healthy."""
    service = replace(service, failures_in_a_row=0, retry_at=0.0)
    deployment = service.deployment
    if (
        deployment.is_forward
        and revision == deployment.target
        and deployment.failures
        and deployment.rules.breaker.resets
    ):
        service = _with(service, replace(deployment, failures=0, updated=now))
    return service


def stopped(deployment: Deployment, now: float, *, turn_back: bool, cause: str) -> Deployment:
    """A deployment that does not reach its target.

    Args:
        deployment: As it is.
        now: Seconds since the epoch.
        turn_back: Whether the last good revision shall come back.
        cause: Completes "because ...".
    """
    if not turn_back:
        why = f"Service deployment stopped because {cause}."
        return replace(deployment, status=Status.STOPPED, reason=why, finished=now, updated=now)
    if deployment.source is None:
        why = f"Service deployment failed because {cause}, and there is no completed deployment to roll back to."
        return replace(deployment, status=Status.ROLLBACK_FAILED, reason=why, finished=now, updated=now)
    why = f"Service deployment rolled back because {cause}."
    return replace(
        deployment,
        status=Status.ROLLBACK_IN_PROGRESS,
        reason=why,
        rollback=Rollback(why, now, deployment.source),
        weight=0.0,
        test_weight=0.0,
        updated=now,
    )


def _watched(service: Service, now: float, firing: Sequence[str]) -> Deployment:
    """The deployment after a look at its circuit breaker and its alarms."""
    deployment, rules = service.deployment, service.deployment.rules
    if not deployment.is_forward or deployment.stage is Stage.CLEAN_UP:
        return deployment
    if deployment.status is Status.PENDING:
        # A deployment may be what mends the cause of an alarm.
        deployment = replace(deployment, ignored=tuple(sorted(set(firing) & set(rules.alarms))))
    breaker = rules.breaker
    if breaker.enabled and deployment.failures >= breaker.threshold(service.desired):
        return stopped(deployment, now, turn_back=breaker.rollback, cause="the circuit breaker threshold was exceeded")
    if fired := tuple(sorted(set(firing) & set(rules.alarms) - set(deployment.ignored))):
        deployment = replace(deployment, fired=fired)
        cause = f"the alarm {', '.join(fired)} went off"
        return stopped(deployment, now, turn_back=rules.alarm_rollback, cause=cause)
    return deployment


def _rolling(service: Service, tasks: Sequence[Task], now: float) -> Decision:
    """One step of a rolling update, or of keeping a service as it is."""
    deployment = service.deployment
    if deployment.status is Status.PENDING:
        deployment = replace(deployment, status=Status.IN_PROGRESS, started=now, updated=now)
    wanted = deployment.wanted
    if wanted is None:
        excess = _all(tasks, "Service scaling down") if service.desired == 0 else ()
        return Decision(_with(service, deployment), stop=excess)
    live = [task for task in tasks if task.phase is not Phase.STOPPING]
    new = [task for task in live if task.revision == wanted]
    old = [task for task in live if task.revision != wanted]
    missing = service.desired - sum(not task.is_failing for task in new)
    room = max(0, _ceiling(service) - len(live))
    count = max(0, min(missing, room)) if now >= service.retry_at else 0
    stop = _surplus(service, new, old, short=missing - room)
    start = (Start(wanted, count),) if count else ()
    done = not start and not stop and not missing and len(new) == len(tasks) and all(task.is_serving for task in new)
    deployment, events = _concluded(service, deployment, done=done, now=now)
    return Decision(replace(_with(service, deployment), is_steady=done), start, stop, events)


def _surplus(service: Service, new: list[Task], old: list[Task], short: int) -> tuple[Stop, ...]:
    """Which tasks go: too many of the wanted revision, and others that have been replaced or that are in the way."""
    reason = shifting.scaling(service.deployment)
    serving = sum(task.is_serving for task in (*new, *old))
    floor = math.ceil(service.desired * service.deployment.rules.minimum_percent / 100)
    idle = [task for task in old if not task.is_serving and not task.is_failing]
    busy = sorted((task for task in old if task not in idle), key=lambda task: (task.is_serving, task.created))
    failing = [task for task in (*new, *busy) if task.is_failing]
    replaced = max(0, sum(task.is_serving for task in new) + len(busy) - service.desired)
    in_the_way = min(max(0, short), sum(task.is_failing for task in busy) + max(0, serving - floor))
    going = [*idle, *busy[: max(replaced, in_the_way)]]
    surplus = shifting.surplus(new, service.desired, reason)
    if short > 0 and not going and not surplus and failing:
        surplus = [shifting.replaced(failing[0])]  # one at a time makes room for its replacement
    return (*surplus, *(Stop(task.arn, reason) for task in going))


def _concluded(
    service: Service, deployment: Deployment, *, done: bool, now: float
) -> tuple[Deployment, tuple[str, ...]]:
    """The deployment when all that it wanted has come to pass, or not yet."""
    steady = () if service.is_steady or not done else (f"(service {service.name}) has reached a steady state.",)
    if not done or deployment.is_over:
        return deployment, steady
    if deployment.rollback:
        ended = replace(deployment, status=Status.ROLLBACK_SUCCESSFUL, finished=now, updated=now)
    elif deployment.rules.bake_s > 0 and deployment.source is not None:
        if deployment.stage is not Stage.BAKE_TIME:
            return replace(deployment, stage=Stage.BAKE_TIME, stage_since=now, updated=now), ()
        if now < deployment.stage_since + deployment.rules.bake_s:
            return deployment, ()
        ended = replace(deployment, status=Status.SUCCESSFUL, stage=Stage.CLEAN_UP, finished=now, updated=now)
    else:
        ended = replace(deployment, status=Status.SUCCESSFUL, weight=100.0, finished=now, updated=now)
    return ended, (shifting.completed(service, ended), *steady)


def _ceiling(service: Service) -> int:
    """How many tasks may run or start at once."""
    return service.desired * max(_WHOLE, service.deployment.rules.maximum_percent) // _WHOLE


def _all(tasks: Sequence[Task], reason: str) -> tuple[Stop, ...]:
    return tuple(Stop(task.arn, reason) for task in tasks if task.phase is not Phase.STOPPING)


def _with_failures(service: Service, stops: Sequence[Stop], tasks: Sequence[Task], now: float) -> Service:
    """The service after those of some tasks that go because they failed."""
    revisions = {task.arn: task.revision for task in tasks}
    for stop in stops:
        if stop.is_failure:
            service = noted_failure(service, revisions[stop.arn], now)
    return service


def _with(service: Service, deployment: Deployment) -> Service:
    return service if deployment is service.deployment else replace(service, deployment=deployment)
