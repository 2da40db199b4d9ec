"""A cluster deleted while its service is still going away."""

from collections.abc import Iterator

from inferfleet.deploy.lint.rule import Example, Match, Rule, Severity, Workspace


def check(world: Workspace) -> Iterator[Match]:
    """Finds delete-cluster after delete-service with no wait between them."""
    for document in world.scripts:
        script = document.script
        for cluster in script.call("ecs:DeleteCluster"):
            before = [call for call in script.call("ecs:DeleteService") if call.order < cluster.order]
            waits = [
                call
                for call in script.calls
                if call.operation == "wait" and before and before[-1].order < call.order < cluster.order
            ]
            if before and not waits:
                yield Match(
                    cluster.place, "the service is still draining here: ClusterContainsServicesException, or tasks left"
                )


RULE = Rule(
    severity=Severity.WARNING,
    title="The cluster is deleted too soon",
    why="delete-service returns at once and the service drains for minutes. A cluster with a draining service or tasks "
    "cannot be deleted.",
    fix="Put `aws ecs wait services-inactive` between the two.",
    source="https://docs.aws.amazon.com/AmazonECS/latest/APIReference/API_DeleteCluster.html",
    check=check,
    example=Example(
        file="clean.sh",
        bad="aws ecs delete-service --cluster vision --service api --force\naws ecs delete-cluster --cluster vision\n",
        good="aws ecs delete-service --cluster vision --service api --force\n"
        "aws ecs wait services-inactive --cluster vision --services api\naws ecs delete-cluster --cluster vision\n",
    ),
)
