"""The resource types, a file for each service."""

from __future__ import annotations

from inferfleet.localcloud.cloudformation.resource import ResourceType
from inferfleet.localcloud.cloudformation.resources import (
    autoscaling,
    budgets,
    capacity,
    cloudwatch,
    custom,
    ec2,
    ecs,
    waf,
)

TYPES: tuple[ResourceType, ...] = (
    *ec2.TYPES,
    *capacity.TYPES,
    *ecs.TYPES,
    *autoscaling.TYPES,
    *cloudwatch.TYPES,
    *waf.TYPES,
    *budgets.TYPES,
    *custom.TYPES,
)
"""All of them."""
