"""A service that does not fit on what it runs on."""

from collections.abc import Iterator

from inferfleet.deploy.lint import kinds
from inferfleet.deploy.lint.rule import Example, Match, Rule, Severity, Workspace


def check(world: Workspace) -> Iterator[Match]:
    """Resolves each fleet against the table of instance types and Fargate sizes."""
    if world.of(kinds.FLEET):
        from inferfleet.deploy import resolve
        from inferfleet.deploy.lint import fleets

        for fleet in fleets.loaded(world):
            for problem in resolve.examine(fleet.fleet)[1]:
                yield Match(fleet.place(problem.path), f"`{'.'.join(map(str, problem.path))}`: {problem.message}")


RULE = Rule(
    severity=Severity.ERROR,
    title="The service does not fit",
    why="A task is placed whole on one instance, which offers tasks less memory than it is sold with; Fargate has "
    "certain "
    "sizes and no GPUs. A task that fits nowhere waits for ever.",
    fix="Write `memory: max` for what fits, take a larger instance type, or ask for less.",
    source="https://docs.aws.amazon.com/AmazonECS/latest/developerguide/memory-management.html",
    check=check,
    example=Example(
        file="fleet.yaml",
        bad="""
name: vision
capacity:
  gpu: {instances: [g4dn.xlarge]}
services:
  detector:
    target: ecs-ec2
    image: public.ecr.aws/example/detector:1.4.0
    gpu: 1
    memory: 16 GB
    deployment: {strategy: recreate}
""",
        good="""
name: vision
capacity:
  gpu: {instances: [g4dn.xlarge]}
services:
  detector:
    target: ecs-ec2
    image: public.ecr.aws/example/detector:1.4.0
    gpu: 1
    memory: max
    deployment: {strategy: recreate}
""",
    ),
)
