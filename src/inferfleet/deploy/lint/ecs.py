"""What rules ask of task definitions and services, whichever file they came from."""

from __future__ import annotations

import re

from inferfleet.deploy.lint import kinds
from inferfleet.deploy.lint.document import Artifact
from inferfleet.deploy.lint.node import Node
from inferfleet.deploy.lint.workspace import Workspace, last_name

_SIZE = re.compile(r"^\s*(\d+(?:\.\d+)?)\s*(vcpu|gb)?\s*$", re.IGNORECASE)


def tasks(world: Workspace) -> list[Artifact]:
    """Returns the task definitions; a call that takes its definition from a file is not one."""
    return [task for task in world.of(kinds.TASK_DEFINITION) if task.node["containerDefinitions"]]


def services(world: Workspace) -> list[Artifact]:
    """Returns the services; a call that takes its definition from a file is not one."""
    return [service for service in world.of(kinds.SERVICE) if service.node.is_mapping and list(service.node.items())]


def containers(task: Artifact) -> list[Node]:
    """Returns the containers of a task definition."""
    return [container for container in task.node["containerDefinitions"] if container.is_mapping]


def gpus(container: Node) -> float:
    """How many GPUs a container asks for."""
    return sum(
        requirement["value"].number or (1 if requirement["value"].text == "ALL" else 0)
        for requirement in container["resourceRequirements"]
        if requirement["type"].text == "GPU"
    )


def gpu_requirement(task: Artifact) -> Node | None:
    """Returns the first GPU requirement of a task definition."""
    for container in containers(task):
        for requirement in container["resourceRequirements"]:
            if requirement["type"].text == "GPU":
                return requirement
    return None


def on_fargate(task: Artifact, world: Workspace) -> bool:
    """Whether a task definition is meant for Fargate: it says so itself, or its services do."""
    compatibilities = task.node["requiresCompatibilities"].texts()
    if compatibilities:
        return "FARGATE" in compatibilities
    return any(service_on_fargate(service) for service in world.services_of(task))


def service_on_fargate(service: Artifact) -> bool:
    """Whether a service runs on Fargate."""
    providers = [item["capacityProvider"].text for item in service.node["capacityProviderStrategy"]]
    return service.node["launchType"].text == "FARGATE" or any(name.startswith("FARGATE") for name in providers)


def on_ec2(task: Artifact) -> bool:
    """Whether a task definition says that it is for EC2."""
    return "EC2" in task.node["requiresCompatibilities"].texts()


def cpu_units(node: Node) -> int | None:
    """Reads `"1024"` or `"1 vCPU"` as CPU units."""
    return _scaled(node, "vcpu")


def memory_mib(node: Node) -> int | None:
    """Reads `"2048"` or `"2 GB"` as MiB."""
    return _scaled(node, "gb")


def _scaled(node: Node, unit: str) -> int | None:
    matched = _SIZE.match(node.text)
    if not matched:
        return None
    named = (matched[2] or "").lower()
    return int(float(matched[1]) * 1024) if named == unit else int(float(matched[1]))


def name_of(artifact: Artifact) -> str:
    """Returns the name by which a user knows a task definition or service."""
    node = artifact.node
    return node["family"].text or node["serviceName"].text or artifact.name or "this one"


def percentages(service: Artifact) -> tuple[float, float]:
    """Returns minimum healthy and maximum percent; ECS's defaults for a replica service where they are left out."""
    configuration = service.node["deploymentConfiguration"]
    low, high = configuration["minimumHealthyPercent"].number, configuration["maximumPercent"].number
    return (100.0 if low is None else low), (200.0 if high is None else high)


def instance_types(task: Artifact, world: Workspace) -> list[tuple[str, Node]]:
    """Returns the instance types that a task can run on, with the nodes that say so.

    From its placement constraints, and from the launch templates in the same file, or in the whole workspace when
    there is only one.
    """
    named = []
    for constraint in task.node["placementConstraints"]:
        matched = re.search(r"instance-type\s*(?:=~|==|in)\s*\[?([\w.*, ]+)", constraint["expression"].text)
        named += [(name.strip(), constraint) for name in matched[1].split(",")] if matched else []
    if named:
        return named
    templates = [item for item in world.of(kinds.LAUNCH_TEMPLATE_DATA) if item.node["InstanceType"].known]
    near = [item for item in templates if item.document is task.document] or (templates if len(templates) == 1 else [])
    return [(item.node["InstanceType"].text, item.node["InstanceType"]) for item in near]


def image_repository(image: str) -> str:
    """Returns an image's name without registry, tag and digest."""
    return last_name(image.split("@", maxsplit=1)[0]).split(":")[0]


def image_tag(image: str) -> str:
    """Returns an image's tag; empty when it has a digest or its tag is not known yet."""
    if "@" in image or re.search(r"\$\{[^}]*\}$", image):
        return "?"
    name = image.rsplit("/", 1)[-1]
    name = re.sub(r"\$\{[^}]*\}", "x", name)
    return name.split(":", 1)[1] if ":" in name else ""
