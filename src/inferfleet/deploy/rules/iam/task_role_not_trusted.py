"""A role for tasks that tasks may not take."""

from collections.abc import Iterator

from inferfleet.deploy.lint import kinds
from inferfleet.deploy.lint.node import Node
from inferfleet.deploy.lint.rule import Example, Match, Rule, Severity, Workspace
from inferfleet.deploy.lint.workspace import statements_of


def check(world: Workspace) -> Iterator[Match]:
    """Finds roles named by task definitions whose trust policy leaves ECS tasks out."""
    wanted = {
        world.role_of(task, key)
        for task in world.of(kinds.TASK_DEFINITION)
        for key in ("taskRoleArn", "executionRoleArn")
    } - {""}
    for document in world.documents:
        for call in document.script.call(kinds.ROLE):
            role, source = call.params["RoleName"].text, call.params["AssumeRolePolicyDocument"].text
            for policy in document.artifacts:
                is_its_own = policy.kind == kinds.TRUST_POLICY and bool(policy.name) and policy.name in source
                if is_its_own and role in wanted:
                    yield from _without_tasks(policy.node, role)
    for policy in world.of(kinds.TRUST_POLICY):
        if policy.name in wanted:
            yield from _without_tasks(policy.node, policy.name)


def _without_tasks(policy: Node, role: str) -> Iterator[Match]:
    services = [service for statement in statements_of(policy) for service in statement["Principal"]["Service"].texts()]
    if services and "ecs-tasks.amazonaws.com" not in services:
        message = f"role {role} trusts {', '.join(services)}; tasks take it as ecs-tasks.amazonaws.com"
        yield Match(policy["Statement"].place, message)


RULE = Rule(
    severity=Severity.WARNING,
    title="Tasks may not take the role",
    why="A task assumes its task and execution roles as the service ecs-tasks.amazonaws.com. With another principal "
    "the "
    "task stops: ECS was unable to assume the role.",
    fix='Set the principal to {"Service": "ecs-tasks.amazonaws.com"}.',
    source="https://docs.aws.amazon.com/AmazonECS/latest/developerguide/task-iam-roles.html",
    check=check,
    example=Example(
        file="roles.sh",
        bad="""
aws iam create-role --role-name api-task --assume-role-policy-document '{"Version": "2012-10-17", "Statement": [
  {"Effect": "Allow", "Principal": {"Service": "ecs.amazonaws.com"}, "Action": "sts:AssumeRole"}]}'
""",
        good="""
aws iam create-role --role-name api-task --assume-role-policy-document '{"Version": "2012-10-17", "Statement": [
  {"Effect": "Allow", "Principal": {"Service": "ecs-tasks.amazonaws.com"}, "Action": "sts:AssumeRole"}]}'
""",
        beside={
            "task-definition.json": '{"family": "api", "memory": "2048", "taskRoleArn": '
            '"arn:aws:iam::111122223333:role/api-task", "containerDefinitions": [{"name": "api", "image": '
            '"api:1.4.0"}]}'
        },
    ),
)
