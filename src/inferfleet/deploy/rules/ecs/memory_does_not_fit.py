"""A task that asks for more than its instances register."""

from collections.abc import Iterator

from inferfleet.deploy import instances
from inferfleet.deploy.lint import ecs
from inferfleet.deploy.lint.document import Artifact
from inferfleet.deploy.lint.node import Node
from inferfleet.deploy.lint.rule import Example, Match, Rule, Severity, Workspace


def check(world: Workspace) -> Iterator[Match]:
    """Finds tasks that no instance type they may run on can hold, or only a larger one than the smallest."""
    for task in ecs.tasks(world):
        if ecs.on_fargate(task, world):
            continue
        types = [item for pattern, _ in ecs.instance_types(task, world) for item in instances.table().matching(pattern)]
        if types:
            yield from _too_large(task, min(types, key=lambda item: item.memory_mib))


def _too_large(task: Artifact, smallest: instances.InstanceType) -> Iterator[Match]:
    name, memory, cpu = ecs.name_of(task), task.node["memory"], task.node["cpu"]
    asked = ecs.memory_mib(memory) if memory else _containers_memory(task)
    place: Node = memory or task.node["containerDefinitions"]
    if asked and asked > smallest.registered_mib:
        yield Match(
            place.place,
            f"task definition {name} asks for {asked} MiB; {smallest.name} has {smallest.memory_mib} MiB and registers "
            f"less, so the task is never placed there. {smallest.usable_mib} MiB fits",
        )
    units = ecs.cpu_units(cpu)
    if units and units > smallest.cpu_units:
        message = f"task definition {name} asks for {units} CPU units; {smallest.name} has {smallest.cpu_units}"
        yield Match(cpu.place, message)


def _containers_memory(task: Artifact) -> int:
    sizes = [ecs.memory_mib(c["memoryReservation"]) or ecs.memory_mib(c["memory"]) or 0 for c in ecs.containers(task)]
    return sum(sizes)


RULE = Rule(
    severity=Severity.WARNING,
    title="The task needs more than the instance registers",
    why="The ECS agent registers what the operating system reports, which is always less than the advertised memory. "
    "A task that asks for all of it stays PENDING for ever with RESOURCE:MEMORY.",
    fix="Ask for what fits, or give the container a memoryReservation and no task memory. `inferfleet` writes "
    "`memory: max` as the size that fits.",
    source="https://docs.aws.amazon.com/AmazonECS/latest/developerguide/memory-management.html",
    check=check,
    example=Example(
        file="task-definition.json",
        bad="""
{
  "family": "detector", "networkMode": "awsvpc", "requiresCompatibilities": ["EC2"], "cpu": "4096", "memory": "16384",
  "placementConstraints": [{"type": "memberOf", "expression": "attribute:ecs.instance-type == g4dn.xlarge"}],
  "containerDefinitions": [{"name": "detector", "image": "detector:1.4.0"}]
}
""",
        good="""
{
  "family": "detector", "networkMode": "awsvpc", "requiresCompatibilities": ["EC2"], "cpu": "4096", "memory": "14976",
  "placementConstraints": [{"type": "memberOf", "expression": "attribute:ecs.instance-type == g4dn.xlarge"}],
  "containerDefinitions": [{"name": "detector", "image": "detector:1.4.0"}]
}
""",
    ),
)
