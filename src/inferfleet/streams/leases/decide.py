"""Who should take or give up which camera: pure decisions over what a worker has seen of the table.

A worker compares no clocks with anybody. It watches counters: one that has stood still for a lease's duration, on the
watcher's own clock, belongs to a worker that is gone.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass

from inferfleet.streams.leases.model import Lease, View

Key = tuple[str, str]
"""What is watched: `("camera", id)` or `("worker", id)`."""


@dataclass(frozen=True, slots=True)
class Sight:
    """What was seen of an item: its counter, and since when it has had that value, on the watcher's clock."""

    counter: int
    since: float


Watch = Mapping[Key, Sight]


@dataclass(frozen=True, slots=True)
class Decision:
    """What to do now.

    Attributes:
        take: Leases to take, as they were seen.
        give: A camera to hand over, because another worker has at least two fewer.
    """

    take: tuple[Lease, ...] = ()
    give: str | None = None


def observe(watch: Watch, view: View, now: float) -> Watch:
    """Brings what was seen up to date with a view of the table at `now`, in seconds of the watcher's clock."""
    seen: dict[Key, Sight] = {}
    items = [(("camera", lease.camera), lease.counter) for lease in view.leases]
    items += [(("worker", beat.worker), beat.counter) for beat in view.beats]
    for key, counter in items:
        former = watch.get(key)
        seen[key] = former if former is not None and former.counter == counter else Sight(counter, now)
    return seen


def gone(watch: Watch, view: View, now: float, duration: float) -> set[str]:
    """The workers whose item has stood still for longer than `duration` seconds."""
    return {beat.worker for beat in view.beats if _stands(watch, ("worker", beat.worker), now, duration)}


def next_expiry(watch: Watch, view: View, now: float, duration: float) -> float | None:
    """When the next lease that somebody holds would run out if its counter stood still; None if there is none."""
    ends = [watch["camera", lease.camera].since + duration for lease in view.leases if lease.owner is not None]
    return min((end for end in ends if end > now), default=None)


def decide(
    me: str,
    cameras: Iterable[str],
    view: View,
    watch: Watch,
    now: float,
    *,
    duration: float,
    held: Collection[str],
    busy: Collection[str] = (),
) -> Decision:
    """Decides what a worker does next.

    Leases without a live owner are dealt like cards, each to the live worker with the fewest; every worker deals the
    same cards and takes what falls to itself. When there is none to deal, the one with the most hands a camera over
    if somebody has at least two fewer. It is given rather than stolen, as a thief would read the camera while the
    robbed has not noticed yet.

    Args:
        me: The worker that decides.
        cameras: The cameras it could run: those of its configuration.
        view: The table.
        watch: What was seen of it so far, this view included.
        now: Seconds on the watcher's clock.
        duration: Of a lease, in seconds.
        held: Cameras that it holds.
        busy: Cameras that it cannot take now, as it is still letting go of them; and hands over no other meanwhile.
    """
    known = {lease.camera: lease for lease in view.leases}
    wanted = [known.get(camera, Lease(camera)) for camera in sorted(cameras)]
    loads = {me: 0} | dict.fromkeys(_live(view, watch, now, duration), 0)
    free: list[Lease] = []
    for lease in wanted:
        stands = lease.owner != me and _stands(watch, ("camera", lease.camera), now, duration)
        if stands or _is_free(lease, me, held):
            free.append(lease)
        elif lease.owner in loads:
            loads[lease.owner] += 1
    if free:
        return Decision(take=tuple(lease for lease in _deal(free, loads, me) if lease.camera not in busy))
    givers = sorted(loads, key=lambda worker: (-loads[worker], worker))
    mine = sorted(camera for camera in held if camera in known)
    if not busy and mine and givers[0] == me and loads[me] - min(loads.values()) > 1:
        return Decision(give=mine[-1])
    return Decision()


def _deal(free: Iterable[Lease], loads: Mapping[str, int], me: str) -> list[Lease]:
    """Deals free leases to whoever has the fewest; returns those that fall to `me`."""
    loads = dict(loads)
    mine: list[Lease] = []
    for lease in free:
        taker = min(loads, key=lambda worker: (loads[worker], worker))
        loads[taker] += 1
        if taker == me:
            mine.append(lease)
    return mine


def _live(view: View, watch: Watch, now: float, duration: float) -> set[str]:
    dead = gone(watch, view, now, duration)
    return {beat.worker for beat in view.beats} - dead


def _is_free(lease: Lease, me: str, held: Collection[str]) -> bool:
    """Whether nobody holds it; nor do I when I let it run out, or never heard that my taking it had worked."""
    return lease.owner is None or (lease.owner == me and lease.camera not in held)


def _stands(watch: Watch, key: Key, now: float, duration: float) -> bool:
    sight = watch.get(key)
    return sight is not None and now - sight.since >= duration
