"""Metric math, minute by minute."""

from __future__ import annotations

import pytest

from inferfleet.localcloud.cloudwatch.mathematics import evaluate, names

MINUTES = [0.0, 60.0, 120.0]
METRICS = {"backlog": {0.0: 10.0, 60.0: 40.0, 120.0: 90.0}, "tasks": {0.0: 2.0, 60.0: 0.0}}


def test_a_quotient_has_values_where_both_metrics_do_and_the_divisor_is_not_zero() -> None:
    assert evaluate("backlog / tasks", METRICS, MINUTES) == {0.0: 5.0}


def test_fill_and_max_make_a_backlog_per_task_total() -> None:
    assert evaluate("backlog / MAX([FILL(tasks, 1), 1])", METRICS, MINUTES) == {0.0: 5.0, 60.0: 40.0, 120.0: 90.0}


def test_fill_stands_for_a_metric_that_was_never_measured() -> None:
    assert evaluate("FILL(errors, 0)", {"errors": {}}, MINUTES) == {0.0: 0.0, 60.0: 0.0, 120.0: 0.0}


@pytest.mark.parametrize(
    ("expression", "value"),
    [
        ("IF(backlog > 5, 1, 0)", 1.0),
        ("IF(backlog > 5 AND tasks == 2, 3, 0)", 3.0),
        ("IF(backlog < 5 || tasks > 3, 3, 7)", 7.0),
        ("-backlog + 2 ^ 3", -2.0),
        ("CEIL(backlog / 3) + FLOOR(backlog / 3) + ABS(-1)", 8.0),
        ("SUM([backlog, tasks]) / AVG(backlog, tasks)", 2.0),
        ("100 * (1 - tasks / backlog)", 80.0),
    ],
)
def test_what_is_understood(expression: str, value: float) -> None:
    assert evaluate(expression, METRICS, [0.0]) == {0.0: pytest.approx(value)}


@pytest.mark.parametrize(
    "expression", ["backlog /", "SEARCH('x', 'Sum')", "unknown + 1", "__import__('os')", "backlog.real", "[1, 2]"]
)
def test_what_is_not_understood_is_said(expression: str) -> None:
    with pytest.raises(ValueError):
        evaluate(expression, METRICS, MINUTES)


def test_names_are_those_of_metrics_and_not_of_functions() -> None:
    assert names("backlog / MAX([FILL(tasks, 1), 1])") == {"backlog", "tasks"}
