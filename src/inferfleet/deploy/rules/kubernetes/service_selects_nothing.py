"""A Service in front of nothing."""

from collections.abc import Iterator

from inferfleet.deploy.lint import manifests
from inferfleet.deploy.lint.rule import Example, Match, Rule, Severity, Workspace


def check(world: Workspace) -> Iterator[Match]:
    """Finds Services whose selector matches no workload of the same file."""
    for service in manifests.of_kind(world, "Service"):
        selector = service.node["spec"]["selector"]
        beside = [item for item in manifests.workloads(world) if item.document is service.document]
        if not selector.is_mapping or not beside:
            continue
        wanted = manifests.labels(selector).items()
        pods = [manifests.labels(item.node["spec"]["template"]["metadata"]["labels"]) for item in beside]
        if not any(wanted <= pod.items() for pod in pods):
            labels = ", ".join(f"{key}={value}" for key, value in wanted)
            yield Match(selector.place, f"Service {manifests.name(service)} selects {labels}, which no pod here has")


RULE = Rule(
    severity=Severity.WARNING,
    title="A Service that selects nothing",
    why="The Service is made and has no endpoints: every connection is refused.",
    fix="Use the labels of the workload's template.",
    source="https://kubernetes.io/docs/concepts/services-networking/service/",
    check=check,
    example=Example(
        file="api.yaml",
        bad="""
apiVersion: apps/v1
kind: Deployment
metadata:
  name: api
spec:
  selector:
    matchLabels: {app: api}
  template:
    metadata:
      labels: {app: api}
    spec:
      containers:
        - name: api
          image: api:1.4.0
---
apiVersion: v1
kind: Service
metadata: {name: api}
spec:
  selector: {app: web}
  ports: [{port: 80, targetPort: 8080}]
""",
        good="""
apiVersion: apps/v1
kind: Deployment
metadata:
  name: api
spec:
  selector:
    matchLabels: {app: api}
  template:
    metadata:
      labels: {app: api}
    spec:
      containers:
        - name: api
          image: api:1.4.0
---
apiVersion: v1
kind: Service
metadata: {name: api}
spec:
  selector: {app: api}
  ports: [{port: 80, targetPort: 8080}]
""",
    ),
)
