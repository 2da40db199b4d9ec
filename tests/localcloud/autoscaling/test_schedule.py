"""Schedules of scaling."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from inferfleet.localcloud.autoscaling.schedule import check, due

CREATED = datetime(2026, 3, 1, 0, 0, tzinfo=UTC)


def at(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


def test_a_cron_expression_is_due_once_in_its_minute() -> None:
    morning = "cron(0 8 * * ? *)"
    assert due(morning, "UTC", CREATED, at("2026-03-02T07:59:30"), at("2026-03-02T08:00:10")) == at("2026-03-02T08:00")
    assert due(morning, "UTC", CREATED, at("2026-03-02T08:00:10"), at("2026-03-02T08:01:10")) is None


def test_a_cron_expression_follows_the_clocks_of_its_time_zone() -> None:
    morning = "cron(0 8 * * ? *)"
    winter = due(morning, "Europe/Zurich", CREATED, at("2026-03-02T06:59"), at("2026-03-02T07:01"))
    summer = due(morning, "Europe/Zurich", CREATED, at("2026-07-02T05:59"), at("2026-07-02T06:01"))
    assert winter == at("2026-03-02T07:00")
    assert summer == at("2026-07-02T06:00")


def test_a_moment_comes_once() -> None:
    assert due("at(2026-03-02T08:00:00)", "UTC", CREATED, at("2026-03-02T07:59"), at("2026-03-02T08:00")) is not None
    assert due("at(2026-03-02T08:00:00)", "UTC", CREATED, at("2026-03-02T08:00"), at("2026-03-02T08:01")) is None


def test_a_rate_counts_from_when_the_action_was_made() -> None:
    assert due("rate(5 minutes)", "UTC", CREATED, at("2026-03-01T00:04"), at("2026-03-01T00:05")) is not None
    assert due("rate(5 minutes)", "UTC", CREATED, at("2026-03-01T00:05"), at("2026-03-01T00:09")) is None
    assert due("rate(1 hour)", "UTC", CREATED, CREATED, CREATED) is None


@pytest.mark.parametrize(
    ("schedule", "zone"),
    [("0 8 * * *", "UTC"), ("cron(0 8 * * *)", "UTC"), ("rate(5)", "UTC"), ("cron(0 8 * * ? *)", "Mars/Olympus")],
)
def test_what_cannot_be_read_is_said(schedule: str, zone: str) -> None:
    with pytest.raises(ValueError):
        check(schedule, zone)
