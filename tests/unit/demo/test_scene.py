"""Drawn scenes: the same from the same seed, and true about what is in them."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from inferfleet.demo.camera import Camera
from inferfleet.demo.casting import random_look
from inferfleet.demo.figure import CLASSES, ClassName
from inferfleet.demo.layout import Layout
from inferfleet.demo.random_scenes import random_scene
from inferfleet.demo.scene import Actor, Scene, render
from inferfleet.demo.truth import TruthObject

CAMERA = Camera(mount=5.0, tilt=18.0)


def actor(kind: ClassName, x: float, y: float, heading: float = 0.5, track: int = 1) -> Actor:
    return Actor(track, random_look(kind, np.random.default_rng(track)), x, y, heading, 0.0)


def scene(*actors: Actor) -> Scene:
    """An open square without cast shadows and noise, so that only the actors change pixels."""
    plain = Scene(5, CAMERA, Layout("plaza", 20.0, 20.0), "day", "clear", actors)
    light = replace(plain.air.light, shadow=0.0, noise=0.0)
    plain.__dict__["air"] = replace(plain.air, light=light)
    return plain


def only(objects: list[TruthObject]) -> TruthObject:
    assert len(objects) == 1
    return objects[0]


def test_a_seed_and_a_moment_always_give_the_same_frame() -> None:
    first, truth = render(random_scene(3), 1.25)
    again, same = render(random_scene(3), 1.25)
    assert np.array_equal(first, again)
    assert truth == same


def test_frames_change_with_the_moment_and_the_seed() -> None:
    drawn = random_scene(6)
    first, _ = render(drawn, 1.0)
    later, _ = render(drawn, 2.0)
    other, _ = render(random_scene(7), 1.0)
    assert first.shape == later.shape == other.shape == (720, 1280, 3)
    assert not np.array_equal(first, later)
    assert not np.array_equal(first, other)


@pytest.mark.parametrize("kind", CLASSES)
@pytest.mark.parametrize("heading", [0.0, 0.9, np.pi / 2, 2.5, -1.2])
def test_a_box_is_where_pixels_changed(kind: ClassName, heading: float) -> None:
    empty, none = render(scene(), 0.0)
    frame, objects = render(scene(actor(kind, 1.0, 17.0, heading)), 0.0)
    changed = np.abs(frame.astype(int) - empty).max(axis=2) > 6
    rows, columns = np.flatnonzero(changed.any(axis=1)), np.flatnonzero(changed.any(axis=0))
    drawn = (columns[0], rows[0], columns[-1] + 1, rows[-1] + 1)
    found = only(objects)
    assert none == []
    assert found.label == kind
    assert found.box == pytest.approx(drawn, abs=2.5)
    assert found.visible > 0.97


def test_what_stands_before_hides_what_stands_behind() -> None:
    bus = actor("bus", 0.0, 14.0, 0.0, track=1)
    behind = actor("person", 0.5, 19.0, 0.0, track=2)
    before = actor("person", 0.5, 11.9, 0.0, track=3)
    _, objects = render(scene(bus, behind, before), 0.0)
    visible = {item.track: item.visible for item in objects}
    assert visible[2] < 0.1
    assert visible[3] > 0.97
    assert 0.8 < visible[1] < 0.99


@pytest.mark.parametrize("heading", [0.0, 2.2])
def test_a_person_before_either_end_of_a_long_bus_is_drawn_over_it(heading: float) -> None:
    bus = actor("bus", 0.0, 18.0, heading, track=1)
    toward = np.array([np.cos(heading), np.sin(heading)]) * 4.0
    for way in (1.0, -1.0):
        middle = np.array([0.0, 18.0]) + way * toward
        near = middle * (1.0 - 3.4 / np.hypot(*middle))
        _, objects = render(scene(bus, actor("person", near[0], near[1], 0.0, track=2)), 0.0)
        assert next(item.visible for item in objects if item.track == 2) > 0.95


def test_an_object_cut_by_the_frame_has_a_cut_box_and_counts_as_partly_visible() -> None:
    half_out = 0.5 * 14.6 / CAMERA.focal
    _, objects = render(scene(actor("car", half_out, 14.0, 0.0)), 0.0)
    found = only(objects)
    assert found.box[2] == 1280.0
    assert 0.25 < found.visible < 0.75


def test_objects_out_of_sight_are_not_in_the_truth() -> None:
    _, objects = render(scene(actor("truck", 60.0, 14.0), actor("car", 0.0, -5.0), actor("person", 0.0, 200.0)), 0.0)
    assert objects == []


def test_actors_keep_their_number_while_they_move() -> None:
    drawn = random_scene(6)
    _, first = render(drawn, 2.0)
    _, later = render(drawn, 2.1)
    labels = {item.track: item.label for item in first}
    shared = [item for item in later if item.track in labels]
    assert len({item.track for item in first}) == len(first)
    assert shared
    assert all(labels[item.track] == item.label for item in shared)
