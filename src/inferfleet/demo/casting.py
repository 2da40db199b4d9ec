"""Fills scenes with actors: what drives, rides and walks where, so that nothing runs through anything else."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace

import numpy as np

from inferfleet.demo.camera import Array, Camera
from inferfleet.demo.figure import ClassName, Look
from inferfleet.demo.layout import CYCLE, LANE, Layout
from inferfleet.demo.light import Colour
from inferfleet.demo.plates import plate_text
from inferfleet.demo.scene import Actor
from inferfleet.demo.vehicles import footprint

CAR_PAINTS: tuple[Colour, ...] = (
    (40, 40, 205), (200, 110, 40), (235, 235, 235), (52, 50, 50), (150, 148, 145), (60, 140, 60), (50, 190, 235),
    (120, 70, 50), (90, 60, 140), (215, 200, 180),
)  # fmt: skip
TRUCK_PAINTS: tuple[Colour, ...] = (
    (40, 60, 190),
    (180, 90, 30),
    (60, 150, 70),
    (40, 150, 225),
    (225, 225, 225),
    (90, 90, 95),
)
BUS_PAINTS: tuple[Colour, ...] = (
    (40, 50, 200),
    (60, 190, 240),
    (190, 120, 40),
    (90, 160, 60),
    (225, 225, 222),
    (150, 60, 110),
)
CLOTHES: tuple[Colour, ...] = (
    (45, 45, 180), (170, 95, 45), (70, 150, 70), (60, 200, 235), (220, 220, 220), (40, 38, 38), (150, 80, 130),
    (90, 140, 200), (120, 115, 110), (60, 110, 230),
)  # fmt: skip
TROUSERS: tuple[Colour, ...] = ((110, 70, 45), (50, 48, 46), (100, 130, 150), (75, 75, 78), (60, 80, 70))

FILES = (0.9, 1.8, 2.6)
"""Metres from the kerb to each file of people on a pavement."""


@dataclass(frozen=True)
class Cast:
    """How busy a scene is.

    Attributes:
        vehicles: Shares of the classes on the road.
        gap: Mean metres between one vehicle and the next; infinite for none.
        riders: Mean metres between bicycles.
        walkers: Mean metres between people on one file of the pavement.
        crossers: People who cross the road on the zebra crossing.
        parked: Share of parking bays that are taken, in a car park.
        speed: Metres per second of the vehicles.
    """

    vehicles: Mapping[ClassName, float] = field(default_factory=lambda: {"car": 0.6, "truck": 0.2, "bus": 0.2})
    gap: float = 12.0
    riders: float = 25.0
    walkers: float = 12.0
    crossers: int = 0
    parked: float = 0.0
    speed: float = 8.0


def random_look(kind: ClassName, random: np.random.Generator) -> Look:
    """An object of a class with random body, colours and size; vehicles get a plate."""

    def pick(colours: tuple[Colour, ...]) -> Colour:
        base = np.array(colours[int(random.integers(len(colours)))]) * random.uniform(0.85, 1.1)
        blue, green, red = np.clip(base + random.uniform(-12, 12, 3), 0, 255)
        return float(blue), float(green), float(red)

    paints = {"car": CAR_PAINTS, "truck": TRUCK_PAINTS, "bus": BUS_PAINTS, "bicycle": CLOTHES, "person": CLOTHES}
    accents = {"car": CAR_PAINTS, "truck": TRUCK_PAINTS, "bus": BUS_PAINTS, "bicycle": TROUSERS, "person": TROUSERS}
    spread = 0.12 if kind == "person" else 0.05
    return Look(
        kind=kind,
        variant=int(random.integers(60)),
        paint=pick(paints[kind]),
        accent=pick(accents[kind]),
        size=float(random.uniform(1.0 - spread, 1.0 + spread)),
        plate=plate_text(random) if kind in ("car", "truck", "bus") else None,
    )


def cast_actors(
    layout: Layout, camera: Camera, cast: Cast, seconds: float, random: np.random.Generator
) -> tuple[Actor, ...]:
    """Actors for a scene that lasts `seconds`; they come into the frame and leave it meanwhile."""
    actors: list[Actor] = []
    for side in (-1.0, 1.0):
        speed = cast.speed * float(random.uniform(0.85, 1.15))
        lines = [
            _Line(side * LANE, -side, cast.vehicles, cast.gap, speed),
            _Line(side * CYCLE, -side, {"bicycle": 1.0}, cast.riders, 4.2),
        ]
        for line in lines:
            actors += _fill(line, layout, camera, seconds, random)
        for file in FILES if layout.place == "street" else ():
            forward = -side if random.random() < 0.5 else side
            pace = float(random.uniform(1.0, 1.6))
            line = _Line(side * (layout.half + file), forward, {"person": 1.0}, cast.walkers, pace)
            actors += _fill(line, layout, camera, seconds, random)
    if layout.place == "carpark":
        actors += _parked(layout, cast.parked, random)
    if layout.crossing is not None:
        actors += _crossers(layout, cast.crossers, actors, seconds, random)
    return tuple(replace(actor, track=number) for number, actor in enumerate(actors, start=1))


@dataclass(frozen=True)
class _Line:
    """A line along the road on which actors follow each other.

    Attributes:
        across: Metres to the left of the middle of the road.
        forward: 1 if they move along the road, -1 if against it.
        kinds: Shares of the classes.
        gap: Mean metres between the end of one and the start of the next; infinite for an empty line.
        speed: Metres per second, the same for all.
    """

    across: float
    forward: float
    kinds: Mapping[ClassName, float]
    gap: float
    speed: float


def _fill(line: _Line, layout: Layout, camera: Camera, seconds: float, random: np.random.Generator) -> list[Actor]:
    """Actors on a line, enough to keep the part of it that the camera sees busy for `seconds`."""
    if not np.isfinite(line.gap):
        return []
    start, end = _seen_stretch(layout, camera, line.across)
    heading = layout.heading + (0.0 if line.forward > 0 else np.pi)
    head = (end if line.forward > 0 else -start) + float(random.uniform(-0.5, 0.8)) * line.gap
    tail = (start if line.forward > 0 else -end) - line.speed * seconds
    names = list(line.kinds)
    shares = np.array(list(line.kinds.values()))
    actors = []
    while head > tail:
        look = random_look(names[int(random.choice(len(names), p=shares / shares.sum()))], random)
        long, _ = footprint(look)
        head -= long / 2
        sway = float(random.uniform(-0.2, 0.2)) if look.kind in ("person", "bicycle") else 0.0
        x, y = layout.world(head * line.forward, line.across + sway)
        actors.append(Actor(0, look, x, y, heading, line.speed))
        head -= long / 2 + (0.0 if look.kind == "person" else 1.5) + float(random.exponential(line.gap))
    return actors


def _seen_stretch(layout: Layout, camera: Camera, across: float) -> tuple[float, float]:
    """The part of a line along the road that the camera sees, in metres along the road, with a margin."""
    along = np.arange(-90.0, 100.0, 1.0)
    points = np.array([(*layout.world(float(s), across), 0.8) for s in along])
    view = camera.to_view(points)
    ahead = view[:, 2] > 1.0
    pixels = camera.to_pixels(np.where(ahead[:, None], view, 1.0))
    inside = (
        ahead
        & (pixels[:, 0] > 0)
        & (pixels[:, 0] < camera.width)
        & (pixels[:, 1] > 0)
        & (pixels[:, 1] < camera.height * 1.3)
    )
    if not inside.any():
        return 0.0, 0.0
    return float(along[inside].min()) - 7.0, min(float(along[inside].max()) + 7.0, 55.0)


def _parked(layout: Layout, share: float, random: np.random.Generator) -> list[Actor]:
    actors = []
    for side in (1.0, -1.0):
        for along in np.arange(-84.0, 90.0, 2.8) + 1.4:
            if random.random() >= share:
                continue
            x, y = layout.world(float(along), side * (layout.half + 2.6))
            heading = layout.heading + np.pi / 2 * (1.0 if random.random() < 0.5 else -1.0)
            actors.append(Actor(0, random_look("car", random), x, y, heading, 0.0))
    return actors


def _crossers(
    layout: Layout, wanted: int, others: Sequence[Actor], seconds: float, random: np.random.Generator
) -> list[Actor]:
    """People who cross at moments when nothing drives or walks into them."""
    found: list[Actor] = []
    for _ in range(wanted * 30):
        if len(found) == wanted:
            break
        candidate = _crosser(layout, seconds, random)
        if not _collides(candidate, [*others, *found], seconds):
            found.append(candidate)
    return found


def _crosser(layout: Layout, seconds: float, random: np.random.Generator) -> Actor:
    side = 1.0 if random.random() < 0.5 else -1.0
    pace = float(random.uniform(1.2, 1.7))
    begin = float(random.uniform(-3.0, seconds))
    along = (layout.crossing or 0.0) + float(random.uniform(-1.5, 1.5))
    x, y = layout.world(along, side * (layout.half + 2.0 + pace * begin))
    return Actor(0, random_look("person", random), x, y, layout.heading - side * np.pi / 2, pace)


def _collides(candidate: Actor, others: Iterable[Actor], seconds: float) -> bool:
    """Whether an actor would touch another at some moment."""
    times = np.arange(-4.0, seconds + 1.0, 0.2)
    own = _positions(candidate, times)
    for other in others:
        long, wide = footprint(other.look)
        apart = own - _positions(other, times)
        along = np.abs(apart @ np.array([np.cos(other.heading), np.sin(other.heading)]))
        across = np.abs(apart @ np.array([-np.sin(other.heading), np.cos(other.heading)]))
        if bool(((along < long / 2 + 1.2) & (across < wide / 2 + 0.45)).any()):
            return True
    return False


def _positions(actor: Actor, times: Array) -> Array:
    way = actor.speed * times
    return np.stack([actor.x + way * np.cos(actor.heading), actor.y + way * np.sin(actor.heading)], axis=1)
