"""The network of a fleet: a VPC that is created, with its endpoints, or one that exists, by its ids."""

from __future__ import annotations

import aws_cdk as cdk
from aws_cdk import aws_ec2 as ec2
from constructs import Construct

from inferfleet.config.fleet_network import Network
from inferfleet.deploy.resolve import ResolvedFleet
from inferfleet.deploy.stacks.base import FleetStack, output


class FleetNetwork(Construct):
    """Where a fleet runs.

    Args:
        scope: The stack that it is in.
        id: Its name there.
        settings: The `network` of a fleet.yaml.

    Attributes:
        vpc: The VPC.
        private: Subnets of tasks and instances.
        public: Subnets of public load balancers.
        task_groups: Security groups that exist for the tasks; none for those that each service makes for itself.
    """

    def __init__(self, scope: Construct, id: str, *, settings: Network) -> None:
        super().__init__(scope, id)
        self.settings = settings
        self.vpc = self._existing(settings.vpc) if settings.vpc else self._created()
        self.private = self._subnets(
            "Private", settings.private_subnets, [*self.vpc.private_subnets, *self.vpc.isolated_subnets]
        )
        self.public = self._subnets("Public", settings.public_subnets, self.vpc.public_subnets)
        self.task_groups = [
            ec2.SecurityGroup.from_security_group_id(self, f"Tasks{index}", group)
            for index, group in enumerate(settings.security_groups)
        ]

    def _existing(self, vpc: str) -> ec2.IVpc:
        # Its zones are not asked for anywhere: subnets are always given one by one.
        zones = [cdk.Fn.select(0, cdk.Fn.get_azs())]
        return ec2.Vpc.from_vpc_attributes(self, "Vpc", vpc_id=vpc, availability_zones=zones)

    def _created(self) -> ec2.Vpc:
        gateways = {"none": 0, "one": 1, "per-zone": self.settings.zones}[self.settings.nat]
        private = ec2.SubnetType.PRIVATE_WITH_EGRESS if gateways else ec2.SubnetType.PRIVATE_ISOLATED
        return ec2.Vpc(
            self,
            "Vpc",
            ip_addresses=ec2.IpAddresses.cidr(self.settings.cidr),
            max_azs=self.settings.zones,
            nat_gateways=gateways,
            restrict_default_security_group=False,
            subnet_configuration=[
                ec2.SubnetConfiguration(name="public", subnet_type=ec2.SubnetType.PUBLIC, cidr_mask=24),
                ec2.SubnetConfiguration(name="private", subnet_type=private),
            ],
        )

    def _subnets(self, name: str, ids: tuple[str, ...], created: list[ec2.ISubnet]) -> list[ec2.ISubnet]:
        if not self.settings.vpc:
            return created
        return [ec2.Subnet.from_subnet_id(self, f"{name}{index}", subnet) for index, subnet in enumerate(ids, start=1)]


class NetworkStack(FleetStack):
    """The network of a fleet as a stack.

    Attributes:
        network: The network.
    """

    def __init__(self, scope: Construct, *, fleet: ResolvedFleet) -> None:
        super().__init__(scope, "network", fleet=fleet, description=f"Network of the fleet {fleet.file.name}")
        self.network = FleetNetwork(self, "Network", settings=fleet.file.network)
        output(self, "VpcId", self.network.vpc.vpc_id, "The VPC")
