"""Annotations are where they belong, in the colour of their class, and leave the original alone."""

from __future__ import annotations

import numpy as np
import pytest

from inferfleet.vision.draw import Mark, Outline, annotate, colour_of


def grey(width: int = 320, height: int = 240) -> np.ndarray:
    picture = np.full((height, width, 3), 128, np.uint8)
    picture.flags.writeable = False
    return picture


def test_a_box_is_drawn_in_its_class_colour_on_a_copy():
    original = grey()
    drawn = annotate(original, [Mark((100, 60, 200, 160), "", "car")])
    assert tuple(drawn[110, 100]) == colour_of("car")
    assert (drawn[100, 150] == 128).all()
    assert (original == 128).all()


def test_classes_that_are_seen_together_differ_in_colour():
    names = ("person", "car", "truck", "bus", "bicycle", "motorcycle")
    assert len({colour_of(name) for name in names}) == len(names)
    assert colour_of("forklift") == colour_of("forklift")


@pytest.mark.parametrize("corner", [(0, 0), (300, 0), (0, 220), (300, 220), (-50, -50), (500, 500)])
def test_a_label_stays_within_the_picture(corner):
    x, y = corner
    drawn = annotate(grey(), [Mark((x, y, x + 20, y + 20), "bicycle 0.93 #12", "bicycle")])
    bar = (drawn == colour_of("bicycle")).all(axis=2)
    assert bar.sum() > 300


def test_a_zone_is_outlined_and_tinted_and_stands_out_when_active():
    points = [(50, 50), (250, 50), (250, 200), (50, 200)]
    quiet, active = (annotate(grey(), [], [Outline(points, "door", active=state)]) for state in (False, True))
    assert 128 < quiet[150, 150, 0] < active[150, 150, 0]
    assert (quiet[20, 20] == 128).all()
    assert (quiet[200, 150] == 255).all()


def test_zones_may_reach_beyond_the_picture():
    assert annotate(grey(), [], [Outline([(-100, -100), (900, -50), (400, 900)], "")]).shape == (240, 320, 3)
    outside = annotate(grey(), [], [Outline([(-100, -100), (-50, -100), (-50, -50)], "")])
    assert (outside == 128).all()


def test_a_line_and_a_trail_are_drawn():
    drawn = annotate(
        grey(),
        [Mark((200, 100, 220, 120), "", "car", trail=[(20, 200), (120, 200)])],
        [Outline([(10, 20), (300, 20)], "", closed=False)],
    )
    assert tuple(drawn[200, 70]) == colour_of("car")
    assert (drawn[20, 150] == 255).all()


@pytest.mark.parametrize("size", [(1, 1), (5, 400), (400, 5)])
def test_tiny_pictures_do_no_harm(size):
    drawn = annotate(grey(*size), [Mark((0, 0, 3, 3), "a long label", "car")], [Outline([(0, 0), (4, 4), (0, 4)], "z")])
    assert drawn.shape == (size[1], size[0], 3)
