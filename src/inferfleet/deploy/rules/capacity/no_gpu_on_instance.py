"""GPU tasks on instances without a GPU."""

from collections.abc import Iterator

from inferfleet.deploy import instances
from inferfleet.deploy.lint import ecs
from inferfleet.deploy.lint.rule import Example, Match, Rule, Severity, Workspace


def check(world: Workspace) -> Iterator[Match]:
    """Finds task definitions that need a GPU and may run only on types that have none."""
    for task in ecs.tasks(world):
        if ecs.gpu_requirement(task) is None:
            continue
        named = ecs.instance_types(task, world)
        types = [item for pattern, _ in named for item in instances.table().matching(pattern)]
        if types and not any(item.gpus for item in types):
            yield Match(
                named[0][1].place, f"task definition {ecs.name_of(task)} needs a GPU, and {types[0].name} has none"
            )


RULE = Rule(
    severity=Severity.WARNING,
    title="The instances have no GPU",
    why="The task waits for a GPU that no instance of the group will ever register.",
    fix="Use a type with GPUs, such as g4dn, g5 or g6.",
    source="https://docs.aws.amazon.com/AmazonECS/latest/developerguide/ecs-gpu.html",
    check=check,
    example=Example(
        file="task-definition.json",
        bad="""
{"family": "detector", "requiresCompatibilities": ["EC2"], "memory": "4096",
 "placementConstraints": [{"type": "memberOf", "expression": "attribute:ecs.instance-type == m6i.large"}],
 "containerDefinitions": [{"name": "detector", "image": "detector:1.4.0",
   "resourceRequirements": [{"type": "GPU", "value": "1"}]}]}
""",
        good="""
{"family": "detector", "requiresCompatibilities": ["EC2"], "memory": "4096",
 "placementConstraints": [{"type": "memberOf", "expression": "attribute:ecs.instance-type == g4dn.xlarge"}],
 "containerDefinitions": [{"name": "detector", "image": "detector:1.4.0",
   "resourceRequirements": [{"type": "GPU", "value": "1"}]}]}
""",
    ),
)
