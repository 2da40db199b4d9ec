"""A public service without encryption."""

from collections.abc import Iterator

from inferfleet.deploy.lint import kinds
from inferfleet.deploy.lint.rule import Example, Match, Rule, Severity, Workspace


def check(world: Workspace) -> Iterator[Match]:
    """Finds public load balancers without a certificate."""
    if world.of(kinds.FLEET):
        from inferfleet.deploy.lint import fleets

        for fleet in fleets.loaded(world):
            for key, service in fleet.fleet.services.items():
                balancer = service.load_balancer
                if balancer is not None and balancer.public and balancer.certificate is None:
                    place = fleet.place(("services", key, "load_balancer"))
                    yield Match(
                        place, f"service {key} is public and speaks HTTP: pictures and results can be read on the way"
                    )


RULE = Rule(
    severity=Severity.WARNING,
    title="A public service over plain HTTP",
    why="Everyone between the client and the load balancer can read and change what is sent.",
    fix="Request a certificate from ACM and name it as `certificate`; HTTP then redirects to HTTPS.",
    source="https://docs.aws.amazon.com/elasticloadbalancing/latest/application/create-https-listener.html",
    check=check,
    example=Example(
        file="fleet.yaml",
        bad="""
name: vision
services:
  api:
    kind: api
    image: public.ecr.aws/example/api:1.4.0
    load_balancer: {}
""",
        good="""
name: vision
services:
  api:
    kind: api
    image: public.ecr.aws/example/api:1.4.0
    load_balancer: {certificate: "arn:aws:acm:us-east-1:111122223333:certificate/0"}
""",
    ),
)
