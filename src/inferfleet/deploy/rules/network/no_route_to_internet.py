"""A VPC with an internet gateway that no route leads to."""

from collections.abc import Iterator

from inferfleet.deploy.lint.rule import Example, Match, Rule, Severity, Workspace


def check(world: Workspace) -> Iterator[Match]:
    """Finds scripts that make subnets and attach a gateway, and add no route."""
    for document in world.scripts:
        attached = document.script.call("ec2:AttachInternetGateway")
        subnets = document.script.call("ec2:CreateSubnet")
        if attached and subnets and not document.script.call("ec2:CreateRoute"):
            yield Match(
                attached[0].place,
                f"the gateway is attached, and no route leads to it: the {len(subnets)} subnets cannot reach the "
                "internet, "
                "and tasks cannot pull their image",
            )


RULE = Rule(
    severity=Severity.WARNING,
    title="No route to the internet gateway",
    why="A new VPC's route table knows the VPC alone. Without a route to the gateway and an association with the "
    "subnets, "
    "tasks stop with CannotPullContainerError, public address or not.",
    fix="Create a route table with 0.0.0.0/0 to the gateway and associate it with the public subnets.",
    source="https://docs.aws.amazon.com/vpc/latest/userguide/VPC_Internet_Gateway.html",
    check=check,
    example=Example(
        file="network.sh",
        bad="""
aws ec2 create-subnet --vpc-id vpc-0a --cidr-block 10.0.1.0/24
aws ec2 attach-internet-gateway --vpc-id vpc-0a --internet-gateway-id igw-0a
""",
        good="""
aws ec2 create-subnet --vpc-id vpc-0a --cidr-block 10.0.1.0/24
aws ec2 attach-internet-gateway --vpc-id vpc-0a --internet-gateway-id igw-0a
aws ec2 create-route --route-table-id rtb-0a --destination-cidr-block 0.0.0.0/0 --gateway-id igw-0a
aws ec2 associate-route-table --route-table-id rtb-0a --subnet-id subnet-0a
""",
    ),
)
