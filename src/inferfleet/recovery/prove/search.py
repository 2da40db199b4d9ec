"""The search itself: breadth first to a depth, then random walks; from many states, a run to rest without events."""

import random
import time
from collections.abc import Callable
from dataclasses import dataclass, field

from inferfleet.recovery.core.intents import claimable
from inferfleet.recovery.core.model import Node
from inferfleet.recovery.core.observations import Diagnosed
from inferfleet.recovery.core.terms import AT_MOST_ONCE, FINAL_JOB_PHASES, JobPhase, NodePhase, TaskStatus
from inferfleet.recovery.prove.things import Step, Violation
from inferfleet.recovery.prove.world import World

_ROUNDS = 400
_CALM = frozenset({NodePhase.IN_SERVICE, NodePhase.QUARANTINED, NodePhase.RETIRED})


@dataclass(slots=True)
class Report:
    """What a search found."""

    states: int = 0
    steps: int = 0
    depth: int = 0
    complete: bool = True
    walks: int = 0
    settled: int = 0
    seconds: float = 0.0
    violations: list[tuple[str, tuple[Step, ...]]] = field(default_factory=list)


def explore(
    make: Callable[[], World], *, depth: int, settle_every: int = 50, limit: int = 10_000_000, seconds: float = 1e9
) -> Report:
    """Visits every state that can be reached in `depth` steps.

    Args:
        make: Makes the first state.
        depth: Steps.
        settle_every: From every so many states, events are all lost from then on, and recovery must still come to rest.
        limit: States after which the search stops, incomplete.
        seconds: Time after which it stops, incomplete.
    """
    began = time.monotonic()
    report = Report()
    first = make()
    seen = {first.key()}
    frontier: list[tuple[World, tuple[Step, ...]]] = [(first, ())]
    report.states = 1
    for level in range(depth):
        after: list[tuple[World, tuple[Step, ...]]] = []
        for world, path in frontier:
            for step in list(world.steps()):
                twin = _try(report, world, path, step)
                if twin is None:
                    continue
                key = twin.key()
                if key in seen:
                    continue
                seen.add(key)
                report.states += 1
                after.append((twin, (*path, step)))
                if report.states % settle_every == 0:
                    _settle(report, twin, (*path, step))
            if report.states >= limit or time.monotonic() - began > seconds:
                report.complete = False
                report.seconds = time.monotonic() - began
                return report
        report.depth = level + 1
        frontier = after
    report.seconds = time.monotonic() - began
    return report


def walk(make: Callable[[], World], *, walks: int, length: int, seed: int, seconds: float = 1e9) -> Report:
    """Random walks far beyond the depth of the search, each followed by a run to the end with all events lost."""
    began = time.monotonic()
    report = Report()
    rng = random.Random(seed)
    for _ in range(walks):
        world = make()
        path: tuple[Step, ...] = ()
        for _ in range(length):
            steps = list(world.steps())
            if not steps:
                break
            step = rng.choice(steps)
            twin = _try(report, world, path, step)
            if twin is None:
                break
            world, path = twin, (*path, step)
            report.states += 1
        else:
            _settle(report, world, path)
        report.walks += 1
        if time.monotonic() - began > seconds:
            break
    report.seconds = time.monotonic() - began
    return report


def _try(report: Report, world: World, path: tuple[Step, ...], step: Step) -> World | None:
    twin = world.copy()
    report.steps += 1
    try:
        twin.take(step)
    except Violation as error:
        report.violations.append((str(error), (*path, step)))
        return None
    return twin


def _settle(report: Report, world: World, path: tuple[Step, ...]) -> None:
    """Loses every event from here on; the minute's reconciliation alone has to bring the fleet to rest."""
    report.settled += 1
    twin = world.copy()
    try:
        problem = settle(twin)
    except Violation as error:
        problem = str(error)
    if problem:
        report.violations.append((f"not at rest with all events lost: {problem}", path))


def settle(world: World) -> str:
    """Runs a world to its rest with every event lost, and says what is wrong where it came to rest; "" if nothing."""
    for _ in range(_ROUNDS):
        world.lose_events()
        if world.state.fleet.paused:
            world.take(("resume",))
        for machine in list(world.machines.values()):
            if not machine.up and not machine.gone:
                world.take(("boot", machine.id))
        while world.executors:
            world.take(("work", "0"))
        for intent in list(world.state.intents.values()):
            if claimable(intent, world.now, at_most_once=intent.kind in AT_MOST_ONCE):
                world.take(("claim", intent.id))
        while world.executors:
            world.take(("work", "0"))
        for seen in world.lose_events():
            if isinstance(seen, Diagnosed):
                world.tell(seen)
        world.reconcile()
        if not unrest(world):
            return ""
        world.now += 60.0
    return unrest(world)


def _waits_for_others(world: World, node: Node) -> bool:
    """Whether a condemned node waits, as it must, for healthy jobs that run there to end."""
    if node.phase is not NodePhase.CONDEMNED:
        return False
    jobs = [world.state.jobs[task.job] for task in world.live_on(node.id)]
    return bool(jobs) and all(job.phase is JobPhase.RUNNING for job in jobs)


def unrest(world: World) -> str:
    """What still has to happen before the fleet is at rest and right."""
    state = world.state
    for node in state.nodes.values():
        if node.phase not in _CALM and not _waits_for_others(world, node):
            return f"node {node.id} is {node.phase}"
        machine = world.machines[node.id]
        if node.phase is not NodePhase.RETIRED and machine.fence != node.fenced:
            return f"node {node.id} is {node.phase}, its fence is {machine.fence}"
    for job in state.jobs.values():
        live = [item for item in world.tasks.values() if item.job == job.id and item.status is TaskStatus.RUNNING]
        if job.phase is JobPhase.RUNNING and len(live) == job.size:
            continue
        if job.phase in FINAL_JOB_PHASES and not live:
            continue
        others = sum(item.status is TaskStatus.RUNNING and item.job != job.id for item in world.tasks.values())
        if job.phase is JobPhase.WAITING and not live and state.fleet.capacity - others < job.size:
            continue
        return f"job {job.id} is {job.phase} with {len(live)} of {job.size} tasks"
    return ""
