"""Events of AWS's own services on the local cloud, put by whoever plays such a service: a simulator, a test.

EventBridge refuses PutEvents from a source that begins with `aws.`, and so does the local cloud, unless it is started
with INFERFLEET_LOCAL_SERVICE_EVENTS=1.
"""

from __future__ import annotations

import os
from functools import partial
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from inferfleet.localcloud.emulator import Place

VARIABLE = "INFERFLEET_LOCAL_SERVICE_EVENTS"


def extend(place: Place) -> None:
    """Lets PutEvents take the services' own sources, where that is wanted."""
    if os.environ.get(VARIABLE) == "1":
        from ministack.services import eventbridge

        eventbridge._put_events = partial(eventbridge._put_events, allow_aws_source=True)
