"""The small fleets that are searched, each with the mischief that it is there for."""

from collections.abc import Callable
from dataclasses import dataclass, replace

from inferfleet.recovery.core.policy import Policy
from inferfleet.recovery.core.terms import Rung
from inferfleet.recovery.prove.things import Mischief
from inferfleet.recovery.prove.world import World

POLICY = Policy(max_fenced_share=1.0, max_repair_share=0.5, job_attempts=3)


@dataclass(frozen=True, slots=True)
class SmallFleet:
    """A fleet to search: how to make it, how deep, and what it shows."""

    about: str
    depth: int
    make: Callable[[], World]


def _fleet(
    about: str,
    depth: int,
    nodes: int | tuple[int, ...],
    jobs: tuple[tuple[str, int], ...],
    mischief: Mischief,
    *,
    policy: Policy = POLICY,
) -> SmallFleet:
    gpus = nodes if isinstance(nodes, tuple) else (1,) * nodes
    return SmallFleet(about, depth, lambda: World.start(policy, mischief, gpus, jobs))


FLEETS = {
    "one": _fleet(
        "1 job of 1 on 2 nodes: a fault, with a loss, a duplicate and a crash", 11, 2, (("j", 1),), Mischief()
    ),
    "gang": _fleet(
        "1 job of 2 on 3 nodes: a fault, with a loss, a duplicate and a crash", 10, 3, (("j", 2),), Mischief()
    ),
    "tight": _fleet(
        "1 job of 2 on 2 nodes: two faults and two crashes, no spare node",
        10,
        2,
        (("j", 2),),
        Mischief(faults=2, crashes=2, losses=0, duplicates=0),
    ),
    "user": _fleet(
        "1 job of 2 on 3 nodes: its user stops it in the middle of a recovery",
        9,
        3,
        (("j", 2),),
        Mischief(user_stops=1, app_faults=1, faults=0),
    ),
    "two": _fleet(
        "2 jobs of 1 on 2 nodes: a fault, an application's fault, a duplicate and a crash",
        8,
        2,
        (("a", 1), ("b", 1)),
        Mischief(app_faults=1, losses=0),
    ),
    "replace": _fleet(
        "1 job of 1 on 2 nodes: a fault that only a replacement heals, a flapping agent, a stale report",
        10,
        2,
        (("j", 1),),
        Mischief(kinds=(Rung.REPLACE,), flaps=1, false_reports=1, duplicates=0, losses=0),
    ),
    "reset": _fleet(
        "1 job of 1 on 2 nodes: a fault that a reset or only a reboot heals, with a loss, a duplicate and a crash",
        10,
        2,
        (("j", 1),),
        Mischief(kinds=(Rung.RESET_GPU, Rung.REBOOT)),
        policy=replace(POLICY, allow_reset=True),
    ),
    "shared": _fleet(
        "2 jobs of 1 on a node of 2 GPUs, and a spare one: one GPU hangs, the other's job must not notice",
        8,
        (2, 1),
        (("a", 1), ("b", 1)),
        Mischief(reports=1, user_stops=1, faults=0, duplicates=1, losses=0),
    ),
    "paused": _fleet(
        "1 job of 1 on 2 nodes: a person pauses recovery at any moment",
        11,
        2,
        (("j", 1),),
        Mischief(pauses=1, duplicates=0, losses=1),
    ),
}
