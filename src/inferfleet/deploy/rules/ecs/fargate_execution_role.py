"""A Fargate task that needs an execution role and has none."""

import re
from collections.abc import Iterator

from inferfleet.deploy.lint import ecs
from inferfleet.deploy.lint.rule import Example, Match, Rule, Severity, Workspace

_ECR = re.compile(r"\.dkr\.ecr\.|^\$\{\w*(ECR|REPO)\w*\}")


def check(world: Workspace) -> Iterator[Match]:
    """Finds Fargate tasks with private images, awslogs or secrets, and no execution role."""
    for task in ecs.tasks(world):
        if task.node["executionRoleArn"] or task.excerpted or not ecs.on_fargate(task, world):
            continue
        for container in ecs.containers(task):
            needs = [
                what
                for what, needed in (
                    ("pull from ECR", _ECR.search(container["image"].text)),
                    ("write logs", container["logConfiguration"]["logDriver"].text == "awslogs"),
                    ("read secrets", container["secrets"]),
                )
                if needed
            ]
            if needs:
                message = f"task definition {ecs.name_of(task)} has no executionRoleArn to {' and '.join(needs)} with"
                yield Match(task.place, message)
                break


RULE = Rule(
    severity=Severity.ERROR,
    title="Fargate without an execution role",
    why="On Fargate there is no instance role to fall back on: pulling from ECR, awslogs and secrets all need the "
    "execution role, and RegisterTaskDefinition refuses the task definition without it.",
    fix="Set executionRoleArn to a role with AmazonECSTaskExecutionRolePolicy, or less.",
    source="https://docs.aws.amazon.com/AmazonECS/latest/developerguide/task_execution_IAM_role.html",
    check=check,
    example=Example(
        file="task-definition.json",
        bad="""
{"family": "api", "networkMode": "awsvpc", "requiresCompatibilities": ["FARGATE"], "cpu": "1024", "memory": "2048",
 "containerDefinitions": [{"name": "api", "image": "111122223333.dkr.ecr.us-east-1.amazonaws.com/api:1.4.0"}]}
""",
        good="""
{"family": "api", "networkMode": "awsvpc", "requiresCompatibilities": ["FARGATE"], "cpu": "1024", "memory": "2048",
 "executionRoleArn": "arn:aws:iam::111122223333:role/execution",
 "containerDefinitions": [{"name": "api", "image": "111122223333.dkr.ecr.us-east-1.amazonaws.com/api:1.4.0"}]}
""",
    ),
)
