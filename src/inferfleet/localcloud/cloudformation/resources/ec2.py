"""Elastic IP addresses, NAT gateways, single rules of security groups, and flow logs."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

from inferfleet.localcloud.cloudformation import shapes
from inferfleet.localcloud.cloudformation.resource import Client, Made, ResourceType, Wanted, is_settled


def _tagged(client: Any, there: str, before: Any, after: Any) -> None:
    """Brings the tags of an EC2 resource from what a template said to what it says; others' tags stay."""
    old, new = ({tag["Key"]: str(tag.get("Value", "")) for tag in tags or ()} for tags in (before, after))
    if gone := [{"Key": key} for key in old.keys() - new.keys()]:
        client.delete_tags(Resources=[there], Tags=gone)
    if set_ := [{"Key": key, "Value": value} for key, value in new.items() if old.get(key) != value]:
        client.create_tags(Resources=[there], Tags=set_)


class ElasticIp(ResourceType):
    """An address that stays. `Ref` is the address, as on AWS; what it is allocated by is an attribute."""

    type = "AWS::EC2::EIP"
    create_only = ("NetworkBorderGroup", "TransferAddress", "IpamPoolId", "Address")
    tags = "list"

    def create(self, wanted: Wanted) -> Made:
        """Allocates an address, for an instance if the template names one."""
        client = wanted.client("ec2")
        made = client.allocate_address(Domain=wanted.properties.get("Domain", "vpc"))
        allocation = made["AllocationId"]
        _tagged(client, allocation, (), wanted.properties.get("Tags"))
        self._associate(client, allocation, None, wanted.properties.get("InstanceId"))
        return _address(made["PublicIp"], allocation)

    def update(self, there: str, wanted: Wanted, before: Mapping[str, Any]) -> Made:
        """Moves it to another instance, or tags it anew."""
        client = wanted.client("ec2")
        allocation = self._allocation(client, there)
        if allocation is None:
            raise ValueError(f"The address '{there}' does not exist.")
        _tagged(client, allocation, before.get("Tags"), wanted.properties.get("Tags"))
        self._associate(client, allocation, before.get("InstanceId"), wanted.properties.get("InstanceId"))
        return _address(there, allocation)

    def delete(self, there: str, properties: Mapping[str, Any], client: Client) -> None:
        """Releases it."""
        ec2 = client("ec2")
        allocation = self._allocation(ec2, there)
        if allocation is not None:
            ec2.release_address(AllocationId=allocation)

    def _associate(self, client: Any, allocation: str, before: str | None, after: str | None) -> None:
        if before == after:
            return
        if before:
            (address,) = client.describe_addresses(AllocationIds=[allocation])["Addresses"]
            if "AssociationId" in address:
                client.disassociate_address(AssociationId=address["AssociationId"])
        if after:
            client.associate_address(AllocationId=allocation, InstanceId=after)

    def _allocation(self, client: Any, public_ip: str) -> str | None:
        found = (item for item in client.describe_addresses()["Addresses"] if item["PublicIp"] == public_ip)
        return next((str(item["AllocationId"]) for item in found), None)


def _address(public_ip: str, allocation: str) -> Made:
    return Made(public_ip, {"PublicIp": public_ip, "AllocationId": allocation})


class NatGateway(ResourceType):
    """The way out of a private subnet."""

    type = "AWS::EC2::NatGateway"
    create_only = ("VpcId", "SubnetId", "ConnectivityType", "AllocationId", "PrivateIpAddress", "AvailabilityMode")
    tags = "list"

    def create(self, wanted: Wanted) -> Made:
        """Makes one in its subnet."""
        client = wanted.client("ec2")
        left_out = ("Tags", "MaxDrainDurationSeconds")
        properties = {name: value for name, value in wanted.properties.items() if name not in left_out}
        made = client.create_nat_gateway(**shapes.parameters(client, "CreateNatGateway", properties))
        there = made["NatGateway"]["NatGatewayId"]
        _tagged(client, there, (), wanted.properties.get("Tags"))
        return Made(there, {"NatGatewayId": there})

    def update(self, there: str, wanted: Wanted, before: Mapping[str, Any]) -> Made:
        """Tags it anew, which is all that can change."""
        _tagged(wanted.client("ec2"), there, before.get("Tags"), wanted.properties.get("Tags"))
        return Made(there, {"NatGatewayId": there})

    def delete(self, there: str, properties: Mapping[str, Any], client: Client) -> None:
        """Deletes it; it stays listed as deleted for a while, as on AWS."""
        try:
            client("ec2").delete_nat_gateway(NatGatewayId=there)
        except Exception as error:
            if not is_settled(error, "NatGatewayNotFound"):
                raise


class SecurityGroupRule(ResourceType):
    """A rule of a security group, apart from the group: how two groups can name each other."""

    direction: ClassVar[str]
    """`ingress` or `egress`."""
    peer: ClassVar[str]
    """What the properties about the other side begin with."""

    def create(self, wanted: Wanted) -> Made:
        """Authorizes what the rule says."""
        client, properties = wanted.client("ec2"), wanted.properties
        authorize = getattr(client, f"authorize_security_group_{self.direction}")
        made = authorize(GroupId=properties["GroupId"], IpPermissions=[self._permission(properties)])
        rule = made["SecurityGroupRules"][0]["SecurityGroupRuleId"]
        return Made(rule, {"Id": rule})

    def update(self, there: str, wanted: Wanted, before: Mapping[str, Any]) -> Made:
        """Describes it anew, which is all that can change."""
        client, properties = wanted.client("ec2"), wanted.properties
        rule = {"SecurityGroupRuleId": there, "SecurityGroupRule": self._rule(properties)}
        client.modify_security_group_rules(GroupId=properties["GroupId"], SecurityGroupRules=[rule])
        return Made(there, {"Id": there})

    def delete(self, there: str, properties: Mapping[str, Any], client: Client) -> None:
        """Revokes it."""
        revoke = getattr(client("ec2"), f"revoke_security_group_{self.direction}")
        try:
            revoke(GroupId=properties["GroupId"], IpPermissions=[self._permission(properties)])
        except Exception as error:
            if not is_settled(error, "InvalidGroup.NotFound", "InvalidPermission.NotFound"):
                raise

    def _permission(self, properties: Mapping[str, Any]) -> dict[str, Any]:
        about = {"Description": properties["Description"]} if properties.get("Description") else {}
        found: dict[str, Any] = {"IpProtocol": str(properties["IpProtocol"])}
        found |= {name: int(properties[name]) for name in ("FromPort", "ToPort") if name in properties}
        peers = (
            ("IpRanges", "CidrIp", "CidrIp"),
            ("Ipv6Ranges", "CidrIpv6", "CidrIpv6"),
            ("PrefixListIds", "PrefixListId", f"{self.peer}PrefixListId"),
            ("UserIdGroupPairs", "GroupId", f"{self.peer}SecurityGroupId"),
        )
        for member, key, name in peers:
            if properties.get(name):
                found[member] = [{key: properties[name], **about}]
        return found

    def _rule(self, properties: Mapping[str, Any]) -> dict[str, Any]:
        names = {
            "CidrIp": "CidrIpv4",
            "CidrIpv6": "CidrIpv6",
            f"{self.peer}PrefixListId": "PrefixListId",
            f"{self.peer}SecurityGroupId": "ReferencedGroupId",
        }
        found: dict[str, Any] = {"IpProtocol": str(properties["IpProtocol"])}
        found |= {name: int(properties[name]) for name in ("FromPort", "ToPort") if name in properties}
        found |= {ours: properties[name] for name, ours in names.items() if properties.get(name)}
        return found | {"Description": properties.get("Description", "")}


class Ingress(SecurityGroupRule):
    """What may come in."""

    type = "AWS::EC2::SecurityGroupIngress"
    direction, peer = "ingress", "Source"
    create_only = (
        "GroupId", "GroupName", "IpProtocol", "FromPort", "ToPort", "CidrIp", "CidrIpv6", "SourceSecurityGroupId",
        "SourceSecurityGroupName", "SourceSecurityGroupOwnerId", "SourcePrefixListId",
    )  # fmt: skip


class Egress(SecurityGroupRule):
    """What may go out."""

    type = "AWS::EC2::SecurityGroupEgress"
    direction, peer = "egress", "Destination"
    create_only = (
        "GroupId", "IpProtocol", "FromPort", "ToPort", "CidrIp", "CidrIpv6", "DestinationSecurityGroupId",
        "DestinationPrefixListId",
    )  # fmt: skip


class FlowLog(ResourceType):
    """A record of the traffic of a network."""

    type = "AWS::EC2::FlowLog"
    create_only = (
        "DeliverCrossAccountRole", "DeliverLogsPermissionArn", "LogGroupName", "LogDestination", "ResourceId",
        "TrafficType", "LogDestinationType", "ResourceType", "LogFormat", "MaxAggregationInterval",
        "DestinationOptions", "TagFieldSpecifications",
    )  # fmt: skip
    tags = "list"

    def create(self, wanted: Wanted) -> Made:
        """Begins the record."""
        client = wanted.client("ec2")
        properties = {name: value for name, value in wanted.properties.items() if name not in ("Tags", "ResourceId")}
        made = client.create_flow_logs(
            **shapes.parameters(client, "CreateFlowLogs", properties), ResourceIds=[wanted.properties["ResourceId"]]
        )
        if made.get("Unsuccessful"):
            raise ValueError(made["Unsuccessful"][0]["Error"]["Message"])
        there = made["FlowLogIds"][0]
        _tagged(client, there, (), wanted.properties.get("Tags"))
        return Made(there, {"Id": there})

    def update(self, there: str, wanted: Wanted, before: Mapping[str, Any]) -> Made:
        """Tags it anew, which is all that can change."""
        _tagged(wanted.client("ec2"), there, before.get("Tags"), wanted.properties.get("Tags"))
        return Made(there, {"Id": there})

    def delete(self, there: str, properties: Mapping[str, Any], client: Client) -> None:
        """Ends it."""
        client("ec2").delete_flow_logs(FlowLogIds=[there])


TYPES = (ElasticIp(), NatGateway(), Ingress(), Egress(), FlowLog())
