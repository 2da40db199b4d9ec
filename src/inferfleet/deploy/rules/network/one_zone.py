"""A load balancer in one subnet."""

from collections.abc import Iterator

from inferfleet.deploy.lint import kinds
from inferfleet.deploy.lint.rule import Example, Match, Rule, Severity, Workspace


def check(world: Workspace) -> Iterator[Match]:
    """Finds application load balancers with fewer than two subnets."""
    for balancer in world.of(kinds.LOAD_BALANCER):
        subnets = balancer.node["Subnets"]
        kind = balancer.node["Type"].text or "application"
        if kind == "application" and isinstance(subnets.value, list) and len(subnets.value) == 1 and subnets[0].known:
            yield Match(subnets.place, "an application load balancer needs subnets in at least two zones")


RULE = Rule(
    severity=Severity.ERROR,
    title="A load balancer in one zone",
    why="CreateLoadBalancer refuses an application load balancer with subnets in fewer than two Availability Zones.",
    fix="Give a subnet in each of two zones.",
    source="https://docs.aws.amazon.com/elasticloadbalancing/latest/APIReference/API_CreateLoadBalancer.html",
    check=check,
    example=Example(
        file="balancer.sh",
        bad="aws elbv2 create-load-balancer --name api --subnets subnet-0a",
        good="aws elbv2 create-load-balancer --name api --subnets subnet-0a subnet-0b",
    ),
)
