"""What a cluster must have for the rendered manifests, and what of a fleet Kubernetes cannot do."""

from __future__ import annotations

from inferfleet.deploy.render.kubernetes import scaling
from inferfleet.deploy.resolve import ResolvedFleet, ResolvedService

_SHIFTING = ("blue-green", "canary", "linear")


def text(fleet: ResolvedFleet) -> str:
    """Returns the guide beside the manifests."""
    name = fleet.file.name
    notes = "".join(f"- {note}\n" for service in fleet.services for note in _notes(fleet, service))
    return (
        f"""# {name} on Kubernetes

Rendered by `inferfleet render --format kubernetes`.

```bash
kubectl create namespace {name}
kubectl apply -k .
kubectl -n {name} rollout status deployment
```

{"What they take for granted:" if notes else "They take nothing for granted."}

{notes}""".rstrip()
        + "\n"
    )


def _notes(fleet: ResolvedFleet, service: ResolvedService) -> list[str]:
    spec = service.spec
    notes = []
    if "${" in service.image:
        notes.append(f"`{service.key}`: the image's tag is open: `kustomize edit set image`, by digest.")
    if spec.secrets:
        listed = ", ".join(f"`{key}`" for key in spec.secrets)
        notes.append(f"A Secret `{service.key}-secrets` with {listed}; External Secrets fills it from AWS.")
    if spec.config is not None or spec.permissions:
        notes.append(
            f"An EKS Pod Identity association of service account `{service.key}` with role "
            f"`{service.names.task_role}`; `inferfleet render --format ecs` writes its policy."
        )
    if spec.load_balancer is not None:
        notes.append("An IngressClass `alb`: the AWS Load Balancer Controller brings it; EKS Auto Mode wants it made.")
    if service.strategy in _SHIFTING:
        notes.append(f"`{service.key}`: a Deployment knows no {service.strategy}; here it rolls, one pod at a time.")
    if service.shared_gpu is not None:
        notes.append(f"`{service.key}`: Kubernetes' device plugin counts whole GPUs, so here it gets one of its own.")
    return notes + _scaling_notes(fleet, service)


def _scaling_notes(fleet: ResolvedFleet, service: ResolvedService) -> list[str]:
    wanted = service.spec.scaling
    if wanted is None:
        return []
    notes = []
    if wanted.cpu is not None:
        notes.append("metrics-server, for scaling by CPU.")
    if scaling.needs_keda(wanted):
        notes.append("KEDA 2.14 or newer; its operator's role reads the queues and CloudWatch metrics.")
        if wanted.requests is not None:
            notes.append(f"Prometheus at `{scaling.PROMETHEUS}`, for scaling by requests.")
    elif wanted.requests is not None:
        query = scaling.requests_query(service).replace("sum(", "sum by (pod) (", 1)
        query = query.replace("$NAMESPACE", fleet.file.name)
        notes.append(f"prometheus-adapter offering `{scaling.REQUESTS_METRIC}` for pods as `{query}`.")
    return notes
