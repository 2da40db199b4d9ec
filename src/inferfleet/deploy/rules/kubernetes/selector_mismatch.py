"""A selector that does not match its own pods."""

from collections.abc import Iterator

from inferfleet.deploy.lint import manifests
from inferfleet.deploy.lint.rule import Example, Match, Rule, Severity, Workspace


def check(world: Workspace) -> Iterator[Match]:
    """Finds workloads whose selector is not part of the template's labels."""
    for workload in manifests.of_kind(world, "Deployment", "StatefulSet", "DaemonSet"):
        selector = workload.node["spec"]["selector"]["matchLabels"]
        wanted = manifests.labels(selector)
        given = manifests.labels(workload.node["spec"]["template"]["metadata"]["labels"])
        for key, value in wanted.items():
            if given.get(key) != value:
                has = f"{key}={given[key]}" if key in given else f"no {key}"
                yield Match(
                    selector[key].place, f"{manifests.name(workload)} selects {key}={value}, and its pods have {has}"
                )


RULE = Rule(
    severity=Severity.ERROR,
    title="The selector does not match the template",
    why="The API server refuses a workload whose selector does not match its template's labels.",
    fix="Give the template the labels of the selector.",
    source="https://kubernetes.io/docs/concepts/workloads/controllers/deployment/#selector",
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
      labels: {app: web}
    spec:
      containers:
        - name: api
          image: api:1.4.0
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
""",
    ),
)
