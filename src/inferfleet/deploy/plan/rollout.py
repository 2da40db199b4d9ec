"""The arithmetic of replacing a service's tasks: how many run when, on what, and whether that can be placed.

ECS rounds the lower limit up and the upper limit down, places a task whole on one instance, and with a capacity
provider starts instances for what waits. All of that follows from the file, so it can be known beforehand.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

from inferfleet.deploy.resolve import ResolvedFleet, ResolvedService, tasks_per_instance

# Estimates, on the slow side, of what AWS does not promise; printed with every plan.
INSTANCE_START_SECONDS = 300
IMAGE_PULL_SECONDS = {"gpu": 240, "cpu": 60}
STOP_FIRST = "recreate"
SHIFTING = ("blue-green", "canary", "linear")


@dataclass(frozen=True, slots=True)
class Phase:
    """A moment of a rollout.

    Attributes:
        name: What happens.
        old: Tasks of the old version that run.
        new: Tasks of the new version that run.
        instances: Instances that hold them; None where AWS has its own.
    """

    name: str
    old: int
    new: int
    instances: int | None


@dataclass(frozen=True, slots=True)
class Rollout:
    """What replacing a service's tasks does.

    Attributes:
        service: The service's key.
        strategy: How.
        capacity: On what.
        phases: Its moments, in order.
        waits: What it waits for, in order.
        worst_seconds: How long it takes at worst, when nothing fails.
        gap: Whether for some time no task runs.
        problem: Why it can never finish; empty when it can.
    """

    service: str
    strategy: str
    capacity: str
    phases: tuple[Phase, ...]
    waits: tuple[str, ...]
    worst_seconds: int
    gap: bool
    problem: str = ""

    @property
    def peak_tasks(self) -> int:
        """The most tasks that run at once."""
        return max((phase.old + phase.new for phase in self.phases), default=0)

    @property
    def peak_instances(self) -> int | None:
        """The most instances that are needed at once."""
        counts = [phase.instances for phase in self.phases if phase.instances is not None]
        return max(counts) if counts else None


def plan_fleet(fleet: ResolvedFleet) -> list[Rollout]:
    """Plans a rollout of each service, while the others stay where they are."""
    return [plan(service, taken=_taken_by_others(fleet, service)) for service in fleet.services]


def _taken_by_others(fleet: ResolvedFleet, service: ResolvedService) -> int:
    """Instances that other services of the same capacity fill, at most."""
    taken = 0
    for other in fleet.services:
        if other.key != service.key and other.room is not None and other.providers == service.providers:
            taken += math.ceil(other.count / max(1, tasks_per_instance(other)))
    return taken


def plan(service: ResolvedService, taken: int = 0) -> Rollout:
    """Plans the replacement of all tasks of a service.

    Args:
        service: The service.
        taken: Instances of its capacity that others fill.
    """
    count = service.count
    holds = tasks_per_instance(service)
    most = max(0, service.room.most - taken) * holds if service.room is not None else None
    must = math.ceil(count * service.minimum / 100)
    may = math.floor(count * service.maximum / 100)
    steps = _shifting(service, count) if service.strategy in SHIFTING else _replacing(service, count, must, may, most)
    phases = tuple(Phase(name, old, new, _instances(service, old + new, holds)) for name, old, new in steps)
    problem = _problem(service, count, must, may, most)
    more = (phases[0].instances or 0) < max((phase.instances or 0 for phase in phases), default=0)
    batches = max(1, sum("start" in phase.name for phase in phases))
    return Rollout(
        service=service.key,
        strategy=service.strategy,
        capacity=service.room.name if service.room is not None else _capacity(service),
        phases=phases,
        waits=_waits(service, more),
        worst_seconds=_worst(service, more, batches),
        gap=count > 0 and any(phase.old + phase.new == 0 for phase in phases),
        problem=problem,
    )


def _capacity(service: ResolvedService) -> str:
    return {"fargate": "Fargate", "eks": "EKS nodes"}.get(service.target, service.target)


def _instances(service: ResolvedService, tasks: int, holds: int) -> int | None:
    if service.room is None:
        return None
    return max(service.room.least, math.ceil(tasks / holds) if holds else 0)


def _shifting(service: ResolvedService, count: int) -> list[tuple[str, int, int]]:
    deployment = service.spec.deployment
    moves = {
        "blue-green": "shift all traffic",
        "canary": f"shift {deployment.canary_percent}% of traffic, then the rest",
        "linear": f"shift traffic by {deployment.step_percent}% at a time",
    }
    return [
        ("before", count, 0),
        ("start the new tasks beside the old", count, count),
        (moves[service.strategy], count, count),
        (f"bake for {deployment.bake_minutes} min, a rollback is instant", count, count),
        ("stop the old tasks", 0, count),
    ]


def _replacing(
    service: ResolvedService, count: int, must: int, may: int, most: int | None
) -> list[tuple[str, int, int]]:
    """Follows the scheduler: it stops old tasks down to the lower limit, and starts new ones up to the upper."""
    steps = [("before", count, 0)]
    old, new = count, 0
    limit = may if most is None else min(may, most)
    while new < count or old > 0:
        stop = min(old, max(0, old + new - must))
        start = min(count - new, max(0, limit - old - new))
        if start:
            new += start
            steps.append((f"start {start} new", old, new))
        elif stop and (new < count or old):
            old -= stop
            steps.append((f"stop {stop} old", old, new))
        else:
            break
    return steps


def _problem(  # noqa: PLR0911 (a reason each)
    service: ResolvedService, count: int, must: int, may: int, most: int | None
) -> str:
    if service.room is not None and tasks_per_instance(service) == 0:
        return f"one task does not fit on {service.room.name}"
    if most is not None and most < count:
        return f"{count} tasks are wanted, and {service.room.most if service.room else 0} instances hold {most}"
    if service.strategy in SHIFTING:
        if most is not None and most < 2 * count:
            return f"{service.strategy} runs {2 * count} tasks at once, and the capacity holds {most}"
        return ""
    if must >= count and may <= count and count:
        return f"no task may stop ({service.minimum}%) and none may start ({service.maximum}%)"
    if must >= count and most is not None and most <= count and count:
        return (
            f"all {count} tasks must stay up while a new one starts, and the capacity holds {most}: raise its max by "
            "one instance, or use strategy recreate"
        )
    return ""


def _waits(service: ResolvedService, more_instances: bool) -> tuple[str, ...]:
    waits = ["an instance to start and join the cluster"] if more_instances else []
    waits.append("the image to be pulled")
    waits.append(f"the health check, which may fail for {service.spec.health.start_period} s while models load")
    if service.spec.load_balancer is not None:
        waits.append("the load balancer to find the new targets healthy")
    if service.strategy in SHIFTING:
        waits.append(f"{service.spec.deployment.bake_minutes} min of baking")
    if service.strategy == STOP_FIRST:
        waits.insert(0, f"the old tasks to stop (at most {service.spec.stop_seconds} s)")
    return tuple(waits)


def _worst(service: ResolvedService, more_instances: bool, batches: int) -> int:
    """Sums up the slow side of every wait; a failing task is not part of it."""
    spec = service.spec
    pull = IMAGE_PULL_SECONDS["gpu" if service.gpus or service.shared_gpu else "cpu"]
    start = pull + spec.health.start_period + spec.health.interval * spec.health.retries
    drain = spec.stop_seconds + (spec.load_balancer.deregistration_seconds if spec.load_balancer else 0)
    total = batches * (start + drain) + (INSTANCE_START_SECONDS if more_instances else 0)
    deployment = spec.deployment
    if service.strategy in SHIFTING:
        total += 60 * deployment.bake_minutes
    if service.strategy == "canary":
        total += 60 * deployment.step_minutes
    if service.strategy == "linear":
        total += 60 * deployment.step_minutes * math.ceil(100 / deployment.step_percent)
    return total
