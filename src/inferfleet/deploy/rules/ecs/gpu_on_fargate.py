"""A GPU asked for on Fargate."""

from collections.abc import Iterator

from inferfleet.deploy.lint import ecs
from inferfleet.deploy.lint.rule import Example, Match, Rule, Severity, Workspace


def check(world: Workspace) -> Iterator[Match]:
    """Finds GPU requirements in task definitions for Fargate."""
    for task in ecs.tasks(world):
        requirement = ecs.gpu_requirement(task)
        if requirement is not None and ecs.on_fargate(task, world):
            message = f"task definition {ecs.name_of(task)} asks for a GPU, and Fargate has none"
            yield Match(requirement.place, message)


RULE = Rule(
    severity=Severity.ERROR,
    title="Fargate has no GPUs",
    why="RegisterTaskDefinition refuses a `GPU` resource requirement in a task definition for Fargate.",
    fix="Run the task on EC2 GPU instances or ECS Managed Instances, or drop the GPU and run it on the CPU.",
    source="https://docs.aws.amazon.com/AmazonECS/latest/developerguide/fargate-tasks-services.html",
    check=check,
    example=Example(
        file="task-definition.json",
        bad="""
{
  "family": "detector", "networkMode": "awsvpc", "requiresCompatibilities": ["FARGATE"],
  "cpu": "4096", "memory": "30720",
  "containerDefinitions": [{
    "name": "detector", "image": "111122223333.dkr.ecr.us-east-1.amazonaws.com/detector:1.4.0",
    "resourceRequirements": [{"type": "GPU", "value": "1"}]
  }]
}
""",
        good="""
{
  "family": "detector", "networkMode": "awsvpc", "requiresCompatibilities": ["EC2"],
  "cpu": "4096", "memory": "14336",
  "containerDefinitions": [{
    "name": "detector", "image": "111122223333.dkr.ecr.us-east-1.amazonaws.com/detector:1.4.0",
    "resourceRequirements": [{"type": "GPU", "value": "1"}]
  }]
}
""",
    ),
)
