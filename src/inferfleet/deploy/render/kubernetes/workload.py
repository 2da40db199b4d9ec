"""The pods of a service: Deployment, ServiceAccount, ConfigMap and PodDisruptionBudget."""

from __future__ import annotations

from pathlib import Path

from inferfleet.config.fleet_service import SharedGpu
from inferfleet.deploy.render.kubernetes.manifest import Manifest, labels, meta, selector
from inferfleet.deploy.resolve import ResolvedFleet, ResolvedService
from inferfleet.errors import InputError

_CONFIG_FOLDER = "/app/config"
_GPU = "nvidia.com/gpu"
_UNITS = 1024
_USER = 10001
_SPARE_SECONDS = 15


def service_account(service: ResolvedService) -> Manifest:
    """An account for EKS Pod Identity: the association names it, so it needs no annotation and no key."""
    return {
        "apiVersion": "v1",
        "kind": "ServiceAccount",
        "metadata": meta(service),
        "automountServiceAccountToken": False,
    }


def config_map(service: ResolvedService, path: Path) -> Manifest:
    """The service's configuration, as the file that it is.

    Raises:
        InputError: It cannot be read.
    """
    try:
        text = path.read_text()
    except OSError as error:
        raise InputError(f"{path}: services.{service.key}.config cannot be read: {error.strerror}") from error
    return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": meta(service), "data": {path.name: text}}


def deployment(fleet: ResolvedFleet, service: ResolvedService, *, has_config: bool) -> Manifest:
    """The pods and how they are replaced."""
    spec: Manifest = {
        "selector": {"matchLabels": selector(service)},
        "strategy": _strategy(service),
        "template": {
            "metadata": _pod_metadata(fleet, service),
            "spec": _pod(service, has_config=has_config),
        },
    }
    if service.spec.scaling is None:
        # The autoscaler owns the number where there is one.
        spec["replicas"] = service.count
    return {"apiVersion": "apps/v1", "kind": "Deployment", "metadata": meta(service), "spec": spec}


def _pod_metadata(fleet: ResolvedFleet, service: ResolvedService) -> Manifest:
    metadata: Manifest = {"labels": {**labels(service), "app.kubernetes.io/part-of": fleet.file.name}}
    if service.spec.kind != "container":
        # The community's Prometheus chart finds what to scrape by these.
        metadata["annotations"] = {
            "prometheus.io/scrape": "true",
            "prometheus.io/port": str(service.spec.port),
            "prometheus.io/path": "/metrics",
        }
    return metadata


def disruption_budget(service: ResolvedService) -> Manifest:
    """Lets nodes be drained one pod at a time."""
    return {
        "apiVersion": "policy/v1",
        "kind": "PodDisruptionBudget",
        "metadata": meta(service),
        "spec": {"maxUnavailable": 1, "selector": {"matchLabels": selector(service)}},
    }


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
                "labelSelector": {"matchLabels": selector(service)},
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
        assert spec.config is not None
        container["env"].append({"name": "CONFIG_FILE", "value": f"{_CONFIG_FOLDER}/{spec.config.name}"})
        container["volumeMounts"].append({"name": "config", "mountPath": _CONFIG_FOLDER, "readOnly": True})
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
