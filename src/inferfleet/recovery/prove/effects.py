"""The executors of a small world: they claim an intent, carry it out part by part, and record what became of it."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from inferfleet.recovery.core.intents import obsolete
from inferfleet.recovery.core.model import Boot, Intent
from inferfleet.recovery.core.observations import Diagnosed, IntentResult, Started, Verdict
from inferfleet.recovery.core.terms import (
    FINAL_JOB_PHASES,
    IntentKind,
    IntentStatus,
    JobPhase,
    Rung,
    StopCause,
    TaskStatus,
)
from inferfleet.recovery.prove.things import (
    LEASE,
    Executor,
    Machine,
    RealTask,
    Violation,
    node_seen,
    task_seen,
    without,
)

if TYPE_CHECKING:
    from inferfleet.recovery.prove.world import World


def claim(world: World, intent: Intent) -> None:
    """Someone takes an intent, or finds that it is no longer wanted."""
    why = obsolete(world.state, intent)
    if why:
        world.tell(IntentResult(intent.id, ok=False, detail=why))
        return
    claimed = replace(intent, status=IntentStatus.CLAIMED, lease_until=world.now + LEASE)
    world.state.intents[intent.id] = claimed
    world.executors = (*world.executors, Executor(intent.id))


def work(world: World, at: int) -> None:
    """One part of an effect; after the last part, the result is recorded."""
    worker = world.executors[at]
    intent = world.state.intents[worker.intent]
    if worker.done:
        world.executors = without(world.executors, at)
        world.tell(IntentResult(intent.id, worker.ok, worker.detail, worker.started, worker.seen, worker.failures))
        return
    after = (
        _start_one(world, worker, intent) if intent.kind is IntentKind.START_GANG else _affect(world, worker, intent)
    )
    world.executors = (*world.executors[:at], after, *world.executors[at + 1 :])


def _start_one(world: World, worker: Executor, intent: Intent) -> Executor:
    rank, node = intent.ranks[worker.at]
    last = worker.at + 1 == len(intent.ranks)
    worker = replace(worker, at=worker.at + 1, done=last)
    found = world.task_of(intent.job, intent.generation, rank)
    if found is None:
        machine = world.machines[node]
        if machine.fence or machine.gone or not machine.up or len(world.live_on(node)) >= machine.gpus:
            return replace(worker, failures=(*worker.failures, (rank, "no room")), ok=False)
        found = _run(world, intent, rank, machine)
    return replace(worker, started=(*worker.started, Started(found.id, rank, found.node)))


def _run(world: World, intent: Intent, rank: int, machine: Machine) -> RealTask:
    if (intent.job, intent.generation - 1) in world.user_stopped:
        raise Violation(f"{intent.job} was stopped by its user and started again")
    key = f"{intent.job}/{intent.generation}/{rank}"
    task = RealTask(key, machine.id, intent.job, intent.generation, rank)
    world.tasks[key] = task
    world.emit(task_seen(task))
    if machine.sick is not Rung.NONE:
        world.end(task, StopCause.FAILED)
    return world.tasks[key]


def _affect(world: World, worker: Executor, intent: Intent) -> Executor:
    done = replace(worker, done=True)
    match intent.kind:
        case IntentKind.STOP_GANG | IntentKind.STOP_TASKS:
            return _stop(world, done, intent)
        case IntentKind.FENCE | IntentKind.UNFENCE:
            machine = world.machines[intent.node]
            world.machines[machine.id] = replace(machine, fence=intent.kind is IntentKind.FENCE)
        case IntentKind.DIAGNOSE:
            return _diagnose(world, done, intent)
        case IntentKind.RESET_GPU:
            return _reset(world, done, intent)
        case IntentKind.REBOOT:
            return _reboot(world, done, intent)
        case IntentKind.REPLACE:
            _replace(world, intent)
        case _:
            pass
    return done


def _stop(world: World, worker: Executor, intent: Intent) -> Executor:
    for task in list(world.tasks.values()):
        mine = task.job == intent.job and task.generation == intent.generation
        hit = task.id in intent.tasks if intent.kind is IntentKind.STOP_TASKS else mine
        if hit:
            worker = replace(worker, seen=(*worker.seen, task_seen(task)))
        if hit and task.status is TaskStatus.RUNNING and world.machines[task.node].up:
            world.end(task, StopCause.OURS)
    return worker


def _diagnose(world: World, worker: Executor, intent: Intent) -> Executor:
    machine = world.machines[intent.node]
    if machine.gone or not machine.up or world.live_on(machine.id):
        return replace(worker, ok=False, detail="could not be placed")
    verdict = Verdict.PASS if machine.sick is Rung.NONE else Verdict.FAIL
    if verdict is Verdict.PASS:
        world.machines[machine.id] = replace(machine, passed_boot=machine.boot)
    rung = Rung.RESET_GPU if machine.sick is Rung.RESET_GPU else Rung.REBOOT
    world.emit(Diagnosed(machine.id, intent.id, verdict, int(rung), Boot(f"b{machine.boot}")))
    return worker


def _reset(world: World, worker: Executor, intent: Intent) -> Executor:
    machine = world.machines[intent.node]
    if machine.gone or not machine.up or world.live_on(machine.id):
        return replace(worker, ok=False, detail="could not be placed")
    verdict = Verdict.FAIL if machine.sick is Rung.REPLACE else Verdict.PASS
    if machine.sick is Rung.RESET_GPU:
        world.machines[machine.id] = replace(machine, sick=Rung.NONE)
    world.emit(Diagnosed(machine.id, intent.id, verdict))
    return worker


def _reboot(world: World, worker: Executor, intent: Intent) -> Executor:
    machine = world.machines[intent.node]
    running = world.live_on(machine.id)
    if intent.boot_before and intent.boot_before != f"b{machine.boot}":
        return replace(worker, detail="it has booted already")
    if any(task.id not in intent.tasks for task in running):
        return replace(worker, ok=False, detail="something runs there")
    for task in running:
        job = world.state.jobs[task.job]
        if job.generation == task.generation and job.phase not in (JobPhase.STOPPING, *FINAL_JOB_PHASES):
            raise Violation(f"{machine.id} is rebooted under {task.id}")
        world.end(task, StopCause.CAPACITY)
    world.reboots = (*world.reboots, world.now)
    machine = world.bump(replace(machine, up=False), 1)
    world.emit(node_seen(machine))
    return worker


def _replace(world: World, intent: Intent) -> None:
    machine = world.machines[intent.node]
    if machine.gone:
        return
    world.machines[machine.id] = replace(machine, gone=True, up=False)
    for task in world.live_on(machine.id):
        world.end(task, StopCause.CAPACITY)
    fresh = Machine(f"n{len(world.machines)}")
    world.machines[fresh.id] = fresh
    world.emit(node_seen(fresh))
