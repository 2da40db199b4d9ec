"""A CPU and memory size that Fargate does not have."""

from collections.abc import Iterator

from inferfleet.deploy import instances
from inferfleet.deploy.lint import ecs
from inferfleet.deploy.lint.rule import Example, Match, Rule, Severity, Workspace


def check(world: Workspace) -> Iterator[Match]:
    """Finds sizes outside of Fargate's table."""
    sizes = instances.table().fargate
    for task in ecs.tasks(world):
        if not ecs.on_fargate(task, world):
            continue
        cpu, memory = ecs.cpu_units(task.node["cpu"]), ecs.memory_mib(task.node["memory"])
        name = ecs.name_of(task)
        if not task.excerpted and not (task.node["cpu"] and task.node["memory"]):
            yield Match(task.place, f"task definition {name} is for Fargate and gives no cpu or no memory for the task")
        elif cpu is not None and cpu not in sizes:
            known = ", ".join(map(str, sizes))
            yield Match(
                task.node["cpu"].place, f"task definition {name}: Fargate has no size with {cpu} CPU units; {known}"
            )
        elif cpu is not None and memory is not None and memory not in sizes[cpu]:
            nearest = min(sizes[cpu], key=lambda size: (size < memory, abs(size - memory)))
            yield Match(
                task.node["memory"].place,
                f"task definition {name}: Fargate has no size with {cpu} CPU units and {memory} MiB; the nearest is "
                f"{nearest} MiB ({sizes[cpu][0]} to {sizes[cpu][-1]})",
            )


RULE = Rule(
    severity=Severity.ERROR,
    title="No such Fargate size",
    why="RegisterTaskDefinition accepts only the combinations of CPU and memory in Fargate's table.",
    fix="Take a size from the table: 1024 CPU units go with 2048 to 8192 MiB in steps of 1024, for example.",
    source="https://docs.aws.amazon.com/AmazonECS/latest/developerguide/fargate-tasks-services.html",
    check=check,
    example=Example(
        file="task-definition.json",
        bad="""
{"family": "api", "networkMode": "awsvpc", "requiresCompatibilities": ["FARGATE"], "cpu": "1024", "memory": "1024",
 "containerDefinitions": [{"name": "api", "image": "api:1.4.0"}]}
""",
        good="""
{"family": "api", "networkMode": "awsvpc", "requiresCompatibilities": ["FARGATE"], "cpu": "1024", "memory": "2048",
 "containerDefinitions": [{"name": "api", "image": "api:1.4.0"}]}
""",
    ),
)
