"""Settings that only an instance has, in a task definition for Fargate."""

from collections.abc import Iterator

from inferfleet.deploy.lint import ecs
from inferfleet.deploy.lint.document import Artifact
from inferfleet.deploy.lint.rule import Example, Match, Rule, Severity, Workspace

_STOP_LIMIT = 120


def check(world: Workspace) -> Iterator[Match]:
    """Finds privileged containers, host folders, placement constraints and long stop timeouts."""
    for task in ecs.tasks(world):
        if ecs.on_fargate(task, world) and not ecs.on_ec2(task):
            yield from _in_task(task)
    for service in ecs.services(world):
        if ecs.service_on_fargate(service):
            for key in ("placementConstraints", "placementStrategy"):
                if list(service.node[key]):
                    yield Match(service.node[key].place, f"service {ecs.name_of(service)}: Fargate has no {key}")
            if service.node["schedulingStrategy"].text == "DAEMON":
                place = service.node["schedulingStrategy"].place
                yield Match(place, f"service {ecs.name_of(service)}: Fargate has no DAEMON scheduling")


def _in_task(task: Artifact) -> Iterator[Match]:
    name = ecs.name_of(task)
    if list(task.node["placementConstraints"]):
        yield Match(
            task.node["placementConstraints"].place, f"task definition {name}: Fargate has no placementConstraints"
        )
    for volume in task.node["volumes"]:
        if volume["host"]["sourcePath"]:
            yield Match(volume["host"].place, f"task definition {name}: Fargate has no host folder to mount")
    for container in ecs.containers(task):
        inside = f"container {container['name'].text}"
        if container["privileged"].is_true:
            yield Match(container["privileged"].place, f"{inside} is privileged, which Fargate does not allow")
        if (container["stopTimeout"].number or 0) > _STOP_LIMIT:
            yield Match(container["stopTimeout"].place, f"{inside}: stopTimeout is at most {_STOP_LIMIT} s on Fargate")
        if list(container["linuxParameters"]["devices"]):
            yield Match(container["linuxParameters"]["devices"].place, f"{inside}: Fargate has no devices to pass")


RULE = Rule(
    severity=Severity.ERROR,
    title="Not available on Fargate",
    why="Fargate shows no host: privileged containers, host folders, devices, placement and DAEMON scheduling are "
    "refused, and a stop timeout is at most 120 s.",
    fix="Drop the setting, or run the service on instances.",
    source="https://docs.aws.amazon.com/AmazonECS/latest/developerguide/fargate-tasks-services.html",
    check=check,
    example=Example(
        file="task-definition.json",
        bad="""
{"family": "api", "networkMode": "awsvpc", "requiresCompatibilities": ["FARGATE"], "cpu": "1024", "memory": "2048",
 "containerDefinitions": [{"name": "api", "image": "api:1.4.0", "privileged": true, "stopTimeout": 300}]}
""",
        good="""
{"family": "api", "networkMode": "awsvpc", "requiresCompatibilities": ["FARGATE"], "cpu": "1024", "memory": "2048",
 "containerDefinitions": [{"name": "api", "image": "api:1.4.0", "stopTimeout": 120}]}
""",
    ),
)
