"""Application Auto Scaling, which MiniStack does not have: the calls, and the loop that scales services of ECS."""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import TYPE_CHECKING

from inferfleet.errors import InputError

if TYPE_CHECKING:
    from inferfleet.localcloud.emulator import Place

NAME = "application-autoscaling"
MINUTE = "INFERFLEET_AUTOSCALING_MINUTE_S"
"""Names how many whole seconds a minute of scaling takes: 60 as on AWS, less for a show."""


def extend(place: Place) -> Callable[[], None]:
    """Adds the service to MiniStack and begins to scale; what to call at the end."""
    from ministack import app
    from ministack.core import router

    from inferfleet.localcloud.autoscaling.alarms import Alarms
    from inferfleet.localcloud.autoscaling.api import Api
    from inferfleet.localcloud.autoscaling.capacity import Services
    from inferfleet.localcloud.autoscaling.records import Records
    from inferfleet.localcloud.autoscaling.scaler import Scaler
    from inferfleet.localcloud.calls import Calls

    calls, records = Calls(place), Records()
    services = Services(calls)
    router.SERVICE_PATTERNS[NAME] = {
        "target_prefixes": ["AnyScaleFrontendService"],
        "credential_scope": NAME,
    }
    app.SERVICE_HANDLERS[NAME] = Api(records, services, Alarms(calls)).handle_request
    scaler = Scaler(records, services, calls, minute_s())
    scaler.start()
    return scaler.stop


def minute_s() -> int:
    """Seconds that a minute of scaling takes here.

    Raises:
        InputError: The variable holds something else.
    """
    text = os.environ.get(MINUTE) or "60"
    if not text.isdecimal() or not 1 <= int(text) <= 60:  # noqa: PLR2004 - a minute
        raise InputError(f"{MINUTE}={text!r} must be a whole number of seconds from 1 to 60")
    return int(text)
