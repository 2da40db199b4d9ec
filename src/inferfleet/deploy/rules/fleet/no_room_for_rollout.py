"""A deployment that starts the new task first, on capacity that cannot grow by one."""

from collections.abc import Iterator

from inferfleet.deploy.lint import kinds
from inferfleet.deploy.lint.rule import Example, Match, Rule, Severity, Workspace


def check(world: Workspace) -> Iterator[Match]:
    """Plans a rollout of each service, and reports those that cannot be placed."""
    if world.of(kinds.FLEET):
        from inferfleet.deploy import resolve
        from inferfleet.deploy.lint import fleets
        from inferfleet.deploy.plan import rollout

        for fleet in fleets.loaded(world):
            resolved, problems = resolve.examine(fleet.fleet)
            for outcome in rollout.plan_fleet(resolved) if not problems else ():
                if outcome.problem:
                    place = fleet.place(("services", outcome.service, "deployment"))
                    yield Match(place, f"service {outcome.service}: {outcome.problem}")


RULE = Rule(
    severity=Severity.WARNING,
    title="A deployment has no room",
    why="A rolling or blue/green deployment runs old and new tasks side by side. When the capacity may not start the "
    "instances for that, the new tasks wait for the old, and the old for the new.",
    fix="Raise `max` of the capacity, or use `strategy: recreate`.",
    source="https://docs.aws.amazon.com/AmazonECS/latest/developerguide/deployment-type-ecs.html",
    check=check,
    example=Example(
        file="fleet.yaml",
        bad="""
name: vision
capacity:
  gpu: {instances: [g4dn.xlarge], max: 2}
services:
  detector:
    target: ecs-ec2
    image: public.ecr.aws/example/detector:1.4.0
    gpu: 1
    count: 2
""",
        good="""
name: vision
capacity:
  gpu: {instances: [g4dn.xlarge], max: 3}
services:
  detector:
    target: ecs-ec2
    image: public.ecr.aws/example/detector:1.4.0
    gpu: 1
    count: 2
""",
    ),
)
