"""ECS Exec switched on for a task role that may not open its channels."""

from collections.abc import Iterator

from inferfleet.deploy.lint import ecs
from inferfleet.deploy.lint.rule import Example, Match, Rule, Severity, Workspace

_NEEDED = ("CreateControlChannel", "CreateDataChannel", "OpenControlChannel", "OpenDataChannel")


def check(world: Workspace) -> Iterator[Match]:
    """Finds services with ECS Exec whose task role lacks ssmmessages."""
    for service in ecs.services(world):
        switch = service.node["enableExecuteCommand"]
        task = world.task_of(service) if switch.is_true else None
        if task is None:
            continue
        role = world.role_of(task, "taskRoleArn")
        if not role and not task.excerpted:
            yield Match(
                switch.place, f"service {ecs.name_of(service)} has ECS Exec on, and its tasks have no task role"
            )
            continue
        grants = world.grants(role, task.document)
        missing = [action for action in _NEEDED if not grants.allows(f"ssmmessages:{action}")]
        if grants.known and missing and "AmazonSSMManagedInstanceCore" not in grants.managed:
            yield Match(
                switch.place,
                f"service {ecs.name_of(service)} has ECS Exec on, but task role {role} may not ssmmessages:"
                f"{{{','.join(missing)}}}: execute-command ends with TargetNotConnectedException",
            )


RULE = Rule(
    severity=Severity.WARNING,
    title="ECS Exec without the permissions that it needs",
    why="The agent in the task opens a channel to Systems Manager with the task role. Without the four ssmmessages "
    "actions it never connects.",
    fix='Add to the task role: {"Effect": "Allow", "Action": ["ssmmessages:CreateControlChannel", '
    '"ssmmessages:CreateDataChannel", "ssmmessages:OpenControlChannel", "ssmmessages:OpenDataChannel"], "Resource": '
    '"*"}.',
    source="https://docs.aws.amazon.com/AmazonECS/latest/developerguide/ecs-exec.html",
    check=check,
    example=Example(
        file="roles.sh",
        bad="""
aws iam put-role-policy --role-name api-task --policy-name app --policy-document '{
  "Version": "2012-10-17",
  "Statement": [{"Effect": "Allow", "Action": "s3:GetObject", "Resource": "arn:aws:s3:::models/*"}]
}'
""",
        good="""
aws iam put-role-policy --role-name api-task --policy-name app --policy-document '{
  "Version": "2012-10-17",
  "Statement": [
    {"Effect": "Allow", "Action": "s3:GetObject", "Resource": "arn:aws:s3:::models/*"},
    {"Effect": "Allow", "Resource": "*", "Action": [
      "ssmmessages:CreateControlChannel", "ssmmessages:CreateDataChannel",
      "ssmmessages:OpenControlChannel", "ssmmessages:OpenDataChannel"]}
  ]
}'
""",
        beside={
            "service.json": '{"serviceName": "api", "taskDefinition": "api", "desiredCount": 2, '
            '"enableExecuteCommand": true}',
            "task-definition.json": '{"family": "api", "memory": "2048", "taskRoleArn": '
            '"arn:aws:iam::111122223333:role/api-task", "containerDefinitions": [{"name": "api", "image": '
            '"api:1.4.0"}]}',
        },
    ),
)
