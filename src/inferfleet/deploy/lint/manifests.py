"""What rules ask of Kubernetes manifests."""

from __future__ import annotations

from collections.abc import Iterator

from inferfleet.deploy.lint import kinds
from inferfleet.deploy.lint.document import Artifact
from inferfleet.deploy.lint.node import Node
from inferfleet.deploy.lint.workspace import Workspace

_WORKLOADS = frozenset({"Deployment", "StatefulSet", "DaemonSet", "Job", "ReplicaSet"})
GPU = "nvidia.com/gpu"


def of_kind(world: Workspace, *names: str) -> list[Artifact]:
    """Returns the manifests of some kinds."""
    return [item for item in world.of(kinds.MANIFEST) if item.node["kind"].text in names]


def workloads(world: Workspace) -> list[Artifact]:
    """Returns whatever has a pod template."""
    return of_kind(world, *_WORKLOADS)


def name(artifact: Artifact) -> str:
    """Returns a manifest's name."""
    return artifact.node["metadata"]["name"].text


def pod(artifact: Artifact) -> Node:
    """Returns the pod specification of a workload."""
    return artifact.node["spec"]["template"]["spec"]


def containers(artifact: Artifact) -> list[Node]:
    """Returns the containers of a workload."""
    return [item for item in pod(artifact)["containers"] if item.is_mapping]


def labels(node: Node) -> dict[str, str]:
    """Returns labels or a selector as plain text."""
    return {key: value.text for key, value in node.items()}


def probes(container: Node) -> Iterator[tuple[str, Node]]:
    """Yields the probes of a container by name."""
    for key in ("livenessProbe", "readinessProbe", "startupProbe"):
        if container[key]:
            yield key, container[key]
