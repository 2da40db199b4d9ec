"""Decisions on scaling, with nothing but numbers."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from inferfleet.localcloud.autoscaling import decide
from inferfleet.localcloud.autoscaling.decide import Past, Step, Stepping, Tracking

CPU = Tracking(target=50.0, out_cooldown=60.0, in_cooldown=300.0)
NOW = 1_000_000.0


def test_three_minutes_above_the_target_scale_out_in_proportion() -> None:
    assert decide.track(CPU, [50.0, 80.0, 80.0, 90.0], 4, Past(), NOW) == 8


def test_two_minutes_above_the_target_are_not_enough() -> None:
    assert decide.track(CPU, [50.0, 90.0, 90.0], 4, Past(), NOW) == 4


def test_a_single_gap_does_not_hide_a_high_load() -> None:
    assert decide.track(CPU, [90.0, 90.0, None, 90.0], 4, Past(), NOW) == 8


def test_nothing_is_known_when_nothing_was_measured_lately() -> None:
    assert decide.track(CPU, [90.0, 90.0, 90.0, None, None, None], 4, Past(), NOW) is None


def test_fifteen_calm_minutes_scale_in_by_what_the_last_ones_need() -> None:
    assert decide.track(CPU, [10.0] * 15, 5, Past(), NOW) == 1


def test_fourteen_calm_minutes_do_not() -> None:
    assert decide.track(CPU, [10.0] * 14, 5, Past(), NOW) == 5


def test_just_below_the_target_is_no_reason_to_scale_in() -> None:
    assert decide.track(CPU, [46.0] * 15, 5, Past(), NOW) == 5


def test_scale_in_waits_for_its_cooldown() -> None:
    assert decide.track(CPU, [10.0] * 15, 5, Past(in_at=NOW - 299), NOW) == 5
    assert decide.track(CPU, [10.0] * 15, 5, Past(in_at=NOW - 300), NOW) == 1


def test_scale_in_can_be_forbidden() -> None:
    assert decide.track(Tracking(50.0, scales_in=False), [10.0] * 15, 5, Past(), NOW) == 5


def test_tasks_just_added_count_as_part_of_the_next_addition() -> None:
    past = Past(out_at=NOW - 30, out_from=2)
    assert decide.track(CPU, [100.0] * 3, 4, past, NOW) == 4
    assert decide.track(CPU, [150.0] * 3, 4, past, NOW) == 6
    assert decide.track(CPU, [100.0] * 3, 4, Past(out_at=NOW - 60, out_from=2), NOW) == 8


def test_a_service_with_no_task_gets_one_when_its_backlog_grows() -> None:
    assert decide.track(CPU, [500.0] * 3, 0, Past(), NOW) == 1


def test_the_largest_wish_wins() -> None:
    assert decide.settle([(CPU, 6), (CPU, 9)], [7], 4, 1, 20) == 9


def test_scale_in_needs_every_policy_to_agree() -> None:
    assert decide.settle([(CPU, 2), (CPU, 3)], [], 4, 1, 20) == 3
    assert decide.settle([(CPU, 2), (CPU, 4)], [], 4, 1, 20) == 4
    assert decide.settle([(CPU, 2), (CPU, None)], [], 4, 1, 20) == 4


def test_a_policy_that_never_scales_in_has_no_say_in_it() -> None:
    assert decide.settle([(CPU, 2), (Tracking(50.0, scales_in=False), 4)], [], 4, 1, 20) == 2


@given(
    wishes=st.lists(st.one_of(st.none(), st.integers(0, 100)), max_size=4),
    stepped=st.lists(st.integers(0, 100), max_size=3),
    capacity=st.integers(0, 100),
    limits=st.tuples(st.integers(0, 50), st.integers(0, 50)).map(sorted),
)
def test_the_limits_always_hold(wishes, stepped, capacity, limits) -> None:
    least, most = limits
    wanted = decide.settle([(CPU, wish) for wish in wishes], stepped, capacity, least, most)
    assert least <= wanted <= most


@given(load=st.floats(0, 1000), capacity=st.integers(1, 50))
def test_scaling_out_is_enough_and_not_much_more(load: float, capacity: int) -> None:
    wanted = decide.track(CPU, [load] * 3, capacity, Past(), NOW)
    assert wanted is not None
    if load > CPU.target:
        assert load * capacity / wanted <= CPU.target + 1e-9
        assert load * capacity / (wanted - 1) > CPU.target - 1e-6
    else:
        assert wanted == capacity


STEPS = Stepping("ChangeInCapacity", (Step(1, 0, 20), Step(3, 20, None), Step(-1, None, 0)))


@pytest.mark.parametrize(("beyond", "wanted"), [(0.0, 5), (19.9, 5), (20.0, 7), (500.0, 7), (-0.1, 3)])
def test_steps_depend_on_how_far_the_metric_is_beyond(beyond: float, wanted: int) -> None:
    assert decide.step(STEPS, beyond, 4, Past(), NOW) == wanted


@pytest.mark.parametrize(
    ("adjustment", "capacity", "wanted"), [(50, 4, 6), (10, 4, 5), (-10, 4, 3), (-50, 5, 3), (66, 5, 8), (0, 5, 5)]
)
def test_percentages_are_rounded_as_on_aws(adjustment: float, capacity: int, wanted: int) -> None:
    policy = Stepping("PercentChangeInCapacity", (Step(adjustment),))
    assert decide.step(policy, 1.0, capacity, Past(), NOW) == wanted


def test_a_percentage_has_a_least_change() -> None:
    policy = Stepping("PercentChangeInCapacity", (Step(10),), least=3)
    assert decide.step(policy, 1.0, 4, Past(), NOW) == 7


def test_an_exact_capacity_is_taken_as_it_is() -> None:
    assert decide.step(Stepping("ExactCapacity", (Step(9),)), 1.0, 4, Past(), NOW) == 9


def test_a_step_does_not_repeat_during_its_cooldown() -> None:
    assert decide.step(STEPS, 5.0, 5, Past(out_at=NOW - 10, out_from=4), NOW) == 5
    assert decide.step(STEPS, 25.0, 5, Past(out_at=NOW - 10, out_from=4), NOW) == 7
    assert decide.step(STEPS, -5.0, 3, Past(in_at=NOW - 10), NOW) == 3


def test_a_scale_out_ends_the_cooldown_of_a_scale_in() -> None:
    past = decide.after(Past(in_at=NOW - 5), 2, 4, NOW)
    assert past == Past(out_at=NOW, out_from=2, in_at=None)
