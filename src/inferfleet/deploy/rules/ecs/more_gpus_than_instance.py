"""A task that asks for more GPUs than its instances have."""

from collections.abc import Iterator

from inferfleet.deploy import instances
from inferfleet.deploy.lint import ecs
from inferfleet.deploy.lint.rule import Example, Match, Rule, Severity, Workspace


def check(world: Workspace) -> Iterator[Match]:
    """Finds GPU counts above what any of the instance types has."""
    for task in ecs.tasks(world):
        requirement = ecs.gpu_requirement(task)
        wanted = sum(ecs.gpus(container) for container in ecs.containers(task))
        types = [t for pattern, _ in ecs.instance_types(task, world) for t in instances.table().matching(pattern)]
        if requirement is not None and types and wanted > max(item.gpus for item in types):
            best = max(types, key=lambda item: item.gpus)
            yield Match(
                requirement.place,
                f"task definition {ecs.name_of(task)} asks for {wanted:g} GPUs and {best.name} has {best.gpus}",
            )


RULE = Rule(
    severity=Severity.WARNING,
    title="More GPUs than the instance has",
    why="A task is placed on one instance. When none has enough GPUs it stays PENDING with RESOURCE:GPU, and scaling "
    "out "
    "does not help.",
    fix="Ask for fewer, share one by NVIDIA MPS, or allow a larger instance type.",
    source="https://docs.aws.amazon.com/AmazonECS/latest/developerguide/ecs-gpu.html",
    check=check,
    example=Example(
        file="task-definition.json",
        bad="""
{"family": "detector", "requiresCompatibilities": ["EC2"], "memory": "8192",
 "placementConstraints": [{"type": "memberOf", "expression": "attribute:ecs.instance-type == g4dn.xlarge"}],
 "containerDefinitions": [{"name": "detector", "image": "detector:1.4.0",
   "resourceRequirements": [{"type": "GPU", "value": "2"}]}]}
""",
        good="""
{"family": "detector", "requiresCompatibilities": ["EC2"], "memory": "8192",
 "placementConstraints": [{"type": "memberOf", "expression": "attribute:ecs.instance-type == g4dn.12xlarge"}],
 "containerDefinitions": [{"name": "detector", "image": "detector:1.4.0",
   "resourceRequirements": [{"type": "GPU", "value": "2"}]}]}
""",
    ),
)
