"""Addresses, NAT gateways, rules of security groups, flow logs and images, as EC2 tells of them."""

from __future__ import annotations

from typing import Any

import pytest

from tests.localcloud.cloudformation.emulator import Emulator, Stack, error_of
from tests.localcloud.cloudformation.template import Name, att, network, ref, resource


def nat(subnet: str = "Subnet") -> dict[str, Any]:
    return {
        "Address": resource("EC2::EIP", Domain="vpc", Tags=[{"Key": "For", "Value": "nat"}]),
        "Gateway": resource("EC2::NatGateway", SubnetId=ref(subnet), AllocationId=att("Address", "AllocationId")),
    }


def test_a_nat_gateway_has_its_address_in_the_calls_of_ec2(aws: Emulator, stack: Stack) -> None:
    ec2 = aws.client("ec2")
    outputs = {"Ip": {"Value": ref("Address")}, "Nat": {"Value": att("Gateway", "NatGatewayId")}}
    assert stack.create(network() | nat(), **outputs) == "CREATE_COMPLETE", stack.failures()
    found = stack.outputs()
    (gateway,) = ec2.describe_nat_gateways(NatGatewayIds=[found["Nat"]])["NatGateways"]
    (address,) = [item for item in ec2.describe_addresses()["Addresses"] if item["PublicIp"] == found["Ip"]]
    assert gateway["State"] == "available"
    assert gateway["NatGatewayAddresses"][0]["PublicIp"] == found["Ip"]
    assert gateway["NatGatewayAddresses"][0]["AllocationId"] == address["AllocationId"]
    assert address["AssociationId"]
    assert {"Key": "For", "Value": "nat"} in address["Tags"]
    assert error_of(ec2.release_address, AllocationId=address["AllocationId"]) == "InvalidIPAddress.InUse"


def test_a_nat_gateway_in_another_subnet_is_another_one(aws: Emulator, stack: Stack) -> None:
    ec2 = aws.client("ec2")
    second = {"Second": resource("EC2::Subnet", VpcId=ref("Vpc"), CidrBlock="10.0.1.0/24")}
    both = network() | second
    private = resource("EC2::NatGateway", SubnetId=ref("Subnet"), ConnectivityType="private")
    assert stack.create(both | {"Gateway": private}) == "CREATE_COMPLETE", stack.failures()
    before = stack.ids()["Gateway"]
    moved = both | {"Gateway": resource("EC2::NatGateway", SubnetId=ref("Second"), ConnectivityType="private")}
    assert stack.changes(moved) == {"Gateway": ("Modify", "True")}
    assert stack.update(moved) == "UPDATE_COMPLETE", stack.failures()
    after = stack.ids()
    assert after["Gateway"] != before
    states = {item["NatGatewayId"]: item for item in ec2.describe_nat_gateways()["NatGateways"]}
    assert states[before]["State"] == "deleted"
    assert states[after["Gateway"]]["SubnetId"] == after["Second"]


def test_addresses_are_released_with_their_stack(aws: Emulator, stack: Stack) -> None:
    ec2 = aws.client("ec2")
    assert stack.create(network() | nat()) == "CREATE_COMPLETE", stack.failures()
    address = stack.ids()["Address"]
    assert stack.delete() == "DELETE_COMPLETE", stack.failures()
    assert address not in {item["PublicIp"] for item in ec2.describe_addresses()["Addresses"]}


def test_a_nat_gateway_needs_an_address_that_exists(stack: Stack) -> None:
    gateway = resource("EC2::NatGateway", SubnetId=ref("Subnet"), AllocationId="eipalloc-none")
    assert stack.create(network() | {"Gateway": gateway}) == "ROLLBACK_COMPLETE"
    assert "InvalidAllocationID.NotFound" in " ".join(stack.failures())


def groups(port: int = 443) -> dict[str, Any]:
    rule = {"IpProtocol": "tcp", "FromPort": port, "ToPort": port}
    return network() | {
        "A": resource("EC2::SecurityGroup", VpcId=ref("Vpc"), GroupDescription="a"),
        "B": resource("EC2::SecurityGroup", VpcId=ref("Vpc"), GroupDescription="b"),
        "In": resource("EC2::SecurityGroupIngress", GroupId=ref("A"), SourceSecurityGroupId=ref("B"), **rule),
        "Out": resource("EC2::SecurityGroupEgress", GroupId=ref("B"), DestinationSecurityGroupId=ref("A"), **rule),
    }


def test_groups_that_name_each_other_get_their_rules_and_change_them(aws: Emulator, stack: Stack) -> None:
    ec2 = aws.client("ec2")
    assert stack.create(groups()) == "CREATE_COMPLETE", stack.failures()
    ids = stack.ids()
    assert _ports(ec2, ids["A"], "IpPermissions") == {(443, ids["B"])}
    assert (443, ids["A"]) in _ports(ec2, ids["B"], "IpPermissionsEgress")
    assert stack.changes(groups(8080)) == {"In": ("Modify", "True"), "Out": ("Modify", "True")}
    assert stack.update(groups(8080)) == "UPDATE_COMPLETE", stack.failures()
    assert _ports(ec2, ids["A"], "IpPermissions") == {(8080, ids["B"])}
    described = groups(8080)
    described["In"]["Properties"]["Description"] = "requests"
    assert stack.changes(described) == {"In": ("Modify", "False")}
    assert stack.update(described) == "UPDATE_COMPLETE", stack.failures()
    (group,) = ec2.describe_security_groups(GroupIds=[ids["A"]])["SecurityGroups"]
    assert group["IpPermissions"][0]["UserIdGroupPairs"][0]["Description"] == "requests"


def _ports(ec2: Any, group: str, direction: str) -> set[tuple[int, str]]:
    (found,) = ec2.describe_security_groups(GroupIds=[group])["SecurityGroups"]
    pairs = [(rule.get("FromPort"), pair) for rule in found[direction] for pair in rule["UserIdGroupPairs"]]
    return {(port, pair["GroupId"]) for port, pair in pairs}


def test_flow_logs_are_those_of_their_network(aws: Emulator, stack: Stack, name: Name) -> None:
    ec2 = aws.client("ec2")
    log = resource(
        "EC2::FlowLog", ResourceId=ref("Vpc"), ResourceType="VPC", TrafficType="ALL",
        LogDestinationType="cloud-watch-logs", LogGroupName=name("flow"),
        DeliverLogsPermissionArn="arn:aws:iam::000000000000:role/flow",
    )  # fmt: skip
    assert stack.create(network() | {"Log": log}) == "CREATE_COMPLETE", stack.failures()
    ids = stack.ids()
    (found,) = ec2.describe_flow_logs(FlowLogIds=[ids["Log"]])["FlowLogs"]
    assert found["ResourceId"] == ids["Vpc"]
    assert stack.update(network()) == "UPDATE_COMPLETE", stack.failures()
    assert not ec2.describe_flow_logs(FlowLogIds=[ids["Log"]])["FlowLogs"]


@pytest.mark.parametrize("path", ["gpu/recommended", "recommended"])
def test_the_images_of_ecs_are_found_by_their_public_parameters(aws: Emulator, path: str) -> None:
    root = "/aws/service/ecs/optimized-ami/amazon-linux-2023"
    image = aws.client("ssm").get_parameter(Name=f"{root}/{path}/image_id")["Parameter"]["Value"]
    (found,) = aws.client("ec2").describe_images(ImageIds=[image])["Images"]
    assert found["Name"].startswith("al2023-ami-ecs")
