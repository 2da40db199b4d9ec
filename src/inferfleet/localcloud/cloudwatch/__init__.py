"""What MiniStack's CloudWatch lacks: alarms that look at their own periods, and metric math."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from inferfleet.localcloud.emulator import Place


def extend(place: Place) -> None:
    """Has alarms evaluated as on AWS."""
    from inferfleet.localcloud.cloudwatch import watch

    watch.install()
