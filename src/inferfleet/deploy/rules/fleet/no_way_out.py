"""A network without a way to what the tasks need."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from inferfleet.deploy.lint import kinds
from inferfleet.deploy.lint.rule import Example, Match, Rule, Severity, Workspace
from inferfleet.errors import InputError

if TYPE_CHECKING:
    from inferfleet.deploy.lint.fleets import Loaded


def check(world: Workspace) -> Iterator[Match]:
    """Finds created networks without NAT, and what in them only NAT leads to."""
    if world.of(kinds.FLEET):
        from inferfleet.deploy.lint import fleets

        for fleet in fleets.loaded(world):
            network = fleet.fleet.network
            if network.vpc is not None or network.nat != "none":
                continue
            if network.endpoints == "none":
                yield Match(fleet.place(("network", "endpoints")), "neither NAT nor endpoints: no image can be pulled")
                continue
            yield from _unreachable(fleet)


def _unreachable(fleet: Loaded) -> Iterator[Match]:
    from inferfleet.deploy import resolve
    from inferfleet.deploy.reach import reach

    resolved, problems = resolve.examine(fleet.fleet)
    if problems:
        return
    try:
        needs = reach(resolved, fleet.folder).internet
    except InputError:
        return
    for need in needs:
        if need.is_certain:
            place = fleet.place(("services", need.service, "image" if "image" in need.what else "config"))
            yield Match(place, f"{need.what}, and without NAT nothing else can be reached")


RULE = Rule(
    severity=Severity.ERROR,
    title="Tasks cannot reach what they need",
    why="Endpoints reach AWS services only. Without NAT a public image cannot be pulled, and without both nothing can.",
    fix="Set `nat: auto`, which makes a gateway where one is needed, or copy the image to ECR.",
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
network: {nat: auto}
services:
  api:
    kind: api
    image: public.ecr.aws/example/api:1.4.0
""",
    ),
)
