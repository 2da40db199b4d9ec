"""A fleet.yaml that says something which it may not."""

from collections.abc import Iterator

from inferfleet.deploy.lint import kinds
from inferfleet.deploy.lint.rule import Example, Match, Rule, Severity, Workspace


def check(world: Workspace) -> Iterator[Match]:
    """Reads each fleet.yaml as the deployment would."""
    if world.of(kinds.FLEET):
        from inferfleet.config.fleet import FleetFile
        from inferfleet.deploy.lint import fleets

        for place, message in fleets.mistakes(world, kinds.FLEET, FleetFile):
            yield Match(place, message)


RULE = Rule(
    severity=Severity.ERROR,
    title="fleet.yaml cannot be read",
    why="Unknown keys, wrong types, names that nothing has and settings that exclude one another are mistakes in every "
    "case, so they are told before anything is made.",
    fix="Follow the message; `inferfleet schema fleet` gives an editor what it needs to complete and check the file.",
    source="https://json-schema.org/learn/getting-started-step-by-step",
    check=check,
    example=Example(
        file="fleet.yaml",
        bad="""
name: vision
services:
  api:
    kind: api
    image: public.ecr.aws/example/api:1.4.0
    memmory: 4 GB
""",
        good="""
name: vision
services:
  api:
    kind: api
    image: public.ecr.aws/example/api:1.4.0
    memory: 4 GB
""",
    ),
)
