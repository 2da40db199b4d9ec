"""Ports open to everyone that nobody outside needs."""

from collections.abc import Iterator

from inferfleet.deploy.lint import kinds
from inferfleet.deploy.lint.rule import Example, Match, Rule, Severity, Workspace

_PUBLIC = ("0.0.0.0/0", "::/0")
_WEB = ("80", "443")


def check(world: Workspace) -> Iterator[Match]:
    """Finds inbound rules from anywhere, other than for the web."""
    for call in world.calls("ec2:AuthorizeSecurityGroupIngress"):
        port, protocol = call.params["port"].text, call.params["protocol"].text
        if call.params["cidr"].text in _PUBLIC and (protocol in ("-1", "all") or port in ("22", "3389", "0-65535")):
            yield Match(call.params["cidr"].place, f"{port or 'every port'} is open to the whole internet")
    for resource in world.of(kinds.RESOURCE):
        if resource.node["Type"].text == "AWS::EC2::SecurityGroup":
            for rule in resource.node["Properties"]["SecurityGroupIngress"]:
                anyone = rule["CidrIp"].text in _PUBLIC or rule["CidrIpv6"].text in _PUBLIC
                if anyone and rule["FromPort"].text not in _WEB:
                    yield Match(rule.place, f"{rule['FromPort'].text or 'every port'} is open to the whole internet")


RULE = Rule(
    severity=Severity.WARNING,
    title="Open to the whole internet",
    why="Scanners find an open SSH or application port within minutes.",
    fix="Name the load balancer's security group as the source, and use ECS Exec instead of SSH.",
    source="https://docs.aws.amazon.com/vpc/latest/userguide/security-group-rules.html",
    check=check,
    example=Example(
        file="network.sh",
        bad="aws ec2 authorize-security-group-ingress --group-id sg-0a --protocol tcp --port 22 --cidr 0.0.0.0/0",
        good="aws ec2 authorize-security-group-ingress --group-id sg-0a --protocol tcp --port 8080 --source-group "
        "sg-0b",
    ),
)
