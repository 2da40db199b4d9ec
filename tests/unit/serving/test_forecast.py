"""The fit of batch durations, and what it predicts."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from inferfleet.serving.forecast import BatchTime, Capacity, predict


def fitted(*batches: tuple[int, float]) -> BatchTime:
    fit = BatchTime()
    for pictures, seconds in batches:
        fit.note(pictures, seconds)
    return fit


def test_a_line_is_found_again() -> None:
    fit = fitted(*[(n, 0.002 * n + 0.01) for n in (1, 4, 2, 8, 3, 8, 1)])
    assert fit.line() == pytest.approx((0.002, 0.01))
    assert fit.seconds(16) == pytest.approx(0.042)


def test_nothing_is_predicted_before_the_first_batch() -> None:
    assert BatchTime().line() == (0, 0)
    assert predict(100, 1, Capacity(1, 1, 0), BatchTime(), BatchTime()) == 0


def test_batches_of_one_size_put_the_time_down_to_the_pictures() -> None:
    assert fitted(*[(4, 0.02)] * 5).line() == pytest.approx((0.005, 0))


def test_a_machine_that_gets_slower_is_followed_within_a_hundred_batches() -> None:
    fit = fitted(*[(1, 0.01)] * 1000, *[(1, 0.03)] * 100)
    assert fit.seconds(1) == pytest.approx(0.03, rel=0.1)


@pytest.mark.parametrize(
    ("ahead", "pictures", "capacity", "expected"),
    [
        (0, 1, Capacity(1, 4, 0), 0.02),
        (8, 1, Capacity(1, 4, 0), 2 * 0.05 + 0.02),
        (8, 1, Capacity(2, 4, 0), 0.05 + 0.02),
        (0, 8, Capacity(1, 4, 0), 2 * 0.05),
        (0, 8, Capacity(2, 4, 0), 0.05),
    ],
)
def test_the_wait_is_what_is_ahead_and_the_requests_own_batches(
    ahead: int, pictures: int, capacity: Capacity, expected: float
) -> None:
    device = fitted((1, 0.02), (2, 0.03), (4, 0.05))
    assert predict(ahead, pictures, capacity, device, BatchTime()) == pytest.approx(expected)


def test_slow_decoding_bounds_a_fast_device() -> None:
    device, decode = fitted((1, 0.001), (4, 0.002)), fitted((1, 0.01))
    assert predict(100, 1, Capacity(1, 4, 2), device, decode) == pytest.approx(0.5 + 0.01 + 0.001, abs=0.001)


@given(st.lists(st.tuples(st.integers(1, 128), st.floats(0, 100)), min_size=1, max_size=80), st.integers(0, 500))
def test_predictions_are_never_negative_and_grow_with_the_queue(batches: list[tuple[int, float]], ahead: int) -> None:
    device = fitted(*batches)
    a, b = device.line()
    assert a >= 0
    assert b >= 0
    capacity = Capacity(2, 16, 0)
    waits = [predict(depth, 1, capacity, device, BatchTime()) for depth in (ahead, ahead + 1)]
    assert 0 <= waits[0] <= waits[1] + 1e-9
