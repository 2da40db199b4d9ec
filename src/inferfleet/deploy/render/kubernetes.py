"""A fleet as Kubernetes manifests, one file a kind, with a kustomization.yaml beside them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import yaml

from inferfleet.config.fleet_service import SharedGpu
from inferfleet.deploy.resolve import CONFIG_FOLDER, ResolvedFleet, ResolvedService
from inferfleet.errors import InputError

Manifest = dict[str, Any]

_GPU = "nvidia.com/gpu"
_UNITS = 1024
_USER = 10001
_SPARE_SECONDS = 15
_METADATA_SERVICE = "169.254.169.254/32"


def files(fleet: ResolvedFleet, folder: Path | None) -> dict[str, str]:
    """Renders every service of a fleet, whatever its target, each in a folder when there are several.

    Raises:
        InputError: The fleet has no service, or a configuration cannot be read.
    """
    if not fleet.services:
        raise InputError(f"fleet {fleet.file.name} has no services to run on Kubernetes; add one under `services`")
    rendered: dict[str, str] = {}
    for service in fleet.services:
        prefix = "" if len(fleet.services) == 1 else f"{service.key}/"
        manifests = _manifests(fleet, service, folder)
        for name, manifest in manifests.items():
            rendered[f"{prefix}{name}.yaml"] = _text(manifest)
        rendered[f"{prefix}kustomization.yaml"] = _text(_kustomization(fleet, [f"{name}.yaml" for name in manifests]))
    if len(fleet.services) > 1:
        rendered["kustomization.yaml"] = _text(
            {
                "apiVersion": "kustomize.config.k8s.io/v1beta1",
                "kind": "Kustomization",
                "resources": [service.key for service in fleet.services],
            }
        )
    return rendered


def _manifests(fleet: ResolvedFleet, service: ResolvedService, folder: Path | None) -> dict[str, Manifest]:
    manifests: dict[str, Manifest] = {"serviceaccount": _service_account(service)}
    if service.spec.config is not None and folder is not None:
        manifests["configmap"] = _config_map(service, folder / service.spec.config)
    manifests["deployment"] = _deployment(fleet, service, has_config="configmap" in manifests)
    manifests["service"] = _service(service)
    if service.spec.scaling is not None and service.spec.scaling.cpu is not None:
        manifests["hpa"] = _autoscaler(service)
    if service.count > 1:
        manifests["pdb"] = _disruption_budget(service)
    manifests["networkpolicy"] = _network_policy(service)
    return manifests


def _meta(service: ResolvedService, **more: Any) -> Manifest:
    return {"name": service.key, "labels": _labels(service), **more}


def _labels(service: ResolvedService) -> dict[str, str]:
    return {"app.kubernetes.io/name": service.key, "app.kubernetes.io/managed-by": "inferfleet"}


def _selector(service: ResolvedService) -> dict[str, str]:
    return {"app.kubernetes.io/name": service.key}


def _service_account(service: ResolvedService) -> Manifest:
    """An account for EKS Pod Identity: the association names it, so it needs no annotation and no key."""
    return {
        "apiVersion": "v1",
        "kind": "ServiceAccount",
        "metadata": _meta(service),
        "automountServiceAccountToken": False,
    }


def _config_map(service: ResolvedService, path: Path) -> Manifest:
    try:
        text = path.read_text()
    except OSError as error:
        raise InputError(f"{path}: services.{service.key}.config cannot be read: {error.strerror}") from error
    return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": _meta(service), "data": {path.name: text}}


def _deployment(fleet: ResolvedFleet, service: ResolvedService, *, has_config: bool) -> Manifest:
    spec: Manifest = {
        "selector": {"matchLabels": _selector(service)},
        "strategy": _strategy(service),
        "template": {
            "metadata": {"labels": {**_labels(service), **_labels_of(fleet)}},
            "spec": _pod(service, has_config=has_config),
        },
    }
    if service.spec.scaling is None or service.spec.scaling.cpu is None:
        # The autoscaler owns the number where there is one.
        spec["replicas"] = service.count
    return {"apiVersion": "apps/v1", "kind": "Deployment", "metadata": _meta(service), "spec": spec}


def _labels_of(fleet: ResolvedFleet) -> dict[str, str]:
    return {"app.kubernetes.io/part-of": fleet.file.name}


def _strategy(service: ResolvedService) -> Manifest:
    if service.strategy == "recreate":
        return {"type": "Recreate"}
    return {"type": "RollingUpdate", "rollingUpdate": {"maxUnavailable": 0, "maxSurge": 1}}


def _pod(service: ResolvedService, *, has_config: bool) -> Manifest:
    pod: Manifest = {
        "serviceAccountName": service.key,
        "automountServiceAccountToken": False,
        "terminationGracePeriodSeconds": service.spec.stop_seconds + _SPARE_SECONDS,
        "securityContext": {
            "runAsNonRoot": True,
            "runAsUser": _USER,
            "fsGroup": _USER,
            "seccompProfile": {"type": "RuntimeDefault"},
        },
        "containers": [_container(service, has_config=has_config)],
        "volumes": [{"name": "cache", "emptyDir": {"sizeLimit": "8Gi"}}],
    }
    if has_config:
        pod["volumes"].append({"name": "config", "configMap": {"name": service.key}})
    if service.count > 1:
        pod["topologySpreadConstraints"] = [
            {
                "maxSkew": 1,
                "topologyKey": "topology.kubernetes.io/zone",
                "whenUnsatisfiable": "ScheduleAnyway",
                "labelSelector": {"matchLabels": _selector(service)},
            }
        ]
    if service.gpus or service.shared_gpu:
        pod["tolerations"] = [{"key": _GPU, "operator": "Exists", "effect": "NoSchedule"}]
    pod["nodeSelector"] = {"kubernetes.io/arch": "arm64" if service.spec.architecture == "arm64" else "amd64"}
    return pod


def _container(service: ResolvedService, *, has_config: bool) -> Manifest:
    spec = service.spec
    container: Manifest = {
        "name": service.names.container,
        "image": service.image,
        "ports": [{"name": "http", "containerPort": spec.port}],
        "env": [{"name": name, "value": value} for name, value in service.environment.items()],
        "resources": _resources(service),
        "startupProbe": _probe(service, service.health_path, failures=max(1, spec.health.start_period // 5), period=5),
        "livenessProbe": _probe(service, service.health_path, spec.health.retries, spec.health.interval),
        "readinessProbe": _probe(service, service.ready_path, spec.health.retries, 5),
        "securityContext": {
            "allowPrivilegeEscalation": False,
            "readOnlyRootFilesystem": True,
            "capabilities": {"drop": ["ALL"]},
        },
        "volumeMounts": [{"name": "cache", "mountPath": "/app/.cache"}, {"name": "cache", "mountPath": "/tmp"}],
    }
    if service.command:
        container["command"] = list(service.command)
    if spec.secrets:
        container["envFrom"] = [{"secretRef": {"name": f"{service.key}-secrets"}}]
    if has_config:
        container["volumeMounts"].append({"name": "config", "mountPath": CONFIG_FOLDER, "readOnly": True})
    return container


def _resources(service: ResolvedService) -> Manifest:
    """Requests and limits. Memory is limited to what is requested, so that a leak hurts nobody else; CPU is not."""
    memory = f"{service.memory}Mi"
    resources: Manifest = {
        "requests": {"cpu": f"{service.cpu * 1000 // _UNITS}m", "memory": memory},
        "limits": {"memory": memory},
    }
    gpus = 1 if isinstance(service.shared_gpu, SharedGpu) else service.gpus
    if gpus:
        resources["limits"][_GPU] = gpus
    return resources


def _probe(service: ResolvedService, path: str, failures: int, period: int) -> Manifest:
    return {
        "httpGet": {"path": path, "port": "http"},
        "periodSeconds": period,
        "timeoutSeconds": service.spec.health.timeout,
        "failureThreshold": failures,
    }


def _service(service: ResolvedService) -> Manifest:
    """A Service. Its load balancer, where one is asked for, is the AWS Load Balancer Controller's."""
    balancer = service.spec.load_balancer
    spec: Manifest = {"selector": _selector(service), "ports": [{"name": "http", "port": 80, "targetPort": "http"}]}
    if balancer is None:
        spec["type"] = "ClusterIP"
        return {"apiVersion": "v1", "kind": "Service", "metadata": _meta(service), "spec": spec}
    annotations = {
        "service.beta.kubernetes.io/aws-load-balancer-type": "external",
        "service.beta.kubernetes.io/aws-load-balancer-nlb-target-type": "ip",
        "service.beta.kubernetes.io/aws-load-balancer-scheme": "internet-facing" if balancer.public else "internal",
        "service.beta.kubernetes.io/aws-load-balancer-healthcheck-path": service.ready_path,
        "service.beta.kubernetes.io/aws-load-balancer-healthcheck-protocol": "http",
    }
    if balancer.certificate:
        annotations["service.beta.kubernetes.io/aws-load-balancer-ssl-cert"] = balancer.certificate
        annotations["service.beta.kubernetes.io/aws-load-balancer-ssl-ports"] = "https"
        spec["ports"] = [{"name": "https", "port": 443, "targetPort": "http"}]
    spec["type"] = "LoadBalancer"
    metadata = _meta(service, annotations=annotations)
    return {"apiVersion": "v1", "kind": "Service", "metadata": metadata, "spec": spec}


def _autoscaler(service: ResolvedService) -> Manifest:
    scaling = service.spec.scaling
    assert scaling is not None
    target = {"type": "Utilization", "averageUtilization": scaling.cpu}
    return {
        "apiVersion": "autoscaling/v2",
        "kind": "HorizontalPodAutoscaler",
        "metadata": _meta(service),
        "spec": {
            "scaleTargetRef": {"apiVersion": "apps/v1", "kind": "Deployment", "name": service.key},
            "minReplicas": max(1, scaling.min),
            "maxReplicas": scaling.max,
            "metrics": [{"type": "Resource", "resource": {"name": "cpu", "target": target}}],
            "behavior": {
                "scaleDown": {"stabilizationWindowSeconds": scaling.scale_in_cooldown},
                "scaleUp": {"stabilizationWindowSeconds": scaling.scale_out_cooldown},
            },
        },
    }


def _disruption_budget(service: ResolvedService) -> Manifest:
    return {
        "apiVersion": "policy/v1",
        "kind": "PodDisruptionBudget",
        "metadata": _meta(service),
        "spec": {"maxUnavailable": 1, "selector": {"matchLabels": _selector(service)}},
    }


def _network_policy(service: ResolvedService) -> Manifest:
    """Lets requests in on the one port, and out to name servers and everything but the node's own metadata."""
    return {
        "apiVersion": "networking.k8s.io/v1",
        "kind": "NetworkPolicy",
        "metadata": _meta(service),
        "spec": {
            "podSelector": {"matchLabels": _selector(service)},
            "policyTypes": ["Ingress", "Egress"],
            "ingress": [{"ports": [{"protocol": "TCP", "port": service.spec.port}]}],
            "egress": [
                {"ports": [{"protocol": "UDP", "port": 53}, {"protocol": "TCP", "port": 53}]},
                {"to": [{"ipBlock": {"cidr": "0.0.0.0/0", "except": [_METADATA_SERVICE]}}]},
            ],
        },
    }


def _kustomization(fleet: ResolvedFleet, resources: list[str]) -> Manifest:
    return {
        "apiVersion": "kustomize.config.k8s.io/v1beta1",
        "kind": "Kustomization",
        "namespace": fleet.file.name,
        "resources": resources,
    }


class _Dumper(yaml.SafeDumper):
    """Writes texts of several lines as blocks, and repeats what is equal instead of naming it."""

    def ignore_aliases(self, data: Any) -> bool:
        return True


def _represent_text(dumper: yaml.SafeDumper, text: str) -> yaml.ScalarNode:
    return dumper.represent_scalar("tag:yaml.org,2002:str", text, style="|" if "\n" in text else None)


_Dumper.add_representer(str, _represent_text)


def _text(manifest: Manifest) -> str:
    return yaml.dump(manifest, Dumper=_Dumper, sort_keys=False, width=100)
