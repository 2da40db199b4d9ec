"""When scheduled actions are due: `at(…)`, `rate(…)` and `cron(…)`, as Application Auto Scaling writes them."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

_AT = re.compile(r"at\((\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d)\)")
_RATE = re.compile(r"rate\((\d+) (minute|hour|day)s?\)")
_UNITS = {"minute": 60, "hour": 3600, "day": 86400}


def check(schedule: str, timezone: str = "UTC") -> None:
    """Checks that a schedule can be read.

    Raises:
        ValueError: It cannot; with what is expected.
    """
    moment = datetime(2000, 1, 1, tzinfo=UTC)
    due(schedule, timezone, moment, moment, moment)


def due(schedule: str, timezone: str, created: datetime, since: datetime, now: datetime) -> datetime | None:
    """The last time after `since`, and not after `now`, at which a schedule was due; None if it was not.

    Args:
        schedule: The expression.
        timezone: The time zone of `at` and `cron`.
        created: When the action was made, from where a rate counts.
        since: When it was last asked, exclusive.
        now: The time.

    Raises:
        ValueError: The schedule or the time zone cannot be read.
    """
    try:
        zone = ZoneInfo(timezone)
    except (ZoneInfoNotFoundError, ValueError) as error:
        raise ValueError(f"Invalid timezone: {timezone}") from error
    if found := _AT.fullmatch(schedule):
        moment = datetime.fromisoformat(found[1]).replace(tzinfo=zone)
        return moment if since < moment <= now else None
    if found := _RATE.fullmatch(schedule):
        every = timedelta(seconds=int(found[1]) * _UNITS[found[2]])
        moment = created + every * ((now - created) // every)
        return moment if since < moment <= now and moment > created else None
    return _cron_due(schedule, zone, since, now)


def _cron_due(schedule: str, zone: ZoneInfo, since: datetime, now: datetime) -> datetime | None:
    from ministack.services import eventbridge

    fields = eventbridge._parse_cron_fields(schedule) if schedule.startswith("cron(") else None
    if fields is None:
        raise ValueError(f"Invalid schedule expression: {schedule}. Write at(…), rate(…) or cron(…) with six fields")
    last, moment = None, since.astimezone(zone).replace(second=0, microsecond=0) - timedelta(minutes=1)
    while (moment := eventbridge._cron_next_fire(fields, moment)) is not None and moment <= now:
        if moment > since:
            last = moment
    return last
