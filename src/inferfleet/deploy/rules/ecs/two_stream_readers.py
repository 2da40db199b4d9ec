"""A Kinesis Video Streams reader that runs twice while it is deployed."""

from collections.abc import Iterator

from inferfleet.deploy.lint import ecs
from inferfleet.deploy.lint.document import Artifact
from inferfleet.deploy.lint.rule import Example, Match, Rule, Severity, Workspace

_READS = "kinesisvideo:GetMedia"


def check(world: Workspace) -> Iterator[Match]:
    """Finds services that may read a stream, and overlap old and new tasks."""
    for service in ecs.services(world):
        task = world.task_of(service)
        if task is None:
            continue
        grants = world.grants(world.role_of(task, "taskRoleArn"), task.document)
        if not grants.allows(_READS) or _leases(task):
            continue
        configuration = service.node["deploymentConfiguration"]
        strategy = configuration["strategy"].text
        _, high = ecs.percentages(service)
        if high > 100 or strategy in ("BLUE_GREEN", "CANARY", "LINEAR"):  # noqa: PLR2004 (percent)
            how = strategy or f"maximumPercent {high:g}"
            yield Match(
                (configuration["maximumPercent"] or configuration or service.node).place,
                f"service {ecs.name_of(service)} reads video streams, and with {how} the old and the new task read "
                "them at the same time: every event in between comes twice",
            )


def _leases(task: Artifact) -> bool:
    """Whether the tasks share the streams by leases."""
    return any(
        "lease" in variable["name"].text.lower()
        for container in ecs.containers(task)
        for variable in container["environment"]
    )


RULE = Rule(
    severity=Severity.WARNING,
    title="Two readers of one video stream during a deployment",
    why="GetMedia gives each caller the whole stream. While old and new tasks overlap, both read it, so downstream "
    "gets "
    "each event twice.",
    fix="Stop the old task first (minimumHealthyPercent 0, maximumPercent 100), or let workers take leases on streams, "
    "or write events with idempotent ids.",
    source="https://docs.aws.amazon.com/kinesisvideostreams/latest/dg/API_dataplane_GetMedia.html",
    check=check,
    example=Example(
        file="service.json",
        bad="""
{"serviceName": "reader", "taskDefinition": "reader", "desiredCount": 1,
 "capacityProviderStrategy": [{"capacityProvider": "gpu", "weight": 1}],
 "deploymentConfiguration": {"minimumHealthyPercent": 100, "maximumPercent": 200}}
""",
        good="""
{"serviceName": "reader", "taskDefinition": "reader", "desiredCount": 1,
 "capacityProviderStrategy": [{"capacityProvider": "gpu", "weight": 1}],
 "deploymentConfiguration": {"minimumHealthyPercent": 0, "maximumPercent": 100}}
""",
        beside={
            "task-definition.json": '{"family": "reader", "requiresCompatibilities": ["EC2"], "memory": "2048", '
            '"taskRoleArn": "arn:aws:iam::111122223333:role/reader-task", '
            '"containerDefinitions": [{"name": "reader", "image": "reader:1.4.0"}]}',
            "roles.sh": "aws iam put-role-policy --role-name reader-task --policy-name streams --policy-document '"
            '{"Version": "2012-10-17", "Statement": [{"Effect": "Allow", '
            '"Action": ["kinesisvideo:GetDataEndpoint", "kinesisvideo:GetMedia"], '
            '"Resource": "arn:aws:kinesisvideo:us-east-1:111122223333:stream/camera*"}]}\'\n',
        },
    ),
)
