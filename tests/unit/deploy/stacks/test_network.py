from __future__ import annotations

import json
from ipaddress import IPv4Network
from pathlib import Path

from tests.unit.deploy.stacks.test_assembly import FLEET, make

NETWORK = "vision-network"


def endpoints(everything):
    found = everything.all("AWS::EC2::VPCEndpoint", NETWORK).values()
    return {item["ServiceName"].removeprefix("com.amazonaws.eu-west-1."): item for item in found}


def test_there_are_endpoints_for_what_the_fleet_calls_and_for_nothing_else(everything):
    assert set(endpoints(everything)) == {
        "dynamodb", "ecr.api", "ecr.dkr", "ecs", "ecs-agent", "ecs-telemetry", "kinesis-streams", "kinesisvideo",
        "logs", "s3", "secretsmanager", "ssmmessages",
    }  # fmt: skip


def test_s3_and_dynamodb_are_entries_of_the_private_route_tables(everything):
    for name in ("s3", "dynamodb"):
        endpoint = endpoints(everything)[name]
        assert endpoint["VpcEndpointType"] == "Gateway"
        assert len(endpoint["RouteTableIds"]) == 3
        assert all("private" in table["Ref"] for table in endpoint["RouteTableIds"])


def test_endpoints_have_a_group_of_their_own_that_lets_in_https_from_tasks_and_instances(everything):
    """FAIL 23: endpoints in the tasks' egress-only group swallow everything that should go to ECR and the logs."""
    logs = endpoints(everything)["logs"]
    assert logs["PrivateDnsEnabled"] is True
    (group,) = logs["SecurityGroupIds"]
    assert "Endpoints" in group["Fn::GetAtt"][0]
    rules = {}
    for stack in everything.stacks:
        for rule in everything.all("AWS::EC2::SecurityGroupIngress", stack).values():
            if "Endpoints" in str(rule["GroupId"]):
                rules.setdefault(stack, []).append((rule["FromPort"], rule["ToPort"], rule["IpProtocol"]))
    services = {f"vision-{key}" for key in ("cameras", "blue", "canary", "linear", "part", "tools")}
    assert set(rules) == services | {"vision-cluster"}
    assert all(set(item) == {(443, 443, "tcp")} for item in rules.values())


def test_nothing_needs_nat_so_there_is_none(everything):
    assert not everything.all("AWS::EC2::NatGateway", NETWORK)
    assert not everything.all("AWS::EC2::EIP", NETWORK)


def test_public_subnets_have_a_way_to_the_internet_and_private_ones_have_none(everything):
    """FAIL 57: a VPC without a route to its gateway."""
    routes = everything.all("AWS::EC2::Route", NETWORK)
    assert len(routes) == 3
    assert all("GatewayId" in route and route["DestinationCidrBlock"] == "0.0.0.0/0" for route in routes.values())
    assert all("public" in key for key in routes)


def test_what_a_service_may_let_go_of_is_exported_all_the_same(tmp_path):
    """Otherwise a load balancer could not be taken away: the network comes first, and its export is still in use."""
    with_balancer = FLEET.replace("image: app}", "image: app, load_balancer: {access_logs: false}}")
    assert exports(tmp_path, FLEET) == exports(tmp_path, with_balancer)
    assert exports(tmp_path, FLEET) == exports(tmp_path, FLEET + "network: {endpoints: none, nat: one}\n")


def exports(folder: Path, text: str) -> set[str]:
    """What a fleet's network exports."""
    from inferfleet.deploy.stacks.synth import synthesise

    out = folder / str(abs(hash(text)))
    assembly = synthesise(make(text), folder, images={}, draft=True, out=out)
    (template,) = [json.loads(s.template.read_text()) for s in assembly.stacks if s.name == "one-network"]
    return {item["Export"]["Name"] for item in template["Outputs"].values() if "Export" in item}


def subnets(folder: Path, network: str) -> dict[str, IPv4Network]:
    """The address ranges of a created network, by the subnet's id."""
    from inferfleet.deploy.stacks.synth import synthesise

    fleet = make(FLEET + f"network: {network}\n")
    assembly = synthesise(fleet, folder, images={}, draft=True, out=folder / str(abs(hash(network))))
    (template,) = [json.loads(s.template.read_text()) for s in assembly.stacks if s.name == "one-network"]
    found = {
        key: item["Properties"] for key, item in template["Resources"].items() if item["Type"].endswith("::Subnet")
    }
    return {key: IPv4Network(item["CidrBlock"]) for key, item in found.items()}


def test_a_zone_can_be_added_without_moving_the_subnets_that_are_there(tmp_path):
    assert subnets(tmp_path, "{zones: 2}").items() < subnets(tmp_path, "{zones: 3}").items()


def test_the_smallest_network_has_room_for_a_load_balancer_in_each_zone(tmp_path):
    """A load balancer wants a /27; AWS refuses it in less."""
    found = subnets(tmp_path, "{cidr: 10.0.0.0/24, zones: 3}")
    public = [network for key, network in found.items() if "public" in key]
    assert len(public) == 3
    assert all(network.prefixlen <= 27 for network in public)


def test_what_is_rejected_is_logged(everything):
    assert everything.only("AWS::EC2::FlowLog", NETWORK)["TrafficType"] == "REJECT"


def test_an_existing_network_is_used_by_its_ids_alone(existing):
    service = existing.only("AWS::ECS::Service", "guest-api")
    network = service["NetworkConfiguration"]["AwsvpcConfiguration"]
    assert network["Subnets"] == ["subnet-0123456789abcdef1", "subnet-0123456789abcdef2"]
    assert network["SecurityGroups"] == ["sg-0123456789abcdef0"]
    balancer = existing.only("AWS::ElasticLoadBalancingV2::LoadBalancer", "guest-api")
    assert balancer["Subnets"] == ["subnet-0123456789abcdef3", "subnet-0123456789abcdef4"]
    assert existing.only("AWS::ElasticLoadBalancingV2::TargetGroup", "guest-api")["VpcId"] == "vpc-0123456789abcdef0"
