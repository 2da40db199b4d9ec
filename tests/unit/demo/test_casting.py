"""Actors fill a scene without running through each other."""

from __future__ import annotations

from itertools import combinations

import numpy as np
import pytest

from inferfleet.demo.camera import Camera
from inferfleet.demo.casting import Cast, cast_actors
from inferfleet.demo.clips import CLIPS
from inferfleet.demo.figure import CLASSES
from inferfleet.demo.layout import Layout
from inferfleet.demo.random_scenes import random_scene
from inferfleet.demo.scene import Actor
from inferfleet.demo.vehicles import footprint

SECONDS = 12.0


def touches(one: Actor, other: Actor, t: float) -> bool:
    """Whether the footprints of two actors overlap; by circles along each, a little smaller than they are."""
    spots = []
    for actor in (one, other):
        pose = actor.pose(t)
        long, wide = footprint(actor.look)
        along = np.linspace(-(long - wide) / 2, (long - wide) / 2, max(2, int(long)))
        forward = np.array([np.cos(pose.heading), np.sin(pose.heading)])
        spots.append((np.array([pose.x, pose.y]) + along[:, None] * forward, wide * 0.45))
    (first, reach), (second, other_reach) = spots
    apart = np.hypot(*(first[:, None] - second[None]).reshape(-1, 2).T)
    return bool((apart < reach + other_reach).any())


@pytest.mark.parametrize("clip", CLIPS, ids=lambda clip: clip.name)
def test_nothing_in_the_demo_runs_through_anything(clip: object) -> None:
    actors = clip.scene().actors  # type: ignore[attr-defined]
    wheeled = [actor for actor in actors if actor.look.kind != "person"]
    crossing = [actor for actor in actors if actor.look.kind == "person" and actor.track == len(actors)]
    for t in np.arange(0.0, clip.seconds, 0.5):  # type: ignore[attr-defined]
        for one, other in combinations(wheeled, 2):
            assert not touches(one, other, t), (one, other, t)
        for walker in crossing:
            assert not any(touches(walker, other, t) for other in wheeled)


def test_people_cross_where_and_when_asked() -> None:
    layout = Layout("street", 0.0, 16.0, crossing=2.0)
    quiet = Cast({"car": 1.0}, gap=30.0, riders=np.inf, walkers=np.inf, crossers=3)
    actors = cast_actors(layout, Camera(), quiet, SECONDS, np.random.default_rng(1))
    walkers = [actor for actor in actors if actor.look.kind == "person"]
    assert len(walkers) == 3
    for walker in walkers:
        assert abs(walker.x - 2.0) < 2.0
        assert abs(np.cos(walker.heading)) < 1e-6


def test_an_infinite_gap_leaves_a_line_empty() -> None:
    nobody = Cast(gap=np.inf, riders=np.inf, walkers=np.inf)
    assert cast_actors(Layout(), Camera(), nobody, SECONDS, np.random.default_rng(0)) == ()


def test_actors_are_numbered_from_one() -> None:
    actors = cast_actors(Layout(), Camera(), Cast(), SECONDS, np.random.default_rng(0))
    assert [actor.track for actor in actors] == list(range(1, len(actors) + 1))


def test_random_scenes_hold_every_class_light_and_place() -> None:
    scenes = [random_scene(seed) for seed in range(40)]
    assert {actor.look.kind for scene in scenes for actor in scene.actors} == set(CLASSES)
    assert {scene.light for scene in scenes} == {"day", "overcast", "dusk", "night"}
    assert {scene.weather for scene in scenes} == {"clear", "rain", "fog"}
    assert {scene.layout.place for scene in scenes} == {"street", "carpark", "plaza"}
