"""Procedurally drawn street scenes with exact truth: what the demo watches and what the shipped model learns from.

A scene is a fixed camera, a backdrop drawn once, and actors that move along straight lines. Everything follows from the
scene's seed and the time asked for, so the same frame is drawn twice alike.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cached_property

import cv2
import numpy as np

from inferfleet.demo.backdrop import draw_backdrop
from inferfleet.demo.brush import Brush, Picture, darken
from inferfleet.demo.camera import NEAR, Array, Camera
from inferfleet.demo.figure import Look, Pose
from inferfleet.demo.layout import Layout
from inferfleet.demo.light import Atmosphere, LightName, WeatherName
from inferfleet.demo.people import draw_bicycle, draw_person
from inferfleet.demo.truth import Drawn, TruthObject, truth_of
from inferfleet.demo.vehicles import draw_vehicle, footprint, height

FAR = 65.0
"""Metres beyond which actors are not drawn."""


@dataclass(frozen=True)
class Actor:
    """Something that moves along a straight line at a steady speed.

    Attributes:
        track: Its number, unique within the scene.
        look: What it looks like.
        x: World metres to the right at time 0.
        y: World metres ahead at time 0.
        heading: Direction in radians.
        speed: Metres per second; 0 for what is parked.
    """

    track: int
    look: Look
    x: float
    y: float
    heading: float
    speed: float

    def pose(self, t: float) -> Pose:
        """Where it is after `t` seconds."""
        way = self.speed * t
        return Pose(
            self.x + way * np.cos(self.heading),
            self.y + way * np.sin(self.heading),
            self.heading,
            way + self.track * 0.37,
        )


@dataclass(frozen=True)
class Scene:
    """A drawn place that can be looked at for any moment; see `render`."""

    seed: int
    camera: Camera = field(default_factory=Camera)
    layout: Layout = field(default_factory=Layout)
    light: LightName = "day"
    weather: WeatherName = "clear"
    actors: tuple[Actor, ...] = ()

    @cached_property
    def air(self) -> Atmosphere:
        """Its light and weather."""
        return Atmosphere.named(self.light, self.weather)

    @cached_property
    def backdrop(self) -> Picture:
        """The picture without actors, weather and noise; drawn at first use."""
        return draw_backdrop(self.camera, self.air, self.layout, np.random.default_rng((self.seed, 1)))

    @cached_property
    def _noise(self) -> Picture:
        """Sensor noise around 128, larger than a frame so that each frame takes another piece of it."""
        shape = (self.camera.height + 64, self.camera.width + 64, 3)
        random = np.random.default_rng((self.seed, 2))
        noise = random.standard_normal(shape, dtype=np.float32) * self.air.light.noise + 128.0
        return np.asarray(np.clip(noise, 0, 255), np.uint8)


def render(scene: Scene, t: float) -> tuple[Picture, list[TruthObject]]:
    """Draws the scene as its camera sees it.

    Args:
        scene: What to draw.
        t: Seconds since the scene began.

    Returns:
        The frame [height, width, 3] in blue, green, red, and the objects in it, farthest first.
    """
    picture: Picture = scene.backdrop.copy()
    present = [(actor, actor.pose(t)) for actor in scene.actors]
    present = [(actor, pose) for actor, pose in present if _in_reach(scene.camera, pose)]
    for actor, pose in present:
        _cast_shadow(picture, scene, actor.look, pose)
    drawn: list[Drawn] = []
    present = [(actor, pose) for actor, pose in present if _may_be_seen(scene.camera, actor.look, pose)]
    for index in _far_to_near(present):
        actor, pose = present[index]
        brush = Brush(picture, scene.camera, scene.air)
        plate = _draw(brush, scene.air, pose, actor.look)
        drawn.append(Drawn(actor.track, actor.look, brush.outline, plate))
    _weather(picture, scene, t)
    return picture, truth_of(scene.camera, drawn)


def _draw(brush: Brush, air: Atmosphere, pose: Pose, look: Look) -> Array | None:
    """Draws one object; returns its plate's corners in pixels, if the plate was seen."""
    if look.kind == "person":
        draw_person(brush, pose, look)
    elif look.kind == "bicycle":
        draw_bicycle(brush, pose, look)
    else:
        return draw_vehicle(brush, air, pose, look).plate
    return None


def _in_reach(camera: Camera, pose: Pose) -> bool:
    depth = float(camera.to_view(np.array([[pose.x, pose.y, 0.5]]))[0, 2])
    return NEAR - 6.0 < depth < FAR


def _may_be_seen(camera: Camera, look: Look, pose: Pose) -> bool:
    """Whether a ball around an object, with room for the glow of its lamps, touches what the camera sees."""
    tall = height(look)
    reach = float(np.hypot(footprint(look)[0], tall)) / 2 + 1.5
    right, up, depth = camera.to_view(np.array([[pose.x, pose.y, tall / 2]]))[0]
    sides = ((abs(right), camera.width), (abs(up), camera.height))
    return all(
        away * camera.focal_px - depth * size / 2 <= reach * float(np.hypot(camera.focal_px, size / 2))
        for away, size in sides
    )


def _far_to_near(present: Sequence[tuple[Actor, Pose]]) -> list[int]:
    """An order in which nothing is drawn over what stands before it.

    An object stands before another if an edge of the other's footprint has the camera and all of the object on its
    outer side; among those left free the farthest is drawn first.
    """
    if not present:
        return []
    corners = np.stack([_corners(actor.look, pose) for actor, pose in present])
    edges = np.roll(corners, -1, axis=1) - corners
    outward = np.stack([edges[..., 1], -edges[..., 0]], axis=-1)
    camera_out = -(corners * outward).sum(-1) > 0.0
    to_all = corners[None, None] - corners[:, :, None, None]
    outside = ((to_all * outward[:, :, None, None]).sum(-1) > -1e-9).all(-1)
    before = (outside & camera_out[:, :, None]).any(1)  # before[a, b]: b stands before a
    np.fill_diagonal(before, val=False)
    before &= ~before.T
    distance = np.hypot(*corners.mean(axis=1).T)
    waiting, order = list(np.argsort(-distance)), []
    while waiting:
        free = next((a for a in waiting if not any(before[b, a] for b in waiting if b != a)), waiting[0])
        waiting.remove(free)
        order.append(int(free))
    return order


def _corners(look: Look, pose: Pose) -> Array:
    """The footprint's corners [4, 2] in the world, anticlockwise."""
    long, wide = footprint(look)
    own = np.array([[-long, -wide], [long, -wide], [long, wide], [-long, wide]]) / 2
    sin, cos = np.sin(pose.heading), np.cos(pose.heading)
    return np.asarray(own @ np.array([[cos, sin], [-sin, cos]]) + np.array([pose.x, pose.y]))


def _cast_shadow(picture: Picture, scene: Scene, look: Look, pose: Pose) -> None:
    base = _corners(look, pose)
    if look.kind in ("person", "bicycle"):
        base = base.mean(axis=0) + (base - base.mean(axis=0)) * 0.75
    sun = scene.air.light.sun
    tip = base - np.array(sun[:2]) / max(sun[2], 0.3) * height(look) * 0.8
    hull = cv2.convexHull(np.concatenate([base, tip]).astype(np.float32)).reshape(-1, 2)
    view = scene.camera.to_view(np.concatenate([hull, np.zeros((len(hull), 1))], axis=1).astype(np.float64))
    if view[:, 2].min() < NEAR:
        return
    darken(picture, scene.camera.to_pixels(view), scene.air.light.shadow * scene.air.clear(float(view[:, 2].mean())))


def _weather(picture: Picture, scene: Scene, t: float) -> None:
    """Rain in front of everything, then the sensor's noise, in place."""
    random = np.random.default_rng((scene.seed, 3, round(t * 1000)))
    if scene.air.weather.rain:
        streaks = np.zeros(picture.shape[:2], np.uint8)
        count = scene.air.weather.rain
        starts = random.uniform((0, -40), (scene.camera.width, scene.camera.height), (count, 2))
        lengths = random.uniform(12, 46, count)
        ends = starts + np.stack([lengths * 0.18, lengths], axis=1)
        lines = np.round(np.stack([starts, ends], axis=1) * 16).astype(np.int32)
        cv2.polylines(streaks, list(lines), isClosed=False, color=70, thickness=1, lineType=cv2.LINE_AA, shift=4)
        cv2.add(picture, cv2.cvtColor(streaks, cv2.COLOR_GRAY2BGR), dst=picture)
    row, column = (int(value) for value in random.integers(0, 64, 2))
    noise = scene._noise[row : row + picture.shape[0], column : column + picture.shape[1]]
    cv2.addWeighted(picture, 1.0, noise, 1.0, -128.0, dst=picture)
