"""A GPU requested in a way that Kubernetes refuses."""

from collections.abc import Iterator

from inferfleet.deploy.lint import manifests
from inferfleet.deploy.lint.rule import Example, Match, Rule, Severity, Workspace


def check(world: Workspace) -> Iterator[Match]:
    """Finds GPU requests without a limit, with another limit, or in fractions."""
    for workload in manifests.workloads(world):
        for container in manifests.containers(workload):
            request = container["resources"]["requests"][manifests.GPU]
            limit = container["resources"]["limits"][manifests.GPU]
            named = f"container {container['name'].text}"
            if request and not limit:
                yield Match(request.place, f"{named} requests {manifests.GPU} and sets no limit; set the limit")
            elif request and request.text != limit.text:
                yield Match(request.place, f"{named} requests {request.text} GPUs and limits them to {limit.text}")
            elif limit.known and not limit.text.isdigit():
                yield Match(limit.place, f"{named}: a GPU is given whole, not {limit.text}; share one with MPS or MIG")


RULE = Rule(
    severity=Severity.ERROR,
    title="A GPU request that is refused",
    why="GPUs are an extended resource: whole numbers, and the request, if there is one, equals the limit.",
    fix="Set only the limit: resources.limits[nvidia.com/gpu].",
    source="https://kubernetes.io/docs/tasks/manage-gpus/scheduling-gpus/",
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
          resources: {requests: {nvidia.com/gpu: 1}}
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
          resources: {limits: {nvidia.com/gpu: 1}}
      tolerations: [{key: nvidia.com/gpu, operator: Exists, effect: NoSchedule}]
""",
    ),
)
