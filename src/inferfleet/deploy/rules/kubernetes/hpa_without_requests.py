"""Autoscaling on a share of nothing."""

from collections.abc import Iterator

from inferfleet.deploy.lint import manifests
from inferfleet.deploy.lint.rule import Example, Match, Rule, Severity, Workspace


def check(world: Workspace) -> Iterator[Match]:
    """Finds autoscalers on utilization for workloads whose containers request nothing of it."""
    for scaler in manifests.of_kind(world, "HorizontalPodAutoscaler"):
        target = scaler.node["spec"]["scaleTargetRef"]
        for metric in scaler.node["spec"]["metrics"]:
            resource = metric["resource"]["name"].text
            for workload in manifests.of_kind(world, target["kind"].text):
                if (
                    manifests.name(workload) != target["name"].text
                    or metric["resource"]["target"]["type"].text != "Utilization"
                ):
                    continue
                for container in manifests.containers(workload):
                    sizes = container["resources"]
                    if not sizes["requests"][resource] and not sizes["limits"][resource]:
                        yield Match(
                            metric.place,
                            f"{manifests.name(scaler)} scales on {resource} utilization, and container "
                            f"{container['name'].text} requests no {resource}",
                        )


RULE = Rule(
    severity=Severity.WARNING,
    title="Utilization of what is not requested",
    why="Utilization is use divided by the request. Without a request the autoscaler has no number, and does nothing.",
    fix="Set resources.requests for every container of the pod.",
    source="https://kubernetes.io/docs/tasks/run-application/horizontal-pod-autoscale/",
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
apiVersion: autoscaling/v2
kind: HorizontalPodAutoscaler
metadata: {name: api}
spec:
  scaleTargetRef: {apiVersion: apps/v1, kind: Deployment, name: api}
  maxReplicas: 10
  metrics:
    - type: Resource
      resource: {name: cpu, target: {type: Utilization, averageUtilization: 70}}
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
          resources: {requests: {cpu: 500m}}
---
apiVersion: autoscaling/v2
kind: HorizontalPodAutoscaler
metadata: {name: api}
spec:
  scaleTargetRef: {apiVersion: apps/v1, kind: Deployment, name: api}
  maxReplicas: 10
  metrics:
    - type: Resource
      resource: {name: cpu, target: {type: Utilization, averageUtilization: 70}}
""",
    ),
)
