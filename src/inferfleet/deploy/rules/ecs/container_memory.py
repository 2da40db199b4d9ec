"""Containers that want more memory than their task has, or say nothing of memory."""

from collections.abc import Iterator

from inferfleet.deploy.lint import ecs
from inferfleet.deploy.lint.rule import Example, Match, Rule, Severity, Workspace


def check(world: Workspace) -> Iterator[Match]:
    """Finds sums above the task's memory, and containers with no memory at all."""
    for task in ecs.tasks(world):
        limit = ecs.memory_mib(task.node["memory"])
        containers = ecs.containers(task)
        if not task.node["memory"] and not task.excerpted and not ecs.on_fargate(task, world):
            for container in containers:
                if not container["memory"] and not container["memoryReservation"]:
                    message = (
                        f"container {container['name'].text} has neither memory nor memoryReservation, nor has its task"
                    )
                    yield Match(container.place, message)
        reserved = [ecs.memory_mib(c["memoryReservation"]) or ecs.memory_mib(c["memory"]) or 0 for c in containers]
        if limit and sum(reserved) > limit:
            yield Match(
                task.node["memory"].place,
                f"the containers of {ecs.name_of(task)} want {sum(reserved)} MiB and the task has {limit}",
            )
        for container in containers:
            hard, soft = ecs.memory_mib(container["memory"]), ecs.memory_mib(container["memoryReservation"])
            if hard and soft and soft > hard:
                message = f"container {container['name'].text} reserves {soft} MiB and may use {hard}"
                yield Match(container["memoryReservation"].place, message)


RULE = Rule(
    severity=Severity.ERROR,
    title="Container memory that ECS refuses",
    why="On EC2 the task or each container needs a memory size, all reservations together must fit into the task, and "
    "a "
    "reservation may not exceed the container's limit. RegisterTaskDefinition refuses everything else.",
    fix="Give the task a memory size that holds its containers.",
    source="https://docs.aws.amazon.com/AmazonECS/latest/APIReference/API_ContainerDefinition.html",
    check=check,
    example=Example(
        file="task-definition.json",
        bad='{"family": "api", "memory": "2048", "containerDefinitions": [{"name": "api", "image": "api:1.4.0", '
        '"memory": 1536}, {"name": "metrics", "image": "metrics:2.0.1", "memory": 1024}]}',
        good='{"family": "api", "memory": "3072", "containerDefinitions": [{"name": "api", "image": "api:1.4.0", '
        '"memory": 1536}, {"name": "metrics", "image": "metrics:2.0.1", "memory": 1024}]}',
    ),
)
