"""A fleet as Kubernetes manifests, one file a kind, with a kustomization.yaml and what to do with them beside them."""

from __future__ import annotations

from pathlib import Path

from inferfleet.deploy.render.kubernetes import readme, scaling, traffic, workload
from inferfleet.deploy.render.kubernetes.manifest import Manifest, text
from inferfleet.deploy.resolve import ResolvedFleet, ResolvedService
from inferfleet.errors import InputError


def files(fleet: ResolvedFleet, folder: Path | None) -> dict[str, str]:
    """Renders every service of a fleet, whatever its target, each in a folder when there are several.

    Raises:
        InputError: The fleet has no service, a configuration cannot be read, or scaling has no counterpart.
    """
    if not fleet.services:
        raise InputError(f"fleet {fleet.file.name} has no services to run on Kubernetes; add one under `services`")
    rendered: dict[str, str] = {}
    for service in fleet.services:
        prefix = "" if len(fleet.services) == 1 else f"{service.key}/"
        found = manifests(fleet, service, folder)
        for name, manifest in found.items():
            rendered[f"{prefix}{name}.yaml"] = text(manifest)
        names = [f"{name}.yaml" for name in found]
        rendered[f"{prefix}kustomization.yaml"] = text(_kustomization(names, namespace=fleet.file.name))
    if len(fleet.services) > 1:
        rendered["kustomization.yaml"] = text(_kustomization([service.key for service in fleet.services]))
    rendered["README.md"] = readme.text(fleet)
    return rendered


def manifests(fleet: ResolvedFleet, service: ResolvedService, folder: Path | None) -> dict[str, Manifest]:
    """Returns the manifests of one service by the names of their files, in the order in which to apply them.

    Args:
        fleet: The fleet.
        service: The service.
        folder: Where its `config` is; without it there is no ConfigMap.

    Raises:
        InputError: Its configuration cannot be read, or its scaling has no counterpart.
    """
    spec = service.spec
    found: dict[str, Manifest] = {"serviceaccount": workload.service_account(service)}
    if spec.config is not None and folder is not None:
        found["configmap"] = workload.config_map(service, folder / spec.config)
    found["deployment"] = workload.deployment(fleet, service, has_config="configmap" in found)
    found["service"] = traffic.service(service)
    if spec.load_balancer is not None:
        found["ingress"] = traffic.ingress(service, spec.load_balancer)
    if spec.scaling is not None:
        found |= scaling.manifests(fleet, service, spec.scaling)
    if service.count > 1:
        found["pdb"] = workload.disruption_budget(service)
    found["networkpolicy"] = traffic.network_policy(service)
    return found


def _kustomization(resources: list[str], **more: str) -> Manifest:
    return {"apiVersion": "kustomize.config.k8s.io/v1beta1", "kind": "Kustomization", **more, "resources": resources}
