"""Cars, trucks and buses as solids: bodies, glass, wheels, lamps and plates."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from inferfleet.demo.brush import Brush
from inferfleet.demo.camera import Array
from inferfleet.demo.figure import Body, Look, Pose, mix
from inferfleet.demo.light import Atmosphere, Colour
from inferfleet.demo.plates import METRES, plate_picture

GLASS: Colour = (92, 74, 58)
TYRE: Colour = (34, 32, 32)
HUB: Colour = (176, 172, 168)
UNDER: Colour = (38, 36, 36)
LAMP: Colour = (225, 245, 252)
TAIL: Colour = (40, 34, 205)

Profile = Sequence[tuple[float, float]]


@dataclass(frozen=True)
class Shape:
    """The measures of one car body, in metres from its middle.

    Attributes:
        hull: Side profile (x, z) of the lower body.
        cabin: Side profile of the part with glass: rear foot, front foot, front top, rear top.
        half: Half its width.
        wheels: Where its axles stand.
        pillar: Where the front and rear side windows meet.
    """

    hull: Profile
    cabin: Profile
    half: float
    wheels: tuple[float, ...]
    pillar: float


CARS: tuple[Shape, ...] = (
    Shape(  # saloon
        [(-2.15, 0.35), (2.1, 0.32), (2.2, 0.62), (1.9, 0.80), (0.9, 0.92), (-1.5, 0.95), (-2.2, 0.88)],
        [(-1.6, 0.92), (1.0, 0.90), (0.35, 1.42), (-1.0, 1.44)],
        0.90,
        (-1.3, 1.35),
        -0.3,
    ),
    Shape(  # hatchback
        [(-1.85, 0.35), (1.8, 0.32), (1.9, 0.62), (1.65, 0.82), (0.8, 0.96), (-1.8, 0.98)],
        [(-1.8, 0.95), (0.9, 0.93), (0.2, 1.50), (-1.45, 1.50)],
        0.88,
        (-1.15, 1.2),
        -0.45,
    ),
    Shape(  # off-roader
        [(-2.2, 0.45), (2.1, 0.42), (2.2, 0.85), (2.0, 1.02), (0.95, 1.12), (-2.2, 1.12)],
        [(-2.15, 1.10), (1.0, 1.08), (0.45, 1.74), (-1.95, 1.76)],
        0.97,
        (-1.35, 1.35),
        -0.5,
    ),
    Shape(  # van
        [(-2.3, 0.40), (2.2, 0.36), (2.3, 0.80), (2.05, 1.02), (1.4, 1.12), (-2.3, 1.12)],
        [(-2.3, 1.10), (1.5, 1.08), (0.75, 1.92), (-2.25, 1.92)],
        0.97,
        (-1.4, 1.45),
        0.0,
    ),
)


@dataclass(frozen=True)
class Drawn:
    """What drawing a vehicle left to know: its plate's corners in pixels, if the plate was seen."""

    plate: Array | None


def draw_vehicle(brush: Brush, air: Atmosphere, pose: Pose, look: Look) -> Drawn:
    """Draws a car, truck or bus and returns where its plate is in the picture."""
    body = Body(brush, pose, look.size)
    draw = {"car": _car, "truck": _truck, "bus": _bus}[look.kind]
    return draw(body, air, pose, look)


def footprint(look: Look) -> tuple[float, float]:
    """Length and width on the ground, in metres."""
    lengths = {"car": 4.4, "truck": 8.0, "bus": 11.2, "bicycle": 1.8, "person": 0.6}
    widths = {"car": 1.9, "truck": 2.5, "bus": 2.6, "bicycle": 0.6, "person": 0.6}
    return lengths[look.kind] * look.size, widths[look.kind] * look.size


def height(look: Look) -> float:
    """Height in metres, about."""
    heights = {"car": 1.6, "truck": 3.4, "bus": 3.2, "bicycle": 1.75, "person": 1.75}
    return heights[look.kind] * look.size


def _car(body: Body, air: Atmosphere, pose: Pose, look: Look) -> Drawn:
    shape = CARS[look.variant % len(CARS)]
    front, back = max(x for x, _ in shape.hull), min(x for x, _ in shape.hull)
    body.box((back + 0.25, front - 0.25), (-shape.half + 0.1, shape.half - 0.1), (0.12, 0.5), UNDER)
    _tyres(body, shape.wheels, shape.half, 0.33)
    body.prism(shape.hull, shape.half, shape.half, look.paint)
    for side in (1.0, -1.0):
        body.face(
            [
                (x, side * (shape.half + 0.005), z)
                for x, z in ((back + 0.1, 0.34), (front - 0.1, 0.32), (front - 0.1, 0.42), (back + 0.1, 0.44))
            ],
            (0.0, side, 0.0),
            mix(look.paint, UNDER, 0.7),
        )
    _wheels(body, shape.wheels, shape.half, 0.33, pose.travelled)
    body.prism(shape.cabin, shape.half - 0.06, shape.half - 0.24, mix(look.paint, (255.0, 255.0, 255.0), 0.06))
    _car_glass(body, shape)
    _lamps(body, air, front, back, _Lamps(shape.half - 0.28, shape.hull[2][1] + 0.03, 0.38, 0.16))
    body.face(
        [(front + 0.01, y, z) for y, z in ((-0.4, 0.48), (0.4, 0.48), (0.4, 0.62), (-0.4, 0.62))], (1, 0, 0), UNDER
    )
    return _plates(body, look, front, back, 0.36)


def _car_glass(body: Body, shape: Shape) -> None:
    (rear, foot), (nose, _), (nose_top, roof), (rear_top, _) = shape.cabin
    low, high = foot + 0.05, roof - 0.08
    base, top = shape.half - 0.06, shape.half - 0.24

    def half(z: float) -> float:
        return base + (top - base) * (z - foot) / (roof - foot)

    def front_x(z: float) -> float:
        return nose + (nose_top - nose) * (z - foot) / (roof - foot)

    def rear_x(z: float) -> float:
        return rear + (rear_top - rear) * (z - foot) / (roof - foot)

    for side in (1.0, -1.0):
        for start, end in ((rear_x, shape.pillar - 0.05), (shape.pillar + 0.05, front_x)):
            corners = []
            for bound, shift in ((start, 0.14), (end, -0.16)):
                for z in (low, high) if bound is start else (high, low):
                    x = bound(z) + shift if callable(bound) else bound
                    corners.append((x, side * (half(z) + 0.01), z))
            body.face(corners, (0.0, side, 0.0), GLASS)
    for edge, outward in ((front_x, 1.0), (rear_x, -1.0)):
        pane = [
            (edge(z) + outward * 0.015, y * (half(z) - 0.1), z)
            for y, z in ((-1.0, low), (1.0, low), (1.0, high), (-1.0, high))
        ]
        body.face(pane, (outward, 0.0, 0.3), mix(GLASS, (190.0, 170.0, 150.0), 0.25 if outward > 0 else 0.1))


def _truck(body: Body, air: Atmosphere, pose: Pose, look: Look) -> Drawn:
    half, front, back = 1.22, 4.0, -4.0
    axles = (-2.9, -1.9, 2.8)
    body.box((back + 0.2, front - 0.3), (-half + 0.25, half - 0.25), (0.35, 0.95), UNDER)
    _tyres(body, axles, half, 0.5)
    cab, load = np.hypot(*body.world([(3.0, 0.0, 0.0), (-1.2, 0.0, 0.0)])[:, :2].T).tolist()
    if cab < load:
        _load(body, look, half, back)
        _cab(body, look, half, front)
    else:
        _cab(body, look, half, front)
        _load(body, look, half, back)
    _wheels(body, axles, half, 0.5, pose.travelled)
    _lamps(body, air, front, back, _Lamps(half - 0.3, 0.72, 0.36, 0.2))
    return _plates(body, look, front, back, 0.44)


def _cab(body: Body, look: Look, half: float, front: float) -> None:
    top = 2.75
    body.prism(
        [(1.9, 0.5), (front, 0.45), (front, 1.45), (front - 0.3, top), (1.9, top)], half, half - 0.08, look.paint
    )
    pane = [
        (front - 0.02 - 0.3 * (z - 1.45) / 1.3 + 0.03, y, z)
        for y, z in ((-1.0, 1.5), (1.0, 1.5), (0.95, 2.45), (-0.95, 2.45))
    ]
    body.face(pane, (1.0, 0.0, 0.2), mix(GLASS, (190.0, 170.0, 150.0), 0.2))
    body.face(
        [(front + 0.01, y, z) for y, z in ((-0.75, 0.95), (0.75, 0.95), (0.75, 1.3), (-0.75, 1.3))], (1, 0, 0), UNDER
    )
    for side in (1.0, -1.0):
        door = [
            (2.6, side * (half - 0.01), 1.5),
            (3.65, side * (half - 0.01), 1.5),
            (3.45, side * (half - 0.05), 2.35),
            (2.6, side * (half - 0.05), 2.35),
        ]
        body.face(door, (0.0, side, 0.0), GLASS)


def _load(body: Body, look: Look, half: float, back: float) -> None:
    variant = look.variant % 3
    if variant == 2:  # a tipper with its heap
        body.prism([(back, 1.0), (1.5, 1.0), (1.6, 2.2), (back - 0.1, 2.2)], half - 0.1, half + 0.05, look.accent)
        heap = mix(look.accent, (70.0, 95.0, 120.0), 0.75)
        body.blob([(-2.8, 0.0, 2.0), (-1.2, 0.3, 2.35), (0.4, 0.0, 2.0)], [0.6, 0.55, 0.6], heap, 0.8)
        ribs = np.linspace(back + 0.4, 1.2, 6)
        for side in (1.0, -1.0):
            for x in ribs:
                rib = [
                    (x, side * (half + 0.04), 1.05),
                    (x + 0.12, side * (half + 0.04), 1.05),
                    (x + 0.12, side * (half + 0.06), 2.18),
                    (x, side * (half + 0.06), 2.18),
                ]
                body.face(rib, (0.0, side, 0.0), mix(look.accent, UNDER, 0.35))
        return
    tall = 3.45 if variant == 0 else 3.15
    paint = mix(look.accent, (240.0, 240.0, 240.0), 0.75 if variant == 0 else 0.0)
    body.box((back, 1.6), (-half - 0.03, half + 0.03), (0.95, tall), paint)
    stripe = look.paint if variant == 0 else (235.0, 235.0, 235.0)
    for side in (1.0, -1.0):
        y = side * (half + 0.04)
        body.face(
            [(x, y, z) for x, z in ((back + 0.5, 1.55), (1.1, 1.75), (1.1, 2.3), (back + 0.5, 2.1))],
            (0.0, side, 0.0),
            stripe,
        )
        body.face(
            [(x, y, z) for x, z in ((back, 0.95), (1.6, 0.95), (1.6, 1.05), (back, 1.05))], (0.0, side, 0.0), UNDER
        )
    for y in (-0.02, half - 0.1, -half + 0.06):
        body.face(
            [(back - 0.01, yy, z) for yy, z in ((y, 1.0), (y + 0.05, 1.0), (y + 0.05, tall - 0.1), (y, tall - 0.1))],
            (-1, 0, 0),
            mix(paint, UNDER, 0.55),
        )


def _bus(body: Body, air: Atmosphere, pose: Pose, look: Look) -> Drawn:
    half, front, back, top = 1.26, 5.6, -5.6, 3.05
    axles = (-3.4, 3.2)
    body.box((back + 0.3, front - 0.3), (-half + 0.1, half - 0.1), (0.15, 0.5), UNDER)
    _tyres(body, axles, half, 0.48)
    body.prism(
        [(back, 0.36), (front, 0.34), (front, 1.3), (front - 0.18, top), (back + 0.08, top)],
        half,
        half - 0.06,
        look.paint,
    )
    lit = air.light.lamps
    glass = (150.0, 205.0, 225.0) if lit else GLASS
    for side in (1.0, -1.0):
        y = side * (half + 0.005)
        body.face(
            [(x, y, z) for x, z in ((back, 0.4), (front, 0.4), (front, 0.85), (back, 0.85))],
            (0.0, side, 0.0),
            look.accent,
        )
        for index in range(7):
            x = back + 0.35 + index * 1.52
            pane = [(x, y, 1.45), (x + 1.36, y, 1.45), (x + 1.36, y - side * 0.03, 2.5), (x, y - side * 0.03, 2.5)]
            body.face(pane, (0.0, side, 0.0), glass, shines=lit)
    for x in (-0.7, 4.3):  # doors are on the right
        door = [
            (x, -half - 0.012, 0.5),
            (x + 1.0, -half - 0.012, 0.5),
            (x + 1.0, -half + 0.02, 2.55),
            (x, -half + 0.02, 2.55),
        ]
        body.face(door, (0.0, -1.0, 0.0), mix(GLASS, UNDER, 0.4))
    pane = [
        (front + 0.02 - 0.18 * (z - 1.3) / 1.75, y, z)
        for y, z in ((-1.12, 1.25), (1.12, 1.25), (1.1, 2.5), (-1.1, 2.5))
    ]
    body.face(pane, (1.0, 0.0, 0.05), mix(GLASS, (190.0, 170.0, 150.0), 0.15))
    sign = [
        (front + 0.03 - 0.18 * (z - 1.3) / 1.75, y, z) for y, z in ((-0.9, 2.6), (0.9, 2.6), (0.9, 2.92), (-0.9, 2.92))
    ]
    body.face(sign, (1.0, 0.0, 0.05), (40, 190, 250), shines=lit)
    rear = [(back - 0.01 + 0.08 * (z - 0.4) / 2.6, y, z) for y, z in ((-1.0, 1.7), (1.0, 1.7), (1.0, 2.6), (-1.0, 2.6))]
    body.face(rear, (-1.0, 0.0, 0.0), glass, shines=lit)
    _wheels(body, axles, half, 0.48, pose.travelled)
    _lamps(body, air, front, back, _Lamps(half - 0.3, 0.68, 0.4, 0.2))
    return _plates(body, look, front, back, 0.42)


def _tyres(body: Body, axles: Sequence[float], half: float, radius: float) -> None:
    """The tread of the wheels, seen below the body from the front or the back."""
    for x in axles:
        for side in (1.0, -1.0):
            inner, outer = sorted((side * (half - 0.02), side * (half - 0.26)))
            body.box((x - radius * 0.8, x + radius * 0.8), (inner, outer), (0.0, radius * 1.2), TYRE)


def _wheels(body: Body, axles: Sequence[float], half: float, radius: float, travelled: float) -> None:
    """The discs of the wheels on the side that is turned to the camera; the hubs' spokes turn."""
    turns = np.linspace(0.0, 2.0 * np.pi, 14, endpoint=False)
    for x in axles:
        for side in (1.0, -1.0):
            rim = [(x + radius * np.cos(a), side * (half + 0.01), radius + radius * np.sin(a)) for a in turns]
            if body.face(rim, (0.0, side, 0.0), TYRE) is None:
                continue
            hub = [
                (x + 0.58 * radius * np.cos(a), side * (half + 0.015), radius + 0.58 * radius * np.sin(a))
                for a in turns[::2]
            ]
            body.face(hub, (0.0, side, 0.0), HUB)
            angle = -travelled / radius
            for spoke in (angle, angle + np.pi / 2):
                tip = (0.5 * radius * np.cos(spoke), 0.5 * radius * np.sin(spoke))
                ends = [
                    (x - tip[0], side * (half + 0.02), radius - tip[1]),
                    (x + tip[0], side * (half + 0.02), radius + tip[1]),
                ]
                body.path(ends, 0.07, (90, 88, 86))


@dataclass(frozen=True)
class _Lamps:
    """Where the lamps sit: metres from the middle line and above the ground, width and height."""

    y: float
    z: float
    wide: float
    tall: float


def _lamps(body: Body, air: Atmosphere, front: float, back: float, where: _Lamps) -> None:
    y, z, wide, tall = where.y, where.z, where.wide, where.tall
    for side in (1.0, -1.0):
        for x, outward, colour in ((front + 0.02, 1.0, LAMP), (back - 0.02, -1.0, TAIL)):
            corners = [
                (x, side * y + dy, z + dz)
                for dy, dz in ((-wide / 2, 0), (wide / 2, 0), (wide / 2, tall), (-wide / 2, tall))
            ]
            seen = body.face(corners, (outward, 0.0, 0.0), colour, shines=air.light.lamps)
            if seen is not None and air.light.lamps:
                centre = body.world([(x, side * y, z + tall / 2)])[0]
                if outward > 0:
                    body.brush.glow(centre, 0.9, (150, 175, 180))
                else:
                    body.brush.glow(centre, 0.5, (20, 16, 150))


def _plates(body: Body, look: Look, front: float, back: float, z: float) -> Drawn:
    """Puts the plate on the front and the back; at most one of them is seen."""
    if look.plate is None:
        return Drawn(None)
    wide, tall = METRES[0] / 2 / look.size, METRES[1] / look.size
    picture = plate_picture(look.plate)
    for x, left in ((front + 0.04, -1.0), (back - 0.04, 1.0)):
        corners = [(x, left * wide, z + tall), (x, -left * wide, z + tall), (x, -left * wide, z), (x, left * wide, z)]
        seen = body.brush.texture(body.world(corners), picture)
        if seen is not None:
            return Drawn(seen)
    return Drawn(None)
