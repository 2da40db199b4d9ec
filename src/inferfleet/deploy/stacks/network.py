"""The network of a fleet: a VPC that is created, with its endpoints, or one that exists, by its ids."""

from __future__ import annotations

import aws_cdk as cdk
from aws_cdk import aws_ec2 as ec2
from aws_cdk import aws_logs as logs
from constructs import Construct

from inferfleet.config.fleet_network import Network
from inferfleet.deploy.reach import Reach
from inferfleet.deploy.resolve import ResolvedFleet
from inferfleet.deploy.stacks.base import FleetStack, output

_HTTPS = ec2.Port.tcp(443)
_PUBLIC_MASK = 24
_BALANCER_MASK = 27
_MOST_ZONES = 3
_NOTHING = Reach(endpoints=(), internet=(), nat_gateways=0)


class FleetNetwork(Construct):
    """Where a fleet runs.

    Tasks and instances are in private subnets. Interface endpoints have a security group of their own, which lets in
    HTTPS from whoever `let_in` is called for, and nothing else.

    Args:
        scope: The stack that it is in.
        id: Its name there.
        settings: The `network` of a fleet.yaml.
        reach: The endpoints and NAT gateways to make; none when left out.

    Attributes:
        vpc: The VPC.
        private: Subnets of tasks and instances.
        public: Subnets of public load balancers.
        task_groups: Security groups that exist for the tasks; none for those that each service makes for itself.
        endpoints_group: The security group of the interface endpoints, where there are any.
    """

    def __init__(self, scope: Construct, id: str, *, settings: Network, reach: Reach = _NOTHING) -> None:
        super().__init__(scope, id)
        self.settings = settings
        self.vpc = self._existing(settings.vpc) if settings.vpc else self._created(reach.nat_gateways)
        self.private = self._subnets(
            "Private", settings.private_subnets, [*self.vpc.private_subnets, *self.vpc.isolated_subnets]
        )
        self.public = self._subnets("Public", settings.public_subnets, self.vpc.public_subnets)
        self.task_groups = [
            ec2.SecurityGroup.from_security_group_id(self, f"Tasks{index}", group)
            for index, group in enumerate(settings.security_groups)
        ]
        self.endpoints_group: ec2.SecurityGroup | None = None
        self._add_endpoints(reach)

    def let_in(self, peer: ec2.ISecurityGroup, who: str) -> None:
        """Lets a security group of tasks or instances speak to the interface endpoints.

        Args:
            peer: The group; the rule is made in its stack.
            who: For the rule's description.
        """
        if self.endpoints_group is not None:
            self.endpoints_group.add_ingress_rule(peer, _HTTPS, who, remote_rule=True)

    def _existing(self, vpc: str) -> ec2.IVpc:
        # Its zones are not asked for anywhere: subnets are always given one by one.
        zones = [cdk.Fn.select(0, cdk.Fn.get_azs())]
        return ec2.Vpc.from_vpc_attributes(self, "Vpc", vpc_id=vpc, availability_zones=zones)

    def _created(self, gateways: int) -> ec2.Vpc:
        private = ec2.SubnetType.PRIVATE_WITH_EGRESS if gateways else ec2.SubnetType.PRIVATE_ISOLATED
        vpc = ec2.Vpc(
            self,
            "Vpc",
            ip_addresses=ec2.IpAddresses.cidr(self.settings.cidr),
            max_azs=self.settings.zones,
            # So that a zone can be added later without moving the subnets that are there.
            reserved_azs=_MOST_ZONES - self.settings.zones,
            nat_gateways=gateways,
            restrict_default_security_group=False,
            subnet_configuration=[
                ec2.SubnetConfiguration(
                    name="public",
                    subnet_type=ec2.SubnetType.PUBLIC,
                    cidr_mask=self._public_mask(),
                    map_public_ip_on_launch=False,
                ),
                ec2.SubnetConfiguration(name="private", subnet_type=private),
            ],
        )
        group = logs.LogGroup(
            self, "Rejected", retention=logs.RetentionDays.ONE_MONTH, removal_policy=cdk.RemovalPolicy.DESTROY
        )
        vpc.add_flow_log(
            "FlowLog",
            destination=ec2.FlowLogDestination.to_cloud_watch_logs(group),
            traffic_type=ec2.FlowLogTrafficType.REJECT,
        )
        return vpc

    def _public_mask(self) -> int:
        """Public subnets hold load balancers and NAT gateways only: a /24 each, or a sixteenth of a smaller VPC.

        A load balancer wants at least a /27.
        https://docs.aws.amazon.com/elasticloadbalancing/latest/application/application-load-balancers.html
        """
        sixteenth = int(self.settings.cidr.rpartition("/")[2]) + 4
        return min(max(_PUBLIC_MASK, sixteenth), _BALANCER_MASK)

    def _subnets(self, name: str, ids: tuple[str, ...], created: list[ec2.ISubnet]) -> list[ec2.ISubnet]:
        if not self.settings.vpc:
            return created
        existing = [ec2.Subnet.from_subnet_id(self, f"{name}{index}", id) for index, id in enumerate(ids, start=1)]
        for subnet in existing:
            why = "route tables of an existing network are named by `network.route_tables`"
            cdk.Annotations.of(subnet).acknowledge_warning("@aws-cdk/aws-ec2:noSubnetRouteTableId", why)
        return existing

    def _add_endpoints(self, reach: Reach) -> None:
        interfaces = [endpoint.name for endpoint in reach.endpoints if not endpoint.is_gateway]
        if interfaces or self.settings.vpc is None:
            # In a network of ours it is there even without endpoints: the services' stacks hold on to it.
            self.endpoints_group = ec2.SecurityGroup(
                self, "Endpoints", vpc=self.vpc, description="Endpoints of AWS services", allow_all_outbound=False
            )
            for group in self.task_groups:
                self.let_in(group, "tasks")
        region = cdk.Stack.of(self).region
        for endpoint in reach.endpoints:
            if endpoint.is_gateway:
                self._gateway(endpoint.name, region)
        for name in interfaces:
            self._interface(name, region)

    def _gateway(self, name: str, region: str) -> None:
        tables = list(self.settings.route_tables)
        tables = tables or list(dict.fromkeys(subnet.route_table.route_table_id for subnet in self.private))
        ec2.CfnVPCEndpoint(
            self,
            _id(name),
            vpc_id=self.vpc.vpc_id,
            service_name=f"com.amazonaws.{region}.{name}",
            vpc_endpoint_type="Gateway",
            route_table_ids=tables,
        )

    def _interface(self, name: str, region: str) -> None:
        assert self.endpoints_group is not None
        ec2.CfnVPCEndpoint(
            self,
            _id(name),
            vpc_id=self.vpc.vpc_id,
            service_name=f"com.amazonaws.{region}.{name}",
            vpc_endpoint_type="Interface",
            private_dns_enabled=True,
            subnet_ids=[subnet.subnet_id for subnet in self.private],
            security_group_ids=[self.endpoints_group.security_group_id],
        )


def _id(endpoint: str) -> str:
    words = endpoint.replace(".", "-").split("-")
    return "".join(word.capitalize() for word in words) + "Endpoint"


class NetworkStack(FleetStack):
    """The network of a fleet as a stack.

    Attributes:
        network: The network.
    """

    def __init__(self, scope: Construct, *, fleet: ResolvedFleet, reach: Reach) -> None:
        super().__init__(scope, "network", fleet=fleet, description=f"Network of the fleet {fleet.file.name}")
        self.network = FleetNetwork(self, "Network", settings=fleet.file.network, reach=reach)
        output(self, "VpcId", self.network.vpc.vpc_id, "The VPC")
        subnets = cdk.Fn.join(",", [subnet.subnet_id for subnet in self.network.private])
        output(self, "PrivateSubnetIds", subnets, "Where tasks and instances run")
        self._export()

    def _export(self) -> None:
        """Exports whatever another stack may come to use, and always.

        The network is deployed first. An export that went when its last user lets go of it would go while that user
        still has it, which CloudFormation refuses.
        """
        subnets = [*self.network.private, *self.network.public]
        for value in (self.network.vpc.vpc_id, *(subnet.subnet_id for subnet in subnets)):
            if cdk.Token.is_unresolved(value):
                self.export_value(value)
        if self.network.endpoints_group is not None:
            self.export_value(self.network.endpoints_group.security_group_id)
