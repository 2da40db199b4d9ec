"""A log group to be created by a role that may not."""

from collections.abc import Iterator

from inferfleet.deploy.lint import ecs
from inferfleet.deploy.lint.rule import Example, Match, Rule, Severity, Workspace


def check(world: Workspace) -> Iterator[Match]:
    """Finds awslogs-create-group where the execution role is known and lacks logs:CreateLogGroup."""
    for task in ecs.tasks(world):
        grants = world.grants(world.role_of(task, "executionRoleArn"), task.document)
        if not grants.known or grants.allows("logs:CreateLogGroup"):
            continue
        for container in ecs.containers(task):
            switch = container["logConfiguration"]["options"]["awslogs-create-group"]
            if switch.is_true and not any("CloudWatchLogsFull" in name or "Admin" in name for name in grants.managed):
                role = world.role_of(task, "executionRoleArn")
                attached = f" (it has {', '.join(grants.managed)})" if grants.managed else ""
                yield Match(
                    switch.place,
                    f"awslogs-create-group needs logs:CreateLogGroup, which execution role {role} lacks{attached}: "
                    "tasks "
                    "stop with ResourceInitializationError",
                )


RULE = Rule(
    severity=Severity.WARNING,
    title="The execution role may not create the log group",
    why="awslogs-create-group makes the agent call logs:CreateLogGroup. AmazonECSTaskExecutionRolePolicy allows "
    "CreateLogStream and PutLogEvents only, so the task stops before its container starts.",
    fix="Create the log group yourself, with a retention, or allow logs:CreateLogGroup on it in the execution role.",
    source="https://docs.aws.amazon.com/AmazonECS/latest/developerguide/specify-log-config.html",
    check=check,
    example=Example(
        file="task-definition.json",
        bad="""
{"family": "api", "memory": "2048", "executionRoleArn": "arn:aws:iam::111122223333:role/execution",
 "containerDefinitions": [{"name": "api", "image": "api:1.4.0", 
 "logConfiguration": {"logDriver": "awslogs", "options": {
   "awslogs-group": "/ecs/api", "awslogs-region": "us-east-1", "awslogs-stream-prefix": "ecs",
   "awslogs-create-group": "true"}}}]}
""",
        good="""
{"family": "api", "memory": "2048", "executionRoleArn": "arn:aws:iam::111122223333:role/execution",
 "containerDefinitions": [{"name": "api", "image": "api:1.4.0", 
 "logConfiguration": {"logDriver": "awslogs", "options": {
   "awslogs-group": "/ecs/api", "awslogs-region": "us-east-1", "awslogs-stream-prefix": "ecs"}}}]}
""",
        beside={
            "roles.sh": "aws iam attach-role-policy --role-name execution "
            "--policy-arn arn:aws:iam::aws:policy/service-role/AmazonECSTaskExecutionRolePolicy\n"
        },
    ),
)
