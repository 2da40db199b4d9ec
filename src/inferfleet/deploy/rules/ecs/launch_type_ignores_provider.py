"""A service with launch type EC2 in a cluster whose instances come from a capacity provider."""

from collections.abc import Iterator

from inferfleet.deploy.lint import ecs
from inferfleet.deploy.lint.rule import Example, Match, Rule, Severity, Workspace


def check(world: Workspace) -> Iterator[Match]:
    """Finds services whose tasks no capacity provider will ever make room for."""
    for service in ecs.services(world):
        launch_type = service.node["launchType"]
        if launch_type.text != "EC2" or service.node["capacityProviderStrategy"]:
            continue
        cluster = world.cluster_of(service)
        providers = world.cluster_providers(cluster)
        if providers:
            provider = providers[0]
            yield Match(
                launch_type.place,
                f"service {ecs.name_of(service)} has launchType EC2, so its waiting tasks never scale "
                f"{provider.text} ({provider.place.file}:{provider.place.line}) of cluster {cluster}",
            )


RULE = Rule(
    severity=Severity.WARNING,
    title="Launch type EC2 keeps a capacity provider from scaling",
    why="Managed scaling counts only tasks that were placed by a capacity provider strategy. Tasks with a launch type "
    "wait in PROVISIONING or fail with RESOURCE:GPU, and no instance is started for them.",
    fix="Leave launchType out and name the provider in capacityProviderStrategy.",
    source="https://docs.aws.amazon.com/AmazonECS/latest/developerguide/managed-scaling-behavior.html",
    check=check,
    example=Example(
        file="service.json",
        bad="""
{"serviceName": "detector", "cluster": "vision", "taskDefinition": "detector", "desiredCount": 1, "launchType": "EC2"}
""",
        good="""
{"serviceName": "detector", "cluster": "vision", "taskDefinition": "detector", "desiredCount": 1,
 "capacityProviderStrategy": [{"capacityProvider": "gpu", "weight": 1}]}
""",
        beside={
            "capacity.sh": "aws ecs put-cluster-capacity-providers --cluster vision --capacity-providers gpu "
            "--default-capacity-provider-strategy capacityProvider=gpu,weight=1\n"
        },
    ),
)
