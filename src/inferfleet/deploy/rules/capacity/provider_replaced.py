"""Capacity providers that a later command takes away."""

from collections.abc import Iterator

from inferfleet.deploy.lint import kinds
from inferfleet.deploy.lint.rule import Example, Match, Rule, Severity, Workspace


def check(world: Workspace) -> Iterator[Match]:
    """Finds put-cluster-capacity-providers without the providers that the cluster was created with."""
    for document in world.scripts:
        created = {call.params["clusterName"].text: call for call in document.script.call(kinds.CLUSTER)}
        for call in document.script.call(kinds.CLUSTER_CAPACITY):
            cluster = created.get(call.params["cluster"].text)
            before = cluster.params["capacityProviders"].texts() if cluster else []
            lost = [name for name in before if name not in call.params["capacityProviders"].texts()]
            if lost:
                yield Match(
                    call.params["capacityProviders"].place,
                    f"this replaces the list: cluster {call.params['cluster'].text} loses {', '.join(lost)}",
                )


RULE = Rule(
    severity=Severity.WARNING,
    title="The list of capacity providers is replaced",
    why="put-cluster-capacity-providers sets the list; it does not add to it. Providers that are left out are taken "
    "from "
    "the cluster, or the call fails while a service uses them.",
    fix="Name all providers that the cluster shall have.",
    source="https://docs.aws.amazon.com/AmazonECS/latest/APIReference/API_PutClusterCapacityProviders.html",
    check=check,
    example=Example(
        file="cluster.sh",
        bad="""
aws ecs create-cluster --cluster-name vision --capacity-providers FARGATE FARGATE_SPOT
aws ecs put-cluster-capacity-providers --cluster vision --capacity-providers gpu \\
  --default-capacity-provider-strategy capacityProvider=gpu,weight=1
""",
        good="""
aws ecs create-cluster --cluster-name vision --capacity-providers FARGATE FARGATE_SPOT
aws ecs put-cluster-capacity-providers --cluster vision --capacity-providers FARGATE FARGATE_SPOT gpu \\
  --default-capacity-provider-strategy capacityProvider=gpu,weight=1
""",
    ),
)
