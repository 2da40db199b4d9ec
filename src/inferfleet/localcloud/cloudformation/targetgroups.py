"""The full name of a target group, `targetgroup/<name>/<id>`, from which MiniStack leaves out the first word.

Alarms, scaling policies and dashboards know a target group by it.
"""

from __future__ import annotations


def install() -> None:
    """Makes `TargetGroupFullName` what it is on AWS."""
    from ministack.services import alb

    alb._target_group_full_name_from_arn = full_name


def full_name(arn: str) -> str:
    """The full name in the ARN of a target group."""
    return arn.rpartition(":")[2]
