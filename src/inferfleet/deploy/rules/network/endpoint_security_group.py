"""Interface endpoints behind a security group that lets nothing in."""

from collections.abc import Iterator

from inferfleet.deploy.lint import kinds
from inferfleet.deploy.lint.document import Call, Script
from inferfleet.deploy.lint.rule import Example, Match, Rule, Severity, Workspace

_HTTPS = 443


def check(world: Workspace) -> Iterator[Match]:
    """Finds endpoints with private DNS whose security group the script makes, and opens for nobody on 443."""
    for document in world.scripts:
        script = document.script
        made = {
            f"${{{item.name}}}"
            for item in script.assignments
            if item.command and "create-security-group" in item.command.texts
        }
        closed = made - {group for group in made if _opens_https(script, group)}
        found: dict[str, list[Call]] = {}
        for call in script.call(kinds.VPC_ENDPOINT):
            for group in call.params["SecurityGroupIds"].texts():
                if group in closed and call.params["VpcEndpointType"].text == "Interface":
                    found.setdefault(group, []).append(call)
        for group, calls in found.items():
            names = ", ".join(call.params["ServiceName"].text.split(".", 3)[-1] for call in calls)
            yield Match(
                calls[0].params["SecurityGroupIds"].place,
                f"{group} lets nothing in on 443, so the endpoints for {names} answer nobody; with private DNS on, the "
                "NAT gateway is no way around them",
            )


def _opens_https(script: Script, group: str) -> bool:
    for call in script.call("ec2:AuthorizeSecurityGroupIngress"):
        port = call.params["port"].text or call.params["IpPermissions"][0]["FromPort"].text
        everything = call.params["protocol"].text in ("-1", "all")
        if call.params["GroupId"].text == group and (everything or _covers(port)):
            return True
    return False


def _covers(port: str) -> bool:
    low, _, high = port.partition("-")
    return low.isdigit() and int(low) <= _HTTPS <= int(high or low)


RULE = Rule(
    severity=Severity.WARNING,
    title="Interface endpoints that let nobody in",
    why="An interface endpoint is a network interface with a security group of its own. With private DNS the service's "
    "name resolves to it, so a group without inbound 443 cuts the service off, even where a NAT gateway exists: image "
    "pulls and logs time out.",
    fix="Give the endpoints a security group that allows 443 from the tasks' and the instances' groups.",
    source="https://docs.aws.amazon.com/vpc/latest/privatelink/create-interface-endpoint.html",
    check=check,
    example=Example(
        file="network.sh",
        bad="""
GROUP=$(aws ec2 create-security-group --vpc-id vpc-0a --group-name tasks --description tasks \\
  --query GroupId --output text)
aws ec2 create-vpc-endpoint --vpc-id vpc-0a --vpc-endpoint-type Interface --service-name com.amazonaws.us-east-1.logs \\
  --subnet-ids subnet-0a --security-group-ids $GROUP --private-dns-enabled
""",
        good="""
GROUP=$(aws ec2 create-security-group --vpc-id vpc-0a --group-name endpoints --description endpoints \\
  --query GroupId --output text)
aws ec2 authorize-security-group-ingress --group-id $GROUP --protocol tcp --port 443 --source-group sg-0123456789abcdef0
aws ec2 create-vpc-endpoint --vpc-id vpc-0a --vpc-endpoint-type Interface --service-name com.amazonaws.us-east-1.logs \\
  --subnet-ids subnet-0a --security-group-ids $GROUP --private-dns-enabled
""",
    ),
)
