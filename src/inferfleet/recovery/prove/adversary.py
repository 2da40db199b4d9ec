"""What goes wrong in a small world: faults, users who stop tasks, agents that flap, stale reports, pauses."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import TYPE_CHECKING

from inferfleet.recovery.core.observations import Command, Evidence, Tick, Verb
from inferfleet.recovery.core.terms import Rung, StopCause, TaskStatus
from inferfleet.recovery.prove.things import Machine, RealTask, Step, node_seen

if TYPE_CHECKING:
    from inferfleet.recovery.prove.world import World


def steps(world: World) -> Iterator[Step]:
    """What the adversary can still do now."""
    live = [task for task in world.tasks.values() if task.status is TaskStatus.RUNNING]
    spots = {"app-fault": world.mischief.app_faults, "report": world.mischief.reports}
    spots["user-stop"] = world.mischief.user_stops
    for task in live:
        yield from ((name, task.id) for name, left in spots.items() if left)
    for machine in world.machines.values():
        if machine.up and not machine.gone:
            yield from _against(world, machine)
    if world.mischief.pauses:
        yield ("pause",)
    elif world.state.fleet.paused:
        yield ("resume",)


def _against(world: World, machine: Machine) -> Iterator[Step]:
    if world.mischief.faults and machine.sick is Rung.NONE and world.live_on(machine.id):
        yield from (("fault", machine.id, kind.name) for kind in world.mischief.kinds)
    if world.mischief.flaps:
        yield ("flap", machine.id)
    if world.mischief.false_reports and machine.boot > 1:
        yield ("stale-report", machine.id)


def misbehave(world: World, step: Step) -> None:
    """Takes one of its steps, or a person's.

    Raises:
        ValueError: There is no such step.
    """
    match step:
        case ("fault", key, kind):
            spend(world, faults=1)
            _fault(world, world.machines[key], Rung[kind])
        case ("app-fault", key):
            spend(world, app_faults=1)
            world.end(world.tasks[key], StopCause.FAILED)
        case ("user-stop", key):
            spend(world, user_stops=1)
            task = world.tasks[key]
            world.user_stopped |= {(task.job, task.generation)}
            world.end(task, StopCause.USER)
        case ("report", key):
            spend(world, reports=1)
            _report(world, world.tasks[key])
        case ("flap", key):
            spend(world, flaps=1)
            machine = world.bump(world.machines[key], 2)
            world.emit(replace(node_seen(machine), version=machine.version - 1, connected=False))
            world.emit(node_seen(machine))
        case ("stale-report", key):
            spend(world, false_reports=1)
            boot = world.machines[key].boot - 1
            world.emit(Evidence(key, Rung.REBOOT, "Xid 79, replayed", 1.0, boot_id=f"b{boot}"))
        case ("pause",):
            spend(world, pauses=1)
            world.tell(Command(Verb.PAUSE))
        case ("resume",):
            world.tell(Command(Verb.RESUME))
            world.tell(Tick())
        case _:
            raise ValueError(f"unknown step {step}")


def _fault(world: World, machine: Machine, kind: Rung) -> None:
    world.machines[machine.id] = replace(machine, sick=kind, passed_boot=0)
    for task in world.live_on(machine.id):
        world.end(task, StopCause.FAILED)


def _report(world: World, task: RealTask) -> None:
    """One GPU hangs; its task does not notice, the node agent does."""
    machine = replace(world.machines[task.node], sick=Rung.REBOOT, passed_boot=0)
    world.machines[machine.id] = machine
    world.emit(Evidence(machine.id, Rung.REBOOT, "Xid 79", world.now, f"b{machine.boot}", gpu=task.id))


def boot(world: World, machine: Machine) -> None:
    """A machine that was down is up again, with a new boot, healed if a reboot heals it."""
    healed = Rung.NONE if machine.sick <= Rung.REBOOT else machine.sick
    machine = world.bump(replace(machine, up=True, boot=machine.boot + 1, sick=healed), 1)
    world.emit(node_seen(machine))


def spend(world: World, **spent: int) -> None:
    """Uses up some of the mischief that is left."""
    left = {name: getattr(world.mischief, name) - count for name, count in spent.items()}
    world.mischief = replace(world.mischief, **left)
