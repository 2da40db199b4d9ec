"""A readiness probe with a second to answer."""

from collections.abc import Iterator

from inferfleet.deploy.lint import manifests
from inferfleet.deploy.lint.rule import Example, Match, Rule, Severity, Workspace


def check(world: Workspace) -> Iterator[Match]:
    """Finds readiness probes over HTTP that leave the timeout at its default."""
    for workload in manifests.workloads(world):
        for container in manifests.containers(workload):
            probe = container["readinessProbe"]
            if probe["httpGet"] and not probe["timeoutSeconds"]:
                yield Match(
                    probe.place,
                    f"container {container['name'].text}: readiness {probe['httpGet']['path'].text} has 1 second to "
                    "answer; "
                    "an inference server under load, or one that infers to answer, is taken out of service by that",
                )


RULE = Rule(
    severity=Severity.WARNING,
    title="The readiness probe times out after one second",
    why="timeoutSeconds is 1 by default. A server that is busy inferring answers later than that, is taken out of the "
    "service, and its load moves to the others, which then fail too.",
    fix="Set timeoutSeconds, and let the endpoint say whether the model is loaded instead of running it.",
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
          readinessProbe:
            httpGet: {path: /ready, port: 8080}
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
          readinessProbe:
            httpGet: {path: /ready, port: 8080}
            timeoutSeconds: 3
""",
    ),
)
