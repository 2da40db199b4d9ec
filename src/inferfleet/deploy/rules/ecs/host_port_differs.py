"""An awsvpc container with a host port of its own."""

from collections.abc import Iterator

from inferfleet.deploy.lint import ecs
from inferfleet.deploy.lint.rule import Example, Match, Rule, Severity, Workspace


def check(world: Workspace) -> Iterator[Match]:
    """Finds host ports that differ from the container's where both must be one."""
    for task in ecs.tasks(world):
        if task.node["networkMode"].text not in ("awsvpc", "host"):
            continue
        for container in ecs.containers(task):
            for mapping in container["portMappings"]:
                host, inside = mapping["hostPort"], mapping["containerPort"]
                if host.number and inside.number and host.number != inside.number:
                    yield Match(
                        host.place,
                        f"container {container['name'].text} maps host port {host.text} to {inside.text}; with "
                        f"{task.node['networkMode'].text} both must be the same",
                    )


RULE = Rule(
    severity=Severity.ERROR,
    title="Host port and container port differ",
    why="With awsvpc and host networking there is no mapping: RegisterTaskDefinition refuses a hostPort that differs.",
    fix="Leave hostPort out.",
    source="https://docs.aws.amazon.com/AmazonECS/latest/APIReference/API_PortMapping.html",
    check=check,
    example=Example(
        file="task-definition.json",
        bad='{"family": "api", "networkMode": "awsvpc", "memory": "2048", "containerDefinitions": [{"name": "api", '
        '"image": "api:1.4.0", "portMappings": [{"containerPort": 8080, "hostPort": 80}]}]}',
        good='{"family": "api", "networkMode": "awsvpc", "memory": "2048", "containerDefinitions": [{"name": "api", '
        '"image": "api:1.4.0", "portMappings": [{"containerPort": 8080}]}]}',
    ),
)
