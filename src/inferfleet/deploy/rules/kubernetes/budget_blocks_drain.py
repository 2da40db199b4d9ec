"""A disruption budget that lets no node be drained."""

from collections.abc import Iterator

from inferfleet.deploy.lint import manifests
from inferfleet.deploy.lint.rule import Example, Match, Rule, Severity, Workspace


def check(world: Workspace) -> Iterator[Match]:
    """Finds budgets that allow no pod to be away."""
    for budget in manifests.of_kind(world, "PodDisruptionBudget"):
        spec = budget.node["spec"]
        wanted = manifests.labels(spec["selector"]["matchLabels"]).items()
        if spec["maxUnavailable"].text in ("0", "0%") or spec["minAvailable"].text == "100%":
            place = (spec["maxUnavailable"] or spec["minAvailable"]).place
            yield Match(place, f"{manifests.name(budget)} allows no pod to be away, so a node can never be drained")
        for workload in manifests.of_kind(world, "Deployment", "StatefulSet"):
            own = manifests.labels(workload.node["spec"]["template"]["metadata"]["labels"])
            replicas, least = workload.node["spec"]["replicas"].number, spec["minAvailable"].number
            if wanted and wanted <= own.items() and replicas is not None and least is not None and least >= replicas:
                message = (
                    f"{manifests.name(budget)} wants {least:g} pods and {manifests.name(workload)} has {replicas:g}"
                )
                yield Match(spec["minAvailable"].place, f"{message}: a node can never be drained")


RULE = Rule(
    severity=Severity.WARNING,
    title="The disruption budget blocks every drain",
    why="Node upgrades and consolidation evict pods, and an eviction that the budget forbids is refused for ever.",
    fix="Use maxUnavailable: 1.",
    source="https://kubernetes.io/docs/tasks/run-application/configure-pdb/",
    check=check,
    example=Example(
        file="budget.yaml",
        bad="""
apiVersion: policy/v1
kind: PodDisruptionBudget
metadata: {name: api}
spec: {maxUnavailable: 0, selector: {matchLabels: {app: api}}}
""",
        good="""
apiVersion: policy/v1
kind: PodDisruptionBudget
metadata: {name: api}
spec: {maxUnavailable: 1, selector: {matchLabels: {app: api}}}
""",
    ),
)
