"""How several workers share the cameras of one `cameras.yaml`."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field, PositiveFloat

from inferfleet.config.base import Model

LEAST_DURATION = 5.0
"""Seconds; below, a slow answer of DynamoDB or a long pause of the process would already cost a lease."""


class Leases(Model):
    """Cameras are leased in a DynamoDB table, so that each is read by one worker, and moves when that one dies."""

    table: Annotated[str, Field(pattern=r"^[A-Za-z0-9_.-]{3,255}$")]
    """The table. Its key is `id` (a string, partition key, no sort key)."""
    region: Annotated[str, Field(pattern=r"^[a-z]{2}(-[a-z]+)+-\d$")] | None = None
    """The region; the one of the environment (`AWS_REGION`) or profile when left out."""
    endpoint_url: Annotated[str, Field(pattern=r"^https?://")] | None = None
    """Another address of DynamoDB, for an emulator or a VPC endpoint."""
    create: bool = False
    """Create the table, on demand, when it is missing."""
    duration: Annotated[PositiveFloat, Field(ge=LEAST_DURATION)] = 15.0
    """Seconds without renewal after which others take a worker's cameras. It renews four times as often."""


class Workers(Model):
    """Sharing the cameras between workers."""

    leases: Leases | None = None
    """Left out: this worker runs all cameras, and must be the only one."""
