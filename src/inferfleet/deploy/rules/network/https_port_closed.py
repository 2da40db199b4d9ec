"""An HTTPS listener behind a security group that opens another port."""

from collections.abc import Iterator

from inferfleet.deploy.lint import kinds
from inferfleet.deploy.lint.rule import Example, Match, Rule, Severity, Workspace


def check(world: Workspace) -> Iterator[Match]:
    """Finds HTTPS listeners whose load balancer's group the script opens, and not for their port."""
    for document in world.scripts:
        script = document.script
        groups = {text for call in script.call(kinds.LOAD_BALANCER) for text in call.params["SecurityGroups"].texts()}
        opened: dict[str, set[str]] = {}
        for call in script.call("ec2:AuthorizeSecurityGroupIngress"):
            opened.setdefault(call.params["GroupId"].text, set()).add(call.params["port"].text)
        for listener in script.call(kinds.LISTENER):
            port = listener.params["Port"].text
            for group in groups & set(opened):
                if (
                    listener.params["Protocol"].text == "HTTPS"
                    and port not in opened[group]
                    and "" not in opened[group]
                ):
                    yield Match(
                        listener.place,
                        f"the listener is on {port}, and {group} opens {', '.join(sorted(opened[group]))} only: "
                        "every connection times out",
                    )


RULE = Rule(
    severity=Severity.WARNING,
    title="The listener's port is closed",
    why="The load balancer's security group decides which ports can be reached. A listener on another port is never "
    "asked.",
    fix="Authorize ingress on the listener's port as well.",
    source="https://docs.aws.amazon.com/elasticloadbalancing/latest/application/load-balancer-update-security-groups.html",
    check=check,
    example=Example(
        file="balancer.sh",
        bad="""
aws ec2 authorize-security-group-ingress --group-id sg-0a --protocol tcp --port 80 --cidr 0.0.0.0/0
aws elbv2 create-load-balancer --name api --subnets subnet-0a subnet-0b --security-groups sg-0a
aws elbv2 create-listener --load-balancer-arn "$1" --protocol HTTPS --port 443 --certificates CertificateArn=$2 \\
  --ssl-policy ELBSecurityPolicy-TLS13-1-2-2021-06 --default-actions Type=forward,TargetGroupArn=$3
""",
        good="""
aws ec2 authorize-security-group-ingress --group-id sg-0a --protocol tcp --port 443 --cidr 0.0.0.0/0
aws elbv2 create-load-balancer --name api --subnets subnet-0a subnet-0b --security-groups sg-0a
aws elbv2 create-listener --load-balancer-arn "$1" --protocol HTTPS --port 443 --certificates CertificateArn=$2 \\
  --ssl-policy ELBSecurityPolicy-TLS13-1-2-2021-06 --default-actions Type=forward,TargetGroupArn=$3
""",
    ),
)
