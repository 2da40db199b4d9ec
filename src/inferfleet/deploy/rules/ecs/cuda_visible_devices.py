"""CUDA_VISIBLE_DEVICES set by hand."""

from collections.abc import Iterator

from inferfleet.deploy.lint import ecs
from inferfleet.deploy.lint.rule import Example, Match, Rule, Severity, Workspace


def check(world: Workspace) -> Iterator[Match]:
    """Finds GPU containers whose environment picks devices by number."""
    for task in ecs.tasks(world):
        for container in ecs.containers(task):
            for variable in container["environment"]:
                if variable["name"].text == "CUDA_VISIBLE_DEVICES" and ecs.gpus(container):
                    yield Match(
                        variable.place,
                        f"container {container['name'].text} sets CUDA_VISIBLE_DEVICES={variable['value'].text}; ECS "
                        "already shows it only its own GPUs, and with more of them this hides the rest",
                    )


RULE = Rule(
    severity=Severity.NOTE,
    title="CUDA_VISIBLE_DEVICES repeats what ECS does, or hides a GPU",
    why="ECS sets NVIDIA_VISIBLE_DEVICES to the GPUs that it reserved for the container. With one GPU a second filter "
    "changes nothing; with more, all but the listed ones stay idle and are paid for.",
    fix="Leave the variable out and ask for GPUs in resourceRequirements.",
    source="https://docs.aws.amazon.com/AmazonECS/latest/developerguide/ecs-gpu.html",
    check=check,
    example=Example(
        file="task-definition.json",
        bad="""
{"family": "detector", "requiresCompatibilities": ["EC2"], "memory": "14336", "containerDefinitions": [{
  "name": "detector", "image": "detector:1.4.0",
  "resourceRequirements": [{"type": "GPU", "value": "2"}],
  "environment": [{"name": "CUDA_VISIBLE_DEVICES", "value": "0"}]
}]}
""",
        good="""
{"family": "detector", "requiresCompatibilities": ["EC2"], "memory": "14336", "containerDefinitions": [{
  "name": "detector", "image": "detector:1.4.0",
  "resourceRequirements": [{"type": "GPU", "value": "2"}]
}]}
""",
    ),
)
