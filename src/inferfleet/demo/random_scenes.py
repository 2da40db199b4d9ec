"""Scenes drawn by lot from a seed: every place, light, weather and camera angle that the shipped model has to know."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TypeVar

import numpy as np

from inferfleet.demo.camera import Camera
from inferfleet.demo.casting import Cast, cast_actors, random_look
from inferfleet.demo.figure import CLASSES
from inferfleet.demo.layout import Layout, Place
from inferfleet.demo.light import LightName, WeatherName
from inferfleet.demo.scene import Actor, Scene
from inferfleet.demo.vehicles import footprint

LIGHTS: Mapping[LightName, float] = {"day": 0.34, "overcast": 0.22, "dusk": 0.2, "night": 0.24}
WEATHERS: Mapping[WeatherName, float] = {"clear": 0.64, "rain": 0.22, "fog": 0.14}
PLACES: Mapping[Place, float] = {"street": 0.55, "carpark": 0.17, "plaza": 0.28}

Name = TypeVar("Name", LightName, WeatherName, Place)

SECONDS = 30.0
"""How long a random scene stays populated."""


def random_scene(seed: int, *, width: int = 1280, height: int = 720) -> Scene:
    """The scene of a seed; the same seed always gives the same scene."""
    random = np.random.default_rng((seed, 0))
    light = _pick(random, LIGHTS)
    weather = _pick(random, WEATHERS)
    place = _pick(random, PLACES)
    tilt = float(random.uniform(8.0, 32.0))
    mount = float(random.uniform(2.6, 5.0) + max(tilt - 12.0, 0.0) * random.uniform(0.05, 0.3))
    camera = Camera(width, height, mount, tilt, float(random.uniform(0.65, 1.25)))
    layout, actors = {"street": _street, "carpark": _carpark, "plaza": _plaza}[place](camera, random)
    return Scene(seed, camera, layout, light, weather, actors)


def _street(camera: Camera, random: np.random.Generator) -> tuple[Layout, tuple[Actor, ...]]:
    away = random.random() < 0.5
    angle = float(random.uniform(68, 112) if away else random.uniform(-30, 30))
    reach = _reach(camera)
    offset = float(random.uniform(-7, 7) if away else np.clip(reach * random.uniform(0.75, 1.3), 9.0, 30.0))
    crossing = float(random.uniform(10, 22) if away else random.uniform(-4, 4)) if random.random() < 0.5 else None
    layout = Layout("street", angle, offset, crossing=crossing)
    car, truck, bus = random.dirichlet([1.5, 1.4, 1.4]).tolist()
    cast = Cast(
        vehicles={"car": car, "truck": truck, "bus": bus},
        gap=float(random.uniform(2.0, 18.0)),
        riders=float(random.uniform(6.0, 30.0)),
        walkers=float(random.uniform(7.0, 40.0)),
        crossers=int(random.integers(0, 5)) if crossing is not None else 0,
    )
    return layout, cast_actors(layout, camera, cast, SECONDS, random)


def _carpark(camera: Camera, random: np.random.Generator) -> tuple[Layout, tuple[Actor, ...]]:
    angle = float(random.uniform(60, 120) if random.random() < 0.6 else random.uniform(-25, 25))
    offset = float(random.uniform(-4, 4) if abs(angle) > 45 else np.clip(_reach(camera), 9, 22))
    layout = Layout("carpark", angle, offset, half=3.4)
    cast = Cast(
        vehicles={"car": 0.8, "truck": 0.2},
        gap=float(random.uniform(5, 25)),
        riders=np.inf,
        walkers=np.inf,
        parked=float(random.uniform(0.1, 0.8)),
        speed=4.0,
    )
    return layout, cast_actors(layout, camera, cast, SECONDS, random)


def _plaza(camera: Camera, random: np.random.Generator) -> tuple[Layout, tuple[Actor, ...]]:
    layout = Layout("plaza", float(random.uniform(-180, 180)), float(random.uniform(10, 40)))
    return layout, _crowd(camera, random)


def _reach(camera: Camera) -> float:
    """Metres to the point of the ground in the middle of the picture."""
    return float(camera.mount / np.tan(np.radians(camera.tilt)))


def _crowd(camera: Camera, random: np.random.Generator) -> tuple[Actor, ...]:
    """Actors of all classes and directions spread over the part of the ground that is seen, apart from each other."""
    actors: list[Actor] = []
    wanted = int(random.integers(4, 18))
    for _ in range(wanted * 6):
        if len(actors) >= wanted:
            break
        kind = CLASSES[int(random.integers(len(CLASSES)))]
        look = random_look(kind, random)
        column, row = random.uniform(0.0, camera.width), random.uniform(0.12, 1.02) * camera.height
        spot = _on_ground(camera, column, row)
        if spot is None or not 5.0 < spot[1] < 45.0:
            continue
        reach = footprint(look)[0] / 2
        if any(
            np.hypot(spot[0] - other.x, spot[1] - other.y) < (reach + footprint(other.look)[0] / 2) * 0.8
            for other in actors
        ):
            continue
        actors.append(Actor(len(actors) + 1, look, spot[0], spot[1], float(random.uniform(-np.pi, np.pi)), 0.0))
    return tuple(actors)


def _on_ground(camera: Camera, column: float, row: float) -> tuple[float, float] | None:
    """The world x and y seen at a pixel; None near the horizon and above it."""
    tilt = np.radians(camera.tilt)
    up = (camera.height / 2 - row) / camera.focal_px
    falling = np.sin(tilt) - up * np.cos(tilt)
    if falling < 0.02:
        return None
    depth = camera.mount / falling
    x = (column - camera.width / 2) / camera.focal_px * depth
    return float(x), float(depth * (np.cos(tilt) + up * np.sin(tilt)))


def _pick(random: np.random.Generator, shares: Mapping[Name, float]) -> Name:
    names = list(shares)
    return names[int(random.choice(len(names), p=list(shares.values())))]
