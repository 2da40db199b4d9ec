"""Houses, trees and street lamps beside the road: the part of the backdrop that stands up from the ground."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np

from inferfleet.demo.brush import Brush
from inferfleet.demo.layout import Layout
from inferfleet.demo.light import Atmosphere, Colour, darker

FACADES: tuple[Colour, ...] = (
    (120, 150, 190),
    (150, 175, 200),
    (105, 120, 165),
    (170, 185, 195),
    (140, 150, 150),
    (95, 125, 175),
    (185, 190, 205),
)
FLOOR = 3.2
"""Height of a storey in metres."""

Point = tuple[float, float, float]


@dataclass(frozen=True)
class Thing:
    """Something that stands beside the road.

    Attributes:
        depth: Metres from the camera along its axis.
        kind: What it is.
        along: Where it starts, in metres along the road.
        across: Where its front is, in metres to the left of the middle of the road.
        wide: How much of the road a house takes, in metres.
    """

    depth: float
    kind: Literal["house", "tree", "lamp"]
    along: float
    across: float
    wide: float = 0.0

    @property
    def side(self) -> float:
        """1 on the left of the road, -1 on its right."""
        return 1.0 if self.across > 0 else -1.0


def draw_surroundings(brush: Brush, air: Atmosphere, layout: Layout, random: np.random.Generator) -> None:
    """Draws houses, trees and lamps, far ones first; none between the camera and a road that passes before it."""
    for thing in sorted(_plan(brush, layout, random), key=lambda thing: -thing.depth):
        if thing.depth < (18.0 if thing.kind == "tree" else 9.0) or thing.depth > 170.0:
            continue
        if thing.kind == "house":
            _House(brush, air, layout, thing).draw(random)
        elif thing.kind == "tree":
            _tree(brush, layout, thing, random)
        else:
            _lamp(brush, air, layout, thing)


def _plan(brush: Brush, layout: Layout, random: np.random.Generator) -> list[Thing]:
    """What stands where."""

    def depth(along: float, across: float) -> float:
        x, y = layout.world(along, across)
        return float(brush.camera.to_view(np.array([[x, y, 0.0]]))[0, 2])

    outer = layout.half + layout.pavement + (4.0 if layout.place != "carpark" else 7.0)
    lateral = abs(np.cos(layout.heading)) > 0.5
    things: list[Thing] = []
    for side in (1.0, -1.0):
        if lateral and side * layout.offset * np.cos(layout.heading) < 0:
            continue
        along, setback = -90.0, outer + float(random.uniform(1.0, 6.0))
        while along < 130.0:
            wide = float(random.uniform(9, 17))
            behind = depth(along + wide / 2, side * (setback + 4))
            things.append(Thing(behind, "house", along, side * setback, wide - 0.4))
            along += wide + (float(random.uniform(2, 9)) if random.random() < 0.35 else 0.0)
        for spot in (np.arange(-81.0, 120.0, 9.0) + random.uniform(-1, 1, 23)).tolist():
            kind: Literal["lamp", "tree"] = "lamp" if int(spot // 9) % 2 else "tree"
            place = layout.half + (layout.pavement + 2.6 if kind == "tree" else 0.7)
            if layout.place == "carpark":
                place = layout.half + 7.2
            things.append(Thing(depth(spot, side * place), kind, spot, side * place))
    return things


class _House:
    """One house: two walls, windows or a shop, and the edge of its roof."""

    def __init__(self, brush: Brush, air: Atmosphere, layout: Layout, thing: Thing) -> None:
        self._brush = brush
        self._lit = air.light.lamps
        self._layout = layout
        self._thing = thing

    def draw(self, random: np.random.Generator) -> None:
        floors = int(random.integers(2, 6))
        wide, tall, deep = self._thing.wide, FLOOR * floors + 0.8, 9.0
        paint = FACADES[int(random.integers(len(FACADES)))]
        lights = random.random((floors, 24))
        shop = bool(random.random() < 0.4)
        blue, green, red = random.uniform(40, 220, 3).tolist()
        end = min((0.0, wide), key=lambda s: float(np.hypot(*self._at(s, 0, 0)[:2])))
        gable = [self._at(end, 0, 0), self._at(end, deep, 0), self._at(end, deep, tall), self._at(end, 0, tall)]
        self._wall(gable, darker(paint, 0.8))
        self._front((0, wide), (0, tall), 0.0, paint)
        self._windows(floors, lights, shop=shop)
        if shop:
            glass: Colour = (105, 170, 200) if self._lit else (120, 112, 98)
            self._front((0.6, wide - 0.6), (0.3, 2.5), -0.02, glass, shines=self._lit)
            self._front((0.4, wide - 0.4), (2.6, 3.2), -0.05, (blue, green, red))
        self._front((0, wide), (tall - 0.4, tall), -0.1, darker(paint, 0.7))

    def _windows(self, floors: int, lights: np.typing.NDArray[np.float64], *, shop: bool) -> None:
        count = max(2, int(self._thing.wide / 2.4))
        pitch = self._thing.wide / count
        for floor in range(1 if shop else 0, floors):
            low = 1.0 + FLOOR * floor
            for index in range(count):
                left = pitch * index + pitch * 0.25
                on = self._lit and bool(lights[floor, index % 24] < 0.4)
                glass: Colour = (120, 200, 240) if on else (110, 98, 88)
                self._front((left, left + pitch * 0.5), (low, low + 1.6), -0.02, glass, shines=on)

    def _front(
        self, s: tuple[float, float], z: tuple[float, float], d: float, colour: Colour, *, shines: bool = False
    ) -> None:
        """Fills a rectangle parallel to the front: from s[0] to s[1] along it, z[0] to z[1] up, d behind it."""
        corners = [self._at(s[0], d, z[0]), self._at(s[1], d, z[0]), self._at(s[1], d, z[1]), self._at(s[0], d, z[1])]
        self._wall(corners, colour, shines=shines)

    def _wall(self, corners: list[Point], colour: Colour, *, shines: bool = False) -> None:
        self._brush.face(np.array(corners), colour, shines=shines, two_sided=True)

    def _at(self, s: float, d: float, z: float) -> Point:
        return (*self._layout.world(self._thing.along + s, self._thing.across + self._thing.side * d), z)


def _tree(brush: Brush, layout: Layout, thing: Thing, random: np.random.Generator) -> None:
    x, y = layout.world(thing.along, thing.across)
    size = float(random.uniform(0.8, 1.25))
    brush.limb(np.array([x, y, 0.0]), np.array([x, y, 2.6 * size]), (0.16, 0.1), (50, 66, 84))
    shade = float(random.uniform(0.8, 1.15))
    crown = random.normal(0.0, 1.0, (16, 3)) * np.array([0.75, 0.75, 0.7]) * size + np.array([x, y, 3.8 * size])
    for index, ball in enumerate(sorted(crown.tolist(), key=lambda ball: ball[2])):
        tone = (0.75 + 0.03 * index) * shade
        radius = float(random.uniform(0.55, 0.95)) * size
        brush.blob(np.array([ball]), np.array([radius]), (48 * tone, 105 * tone, 72 * tone), 0.6)


def _lamp(brush: Brush, air: Atmosphere, layout: Layout, thing: Thing) -> None:
    x, y = layout.world(thing.along, thing.across)
    hx, hy = layout.world(thing.along, thing.across - thing.side * 1.6)
    brush.path(np.array([[x, y, 0.0], [x, y, 6.2], [hx, hy, 6.5]]), 0.12, (92, 90, 88))
    brush.path(np.array([[hx, hy, 6.48], [(x + 2 * hx) / 3, (y + 2 * hy) / 3, 6.4]]), 0.16, (220, 235, 245))
    if air.light.lamps:
        brush.glow(np.array([hx, hy, 6.4]), 1.8, (70, 130, 170))
