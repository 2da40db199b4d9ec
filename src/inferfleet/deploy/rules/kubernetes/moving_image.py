"""A pod whose image's tag moves."""

from collections.abc import Iterator

from inferfleet.deploy.lint import ecs, manifests
from inferfleet.deploy.lint.rule import Example, Match, Rule, Severity, Workspace


def check(world: Workspace) -> Iterator[Match]:
    """Finds images with latest or no tag."""
    for workload in manifests.workloads(world):
        for container in manifests.containers(workload):
            image = container["image"]
            if image.text and ecs.image_tag(image.text) in ("", "latest"):
                yield Match(
                    image.place, f"{manifests.name(workload)} runs {image.text}, which is another image after a push"
                )


RULE = Rule(
    severity=Severity.WARNING,
    title="The image's tag moves",
    why="kubectl rollout undo goes back to the same name, which now means another image, and nodes that pulled at "
    "different times run different code.",
    fix="Name the image by digest, or by a tag that is pushed once.",
    source="https://kubernetes.io/docs/concepts/containers/images/",
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
          image: api:latest
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
