"""States of alarms."""

from __future__ import annotations

import pytest

from inferfleet.localcloud.cloudwatch.states import periods, state


@pytest.mark.parametrize(
    ("breaches", "needed", "missing", "expected"),
    [
        ([True, True, True], 3, "missing", "ALARM"),
        ([True, False, True], 3, "missing", "OK"),
        ([True, False, True], 2, "missing", "ALARM"),
        ([None, None, None], 3, "missing", "INSUFFICIENT_DATA"),
        ([None, None, None], 3, "breaching", "ALARM"),
        ([None, None, None], 3, "notBreaching", "OK"),
        ([None, None, None], 3, "ignore", "ALARM"),
        ([True, True, None], 3, "breaching", "ALARM"),
        ([True, True, None], 3, "notBreaching", "OK"),
        ([True, True, None], 3, "ignore", "ALARM"),
        ([False, True, None], 3, "ignore", "OK"),
    ],
)
def test_a_state_follows_from_what_breaches_and_what_is_missing(breaches, needed, missing, expected) -> None:
    assert state(breaches, needed, missing, "ALARM") == expected


def test_an_alarm_stays_as_it_is_while_what_is_missing_is_ignored() -> None:
    assert state([True, None], 2, "ignore", "OK") == "OK"


def test_the_period_under_way_counts_once_it_has_a_value() -> None:
    points = [(60.0, 1.0), (119.0, 2.0), (130.0, 3.0)]
    assert periods(points, 185.0, 60, 2) == [[1.0, 2.0], [3.0]]
    assert periods([*points, (181.0, 4.0)], 185.0, 60, 2) == [[3.0], [4.0]]
    assert periods(points, 305.0, 60, 2) == [[], []]
