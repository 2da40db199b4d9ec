"""A network without a way to what the tasks need."""

from collections.abc import Iterator

from inferfleet.deploy.lint import kinds
from inferfleet.deploy.lint.rule import Example, Match, Rule, Severity, Workspace


def check(world: Workspace) -> Iterator[Match]:
    """Finds created networks with neither NAT gateways nor endpoints, and public images without NAT."""
    if world.of(kinds.FLEET):
        from inferfleet.deploy.lint import fleets

        for fleet in fleets.loaded(world):
            network = fleet.fleet.network
            if network.vpc is not None or network.nat != "none":
                continue
            if network.endpoints == "none":
                yield Match(fleet.place(("network", "endpoints")), "neither NAT nor endpoints: no image can be pulled")
                continue
            for key, service in fleet.fleet.services.items():
                image = fleet.fleet.images.get(service.image)
                uri = (image.uri or "") if image is not None else service.image
                if uri and ".dkr.ecr." not in uri:
                    place = fleet.place(("services", key, "image"))
                    yield Match(place, f"{uri} is not in ECR, and without NAT nothing else can be reached")


RULE = Rule(
    severity=Severity.ERROR,
    title="Tasks cannot reach what they need",
    why="Endpoints reach AWS services only. Without NAT a public image cannot be pulled, and without both nothing can.",
    fix="Set `nat: one`, or keep `endpoints: auto` and copy the image to ECR.",
    source="https://docs.aws.amazon.com/AmazonECS/latest/developerguide/vpc-endpoints.html",
    check=check,
    example=Example(
        file="fleet.yaml",
        bad="""
name: vision
network: {nat: none}
services:
  api:
    kind: api
    image: public.ecr.aws/example/api:1.4.0
""",
        good="""
name: vision
network: {nat: one}
services:
  api:
    kind: api
    image: public.ecr.aws/example/api:1.4.0
""",
    ),
)
