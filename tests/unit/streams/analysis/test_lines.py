"""Crossing lines: which way, once each time, and only between the ends."""

from __future__ import annotations

import math
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

UPRIGHT = {"points": [(500, 100), (500, 400)]}
"""Seen from its first point, above, down to its second: left is towards larger x."""


def crossings(camera):
    return [(event.data.line, event.data.direction) for event in camera.of("line.cross")]


def walk(*points, steps=10):
    """The places on the way through points."""
    ways = pairwise(points)
    places = [
        (x1 + (x2 - x1) * n / steps, y1 + (y2 - y1) * n / steps) for (x1, y1), (x2, y2) in ways for n in range(steps)
    ]
    return [*places, points[-1]]


def play(camera, thing, places, **kind):
    camera.play([[thing(x, y, **kind)] for x, y in places])


def test_each_crossing_has_its_direction(stage, thing):
    camera = stage(lines={"door": UPRIGHT})
    play(camera, thing, walk((400, 300), (600, 300), (400, 300)))
    assert crossings(camera) == [("door", "to_left"), ("door", "to_right")]


@pytest.mark.parametrize(
    ("points", "way", "direction"),
    [
        ([(100, 250), (900, 250)], [(500, 150), (500, 350)], "to_right"),
        ([(100, 250), (900, 250)], [(500, 350), (500, 150)], "to_left"),
        ([(900, 250), (100, 250)], [(500, 150), (500, 350)], "to_left"),
        ([(500, 400), (500, 100)], [(400, 300), (600, 300)], "to_right"),
        ([(0.3, 0.2), (0.7, 0.8)], [(600, 200), (400, 350)], "to_right"),
    ],
)
def test_left_and_right_are_those_of_someone_who_walks_along_the_line(stage, thing, points, way, direction):
    camera = stage(lines={"line": {"points": points}})
    play(camera, thing, walk(*way))
    assert crossings(camera) == [("line", direction)]


def test_only_the_wanted_direction_counts(stage, thing):
    camera = stage(lines={"door": {**UPRIGHT, "direction": "to_right"}})
    play(camera, thing, walk((400, 300), (600, 300), (400, 300)))
    assert crossings(camera) == [("door", "to_right")]


def test_passing_beyond_the_ends_is_no_crossing(stage, thing):
    camera = stage(lines={"door": UPRIGHT})
    play(camera, thing, walk((400, 450), (600, 450)))
    play(camera, thing, walk((600, 450), (600, 300)))
    assert crossings(camera) == []
    play(camera, thing, walk((600, 300), (400, 300)))
    assert crossings(camera) == [("door", "to_right")]


def test_an_object_that_jumps_over_the_line_between_two_frames_crosses_it(stage, thing):
    camera = stage(lines={"door": UPRIGHT}, rate=2)
    play(camera, thing, walk((60, 300), (940, 300), steps=11))
    assert crossings(camera) == [("door", "to_left")]


def test_an_object_that_is_hidden_on_the_line_crosses_it_when_it_comes_out(stage, thing):
    camera = stage(lines={"door": UPRIGHT})
    camera.play([[] if 440 < x < 560 else [thing(x, 300)] for x in range(300, 700, 15)])
    assert crossings(camera) == [("door", "to_left")]


def test_an_object_that_trembles_on_the_line_is_counted_once(stage, thing):
    camera, dice = stage(lines={"door": UPRIGHT}), np.random.default_rng(2)
    trembling = [(500 + dice.uniform(-6, 6), 300 + dice.uniform(-6, 6)) for _ in range(300)]
    play(camera, thing, [*walk((300, 300), (500, 300)), *trembling])
    assert len(crossings(camera)) <= 1
    play(camera, thing, walk((500, 300), (700, 300)))
    assert crossings(camera) == [("door", "to_left")]


def test_an_object_that_only_comes_to_the_line_does_not_cross_it(stage, thing):
    camera = stage(lines={"door": UPRIGHT})
    play(camera, thing, walk((300, 300), (502, 300), (300, 300)))
    assert crossings(camera) == []


def test_an_object_that_appears_beyond_the_line_did_not_cross_it(stage, thing):
    camera = stage(lines={"door": UPRIGHT})
    play(camera, thing, [(600, 300)] * 10)
    assert crossings(camera) == []


def test_a_crossing_before_confirmation_is_told_at_confirmation(stage, thing):
    camera = stage(lines={"door": UPRIGHT}, confirm={"frames": 5, "within": 5})
    play(camera, thing, walk((460, 300), (640, 300), steps=9))
    assert camera.kinds == ["detection", "line.cross"]
    assert camera.of("line.cross")[0].data.position.frame == 4


def test_there_and_back_before_confirmation_is_nothing(stage, thing):
    camera = stage(lines={"door": UPRIGHT}, confirm={"frames": 7, "within": 7})
    play(
        camera, thing, [(475, 300), (495, 300), (520, 300), (490, 300), (470, 300), (470, 300), (470, 300), (470, 300)]
    )
    assert camera.kinds == ["detection"]


def test_noise_that_jumps_over_the_line_is_no_crossing(stage, thing):
    camera = stage(lines={"door": UPRIGHT})
    play(camera, thing, [(480, 300), (520, 300)])
    camera.play([[]] * 30)
    assert camera.events == []


def test_the_anchor_decides(stage, thing):
    level = {"points": [(100, 250), (900, 250)]}
    camera = stage(lines={"foot": level, "center": {**level, "anchor": "center"}})
    play(camera, thing, walk((500, 200), (500, 270)))  # the centre comes no lower than 220
    assert crossings(camera) == [("foot", "to_right")]
    play(camera, thing, walk((500, 270), (500, 350)))
    assert crossings(camera) == [("foot", "to_right"), ("center", "to_right")]


def test_only_the_wanted_classes_cross(stage, thing):
    camera = stage(lines={"door": {**UPRIGHT, "classes": ["person"]}})
    camera.play([[thing(x, 200), thing(x, 380, "person")] for x in range(400, 600, 20)])
    assert [event.data.label for event in camera.of("line.cross")] == ["person"]


def test_two_objects_that_swap_sides_cross_once_each(stage, thing):
    camera = stage(lines={"door": UPRIGHT})
    for n in range(41):
        camera.show(thing(300 + 10 * n, 300), thing(700 - 10 * n, 330))
    assert sorted(crossings(camera)) == [("door", "to_left"), ("door", "to_right")]


def test_lines_follow_a_change_of_resolution(stage, thing):
    camera = stage(lines={"door": {"points": [(0.5, 0.2), (0.5, 0.8)]}, "fixed": UPRIGHT})
    play(camera, thing, walk((380, 300), (480, 300)))
    camera.size = (2000, 1000)
    play(camera, thing, walk((1000, 600), (1200, 600)), width=120, height=200)
    assert crossings(camera) == [("door", "to_left")]


def test_a_change_of_resolution_carries_nothing_over_a_line_in_pixels(stage, thing):
    camera = stage(lines={"fixed": UPRIGHT})
    play(camera, thing, walk((400, 300), (600, 300), (400, 300)))
    camera.size = (2000, 1000)
    play(camera, thing, [(800, 600)] * 5, width=120, height=200)
    assert len(crossings(camera)) == 2


@settings(deadline=None)
@given(st.lists(st.tuples(st.integers(330, 670), st.integers(120, 380)), min_size=2, max_size=8))
def test_crossings_alternate_and_end_on_the_side_where_the_object_is(stage, thing, corners):
    camera = stage(lines={"door": {"points": [(500, 0), (500, 500)]}})
    steps = max(1, math.ceil(max(math.dist(a, b) for a, b in pairwise(corners)) / 25))
    start = [corners[0]] * 5
    play(camera, thing, [*start, *walk(*corners, steps=steps)])
    ways = [direction for _, direction in crossings(camera)]
    assert all(a != b for a, b in pairwise(ways))
    slack = 0.1 * math.sqrt(60 * 100)
    if min(abs(corners[0][0] - 500), abs(corners[-1][0] - 500)) > slack:
        changed = (corners[0][0] > 500) != (corners[-1][0] > 500)
        assert len(ways) % 2 == changed
