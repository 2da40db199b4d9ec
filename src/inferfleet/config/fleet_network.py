"""The `network` of `fleet.yaml`: an existing VPC by its ids, or one that is created."""

from __future__ import annotations

from ipaddress import IPv4Network
from typing import Annotated, Literal

from pydantic import Field, field_validator, model_validator

from inferfleet.config.base import Misfit, Model

_SMALLEST_VPC = 24
_LARGEST_VPC = 16
_EXISTING = ("private_subnets", "public_subnets", "security_groups", "route_tables")

VpcId = Annotated[str, Field(pattern=r"^vpc-[0-9a-zA-Z]+$")]
SubnetId = Annotated[str, Field(pattern=r"^subnet-[0-9a-zA-Z]+$")]
RouteTableId = Annotated[str, Field(pattern=r"^rtb-[0-9a-zA-Z]+$")]
SecurityGroupId = Annotated[str, Field(pattern=r"^sg-[0-9a-zA-Z]+$")]


class Network(Model):
    """Where the fleet runs. With `vpc` it is an existing network; without, one is created."""

    vpc: VpcId | None = None
    """An existing VPC; the subnets must be in it."""
    private_subnets: tuple[SubnetId, ...] = ()
    """Subnets of the existing VPC for tasks and instances, in at least two zones."""
    public_subnets: tuple[SubnetId, ...] = ()
    """Subnets of the existing VPC for public load balancers."""
    security_groups: tuple[SecurityGroupId, ...] = ()
    """Existing security groups for tasks; one is created when left out."""
    cidr: str = "10.0.0.0/16"
    """Addresses of a VPC that is created."""
    zones: Annotated[int, Field(ge=2, le=3)] = 2
    """Availability Zones of a VPC that is created."""
    nat: Literal["auto", "none", "one", "per-zone"] = "auto"
    """NAT gateways of a VPC that is created: one if something needs it and none else (`auto`; `inferfleet plan` says
    what), none (endpoints must carry everything), one, or one a zone."""
    endpoints: Literal["auto", "none"] | tuple[str, ...] = "auto"
    """VPC endpoints: those that the fleet needs (`auto`; none in an existing VPC, which has its own ways), none, or a
    list of service names such as `ecr.api`."""
    route_tables: tuple[RouteTableId, ...] = ()
    """Route tables of the private subnets of an existing VPC; the endpoints `s3` and `dynamodb` are entries there."""

    @field_validator("cidr")
    @classmethod
    def _private_range(cls, value: str) -> str:
        try:
            network = IPv4Network(value)
        except ValueError as error:
            raise ValueError(f"{error}; write it as 10.0.0.0/16") from error
        if not _LARGEST_VPC <= network.prefixlen <= _SMALLEST_VPC or not network.is_private:
            raise ValueError(f"{value} must be a private range between /{_LARGEST_VPC} and /{_SMALLEST_VPC}")
        return value

    @model_validator(mode="after")
    def _existing_or_created(self) -> Network:
        if self.vpc is not None and not self.private_subnets:
            raise Misfit("an existing vpc needs private_subnets", "vpc")
        named = [k for k in _EXISTING if getattr(self, k)]
        if self.vpc is None and named:
            raise Misfit(f"{named[0]} belong to an existing VPC; name it as `vpc`", named[0])
        entries = [
            name for name in ("s3", "dynamodb") if not isinstance(self.endpoints, str) and name in self.endpoints
        ]
        if self.vpc is not None and entries and not self.route_tables:
            raise Misfit(
                f"the endpoint {entries[0]} is an entry of route tables; name them as `route_tables`", "endpoints"
            )
        return self
