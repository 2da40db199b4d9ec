"""Walkers and cyclists, drawn from joints: limbs that swing with the distance walked, pedals that turn."""

from __future__ import annotations

import numpy as np

from inferfleet.demo.brush import Brush
from inferfleet.demo.figure import Body, Look, Point, Pose, mix
from inferfleet.demo.light import Colour

SKIN: tuple[Colour, ...] = ((150, 180, 225), (110, 145, 195), (70, 100, 150), (50, 70, 105))
HAIR: tuple[Colour, ...] = ((30, 35, 45), (45, 75, 110), (90, 150, 190), (120, 120, 125), (25, 40, 95))
STEP = 1.5
"""Metres that a walker moves in one full swing of both legs."""


def draw_person(brush: Brush, pose: Pose, look: Look) -> None:
    """Draws a walking person, 1.75 m tall at size 1."""
    body = Body(brush, pose, look.size)
    swing = np.sin(2.0 * np.pi * pose.travelled / STEP)
    skin, hair = SKIN[look.variant % len(SKIN)], HAIR[look.variant // 2 % len(HAIR)]
    shoes = mix(look.accent, (25.0, 25.0, 25.0), 0.7)
    far, near = _by_distance(body)
    _leg(body, far, -swing * far, look.accent, shoes)
    _arm(body, far, swing * far, look.paint, skin)
    _leg(body, near, -swing * near, look.accent, shoes)
    if look.variant % 3 == 1:  # a long coat or skirt
        body.blob(
            [(0.0, 0.1, 0.95), (0.0, -0.1, 0.95), (0.02, 0.16, 0.6), (0.02, -0.16, 0.6)],
            [0.12, 0.12, 0.09, 0.09],
            look.paint,
        )
    shoulders: list[Point] = [(0.0, 0.17, 1.38), (0.0, -0.17, 1.38), (0.0, 0.1, 0.95), (0.0, -0.1, 0.95)]
    if look.variant % 4 == 2:
        body.blob([(-0.17, 0.0, 1.32), (-0.19, 0.0, 1.02)], [0.14, 0.16], mix(look.accent, (40.0, 60.0, 170.0), 0.6))
    body.blob(shoulders, [0.1, 0.1, 0.13, 0.13], look.paint)
    _arm(body, near, swing * near, look.paint, skin)
    body.limb((0.0, 0.0, 1.42), (0.02, 0.0, 1.52), 0.055, 0.055, skin)
    body.blob([(0.02, 0.0, 1.59), (0.03, 0.0, 1.64)], [0.1, 0.1], skin)
    body.blob([(-0.03, 0.0, 1.63), (0.0, 0.0, 1.68)], [0.09, 0.085], hair)


def draw_bicycle(brush: Brush, pose: Pose, look: Look) -> None:
    """Draws a bicycle and its rider as one object."""
    body = Body(brush, pose, look.size)
    radius, base = 0.34, 0.53
    turns = np.linspace(0.0, 2.0 * np.pi, 20, endpoint=False)
    for x in (-base, base):
        rim = np.stack([x + radius * np.cos(turns), np.zeros_like(turns), radius + radius * np.sin(turns)], axis=1)
        body.path(rim, 0.055, (32, 32, 34), closed=True)
        for spoke in np.arange(3) * np.pi / 3 - pose.travelled / radius:
            tip = (radius * np.cos(spoke), radius * np.sin(spoke))
            body.path([(x - tip[0], 0.0, radius - tip[1]), (x + tip[0], 0.0, radius + tip[1])], 0.012, (150, 150, 150))
    crank, seat, head = (-0.05, 0.0, 0.3), (-0.22, 0.0, 0.9), (0.38, 0.0, 0.88)
    tubes: list[tuple[Point, Point]] = [
        ((-base, 0.0, radius), crank),
        (crank, seat),
        (crank, head),
        ((-0.2, 0.0, 0.8), head),
        ((-base, 0.0, radius), (-0.2, 0.0, 0.8)),
        ((0.36, 0.0, 0.98), (base, 0.0, radius)),
    ]
    for start, end in tubes:
        body.path([start, end], 0.05, look.paint)
    body.path([(0.4, 0.26, 1.0), (0.36, 0.0, 1.0), (0.4, -0.26, 1.0)], 0.04, (40, 40, 42))
    body.limb((-0.34, 0.0, 0.93), (-0.1, 0.0, 0.92), 0.06, 0.035, (35, 35, 38))
    _rider(body, pose, look, crank)


def _rider(body: Body, pose: Pose, look: Look, crank: Point) -> None:
    skin = SKIN[look.variant % len(SKIN)]
    far, near = _by_distance(body)
    angle = -pose.travelled / 0.9
    for side in (far, near):
        turn = angle + (0.0 if side > 0 else np.pi)
        foot = (crank[0] + 0.16 * np.cos(turn), side * 0.1, crank[2] + 0.16 * np.sin(turn))
        hip = (-0.2, side * 0.09, 0.97)
        knee = ((hip[0] + foot[0]) / 2 + 0.24, side * 0.1, (hip[2] + foot[2]) / 2 + 0.12)
        body.limb(hip, knee, 0.095, 0.07, look.accent)
        body.limb(knee, foot, 0.065, 0.05, look.accent)
        body.limb(foot, (foot[0] + 0.15, foot[1], foot[2] - 0.02), 0.045, 0.04, (30, 30, 32))
        if side == far:
            _reach(body, side, look.paint, skin)
    jacket = mix(look.paint, (60.0, 200.0, 230.0), 0.35)
    body.blob([(-0.2, 0.0, 1.0), (0.1, 0.15, 1.38), (0.1, -0.15, 1.38)], [0.14, 0.1, 0.1], jacket)
    _reach(body, near, jacket, skin)
    body.blob([(0.2, 0.0, 1.56), (0.22, 0.0, 1.6)], [0.1, 0.1], skin)
    helmet = mix(look.paint, (240.0, 240.0, 240.0), 0.5) if look.variant % 2 else HAIR[look.variant % len(HAIR)]
    body.blob([(0.14, 0.0, 1.64), (0.24, 0.0, 1.67)], [0.1, 0.08], helmet)


def _reach(body: Body, side: float, sleeve: Colour, skin: Colour) -> None:
    body.limb((0.1, side * 0.19, 1.36), (0.26, side * 0.24, 1.16), 0.055, 0.05, sleeve)
    body.limb((0.26, side * 0.24, 1.16), (0.42, side * 0.23, 1.03), 0.045, 0.04, skin)


def _leg(body: Body, side: float, swing: float, cloth: Colour, shoes: Colour) -> None:
    hip = (0.0, side * 0.09, 0.9)
    knee = (0.2 * swing, side * 0.09, 0.48 + 0.03 * abs(swing))
    lift = 0.16 * max(-swing, 0.0)
    foot = (0.36 * swing - 0.06 * (swing < 0), side * 0.09, 0.09 + lift)
    body.limb(hip, knee, 0.1, 0.075, cloth)
    body.limb(knee, foot, 0.07, 0.05, cloth)
    body.limb((foot[0] - 0.02, foot[1], foot[2] - 0.04), (foot[0] + 0.15, foot[1], foot[2] - 0.05), 0.045, 0.04, shoes)


def _arm(body: Body, side: float, swing: float, sleeve: Colour, skin: Colour) -> None:
    shoulder = (0.0, side * 0.21, 1.38)
    elbow = (0.13 * swing - 0.03, side * 0.25, 1.12)
    hand = (0.27 * swing + 0.05, side * 0.24, 0.9)
    body.limb(shoulder, elbow, 0.06, 0.05, sleeve)
    body.limb(elbow, hand, 0.048, 0.04, mix(sleeve, skin, 0.35))
    body.blob([hand], [0.05], skin)


def _by_distance(body: Body) -> tuple[float, float]:
    """The side away from the camera and the side near it: +1 for left, -1 for right."""
    sides = body.world([(0.0, 0.2, 0.0), (0.0, -0.2, 0.0)])
    left, right = (float(np.hypot(*side[:2])) for side in sides)
    return (1.0, -1.0) if left > right else (-1.0, 1.0)
