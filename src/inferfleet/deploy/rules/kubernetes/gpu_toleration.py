"""A GPU pod that may not go where the GPUs are."""

from collections.abc import Iterator

from inferfleet.deploy.lint import manifests
from inferfleet.deploy.lint.rule import Example, Match, Rule, Severity, Workspace


def check(world: Workspace) -> Iterator[Match]:
    """Finds GPU workloads without a toleration for GPU nodes."""
    for workload in manifests.workloads(world):
        wants = [c["resources"]["limits"][manifests.GPU] for c in manifests.containers(workload)]
        wanted = next((limit for limit in wants if limit), None)
        tolerations = list(manifests.pod(workload)["tolerations"])
        tolerated = any(item["key"].text in ("", manifests.GPU) and item.is_mapping for item in tolerations)
        if wanted is not None and not tolerated:
            message = (
                f"{manifests.name(workload)} wants a GPU and does not tolerate the taint nvidia.com/gpu of GPU nodes"
            )
            yield Match(wanted.place, message)


RULE = Rule(
    severity=Severity.WARNING,
    title="No toleration for GPU nodes",
    why="GPU nodes are tainted so that other pods stay away: EKS Auto Mode, Karpenter's and eksctl's examples all use "
    "nvidia.com/gpu. A pod without the toleration stays Pending.",
    fix="Add {key: nvidia.com/gpu, operator: Exists, effect: NoSchedule} to tolerations.",
    source="https://docs.aws.amazon.com/eks/latest/userguide/auto-accelerated.html",
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
          resources: {limits: {nvidia.com/gpu: 1}}
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
