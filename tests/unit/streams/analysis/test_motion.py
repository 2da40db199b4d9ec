"""Where boxes are expected: the filter alone."""

from __future__ import annotations

import numpy as np
import pytest

from inferfleet.streams.analysis.motion import Motion

SEEN = np.zeros(1, np.bool_)
FIRST = np.zeros(1, np.int64)


def box(x, y=100, width=60, height=100):
    return np.array([[x - width / 2, y - height / 2, x + width / 2, y + height / 2]], np.float64)


def follow(motion, rate, seconds, speed):
    motion.begin(box(0))
    for n in range(1, round(rate * seconds) + 1):
        motion.predict(1 / rate, SEEN)
        motion.update(FIRST, box(speed * n / rate))
    return motion


@pytest.mark.parametrize("rate", [2, 10, 30])
def test_a_steady_object_is_expected_where_it_will_be_at_any_frame_rate(rate):
    motion = follow(Motion(), rate, 4, speed=120)
    motion.predict(0.5, SEEN)
    assert motion.boxes() == pytest.approx(box(120 * 4.5), abs=6)


def test_one_long_step_expects_what_two_short_ones_do():
    once, twice = follow(Motion(), 10, 2, 80), follow(Motion(), 10, 2, 80)
    once.predict(0.4, SEEN)
    twice.predict(0.1, SEEN)
    twice.predict(0.3, SEEN)
    assert once.boxes() == pytest.approx(twice.boxes())


def test_no_time_changes_nothing():
    motion = follow(Motion(), 10, 2, 80)
    before = motion.state.copy()
    motion.predict(0.0, SEEN)
    assert np.array_equal(motion.state, before)


def test_a_trembling_object_is_expected_to_stay():
    dice, motion = np.random.default_rng(4), Motion()
    motion.begin(box(500))
    for _ in range(100):
        motion.predict(0.1, SEEN)
        motion.update(FIRST, box(500 + dice.normal(0, 2), 100 + dice.normal(0, 2)))
    motion.predict(1.0, SEEN)
    assert motion.boxes() == pytest.approx(box(500), abs=25)


def test_an_unseen_object_keeps_its_size_and_none_shrinks_to_nothing():
    motion = Motion()
    motion.begin(box(0, width=60, height=100))
    for n in range(20):
        motion.predict(0.1, SEEN)
        motion.update(FIRST, box(0, width=60 - 2.9 * n, height=100 - 4.9 * n))
    left, top, right, bottom = motion.boxes()[0]
    motion.predict(1.0, ~SEEN)
    kept = motion.boxes()[0]
    assert (kept[2] - kept[0], kept[3] - kept[1]) == pytest.approx((right - left, bottom - top))
    motion.predict(60.0, SEEN)
    shrunk = motion.boxes()[0]
    assert shrunk[2] - shrunk[0] >= 1
    assert shrunk[3] - shrunk[1] >= 1


def test_a_scaled_picture_scales_what_is_expected():
    plain, scaled = follow(Motion(), 10, 2, 80), follow(Motion(), 10, 2, 80)
    scaled.scale((2.0, 3.0))
    for motion in (plain, scaled):
        motion.predict(0.5, SEEN)
    assert scaled.boxes() == pytest.approx(plain.boxes() * [2, 3, 2, 3])


def test_uncertainty_grows_while_unseen_and_shrinks_when_seen():
    motion = follow(Motion(), 10, 2, 80)
    settled = motion.state[2].copy()
    motion.predict(1.0, SEEN)
    unsure = motion.state[2].copy()
    motion.update(FIRST, box(240))
    assert (unsure > settled).all()
    assert (motion.state[2] < unsure).all()
    assert (motion.state[[2, 4]] > 0).all()
