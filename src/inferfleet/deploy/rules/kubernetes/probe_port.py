"""A probe of a port that the container does not have."""

from collections.abc import Iterator

from inferfleet.deploy.lint import manifests
from inferfleet.deploy.lint.rule import Example, Match, Rule, Severity, Workspace


def check(world: Workspace) -> Iterator[Match]:
    """Finds probes whose port is not among the container's, by number or by name."""
    for workload in manifests.workloads(world):
        for container in manifests.containers(workload):
            ports = list(container["ports"])
            known = {item["containerPort"].text for item in ports} | {
                item["name"].text for item in ports if item["name"]
            }
            for name, probe in manifests.probes(container):
                for how in ("httpGet", "tcpSocket", "grpc"):
                    port = probe[how]["port"]
                    if ports and port and port.text not in known:
                        listed = ", ".join(sorted(known))
                        yield Match(
                            port.place, f"{name} asks port {port.text}; container {container['name'].text} has {listed}"
                        )


RULE = Rule(
    severity=Severity.WARNING,
    title="The probe asks another port",
    why="A probe of a port on which nothing listens fails: the pod never gets ready, or is restarted for ever.",
    fix="Give the port a name and use the name in both places.",
    source="https://kubernetes.io/docs/tasks/configure-pod-container/configure-liveness-readiness-startup-probes/",
    check=check,
    example=Example(
        file="deployment.yaml",
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
          ports: [{containerPort: 8080, name: http}]
          livenessProbe: {httpGet: {path: /healthz, port: 8000}}
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
          ports: [{containerPort: 8080, name: http}]
          livenessProbe: {httpGet: {path: /healthz, port: http}}
""",
    ),
)
