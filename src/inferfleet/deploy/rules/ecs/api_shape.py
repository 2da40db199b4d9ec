"""JSON that an ECS, scaling or alarm API would refuse for its shape."""

from collections.abc import Iterator

from inferfleet.deploy.lint import kinds
from inferfleet.deploy.lint.rule import Example, Match, Rule, Severity, Workspace
from inferfleet.deploy.readers import models, shapes

_CHECKED = (kinds.TASK_DEFINITION, kinds.SERVICE, kinds.ALARM, kinds.SCALING_POLICY, kinds.SCALABLE_TARGET)


def check(world: Workspace) -> Iterator[Match]:
    """Checks JSON files with botocore's model of the call that they are for."""
    for artifact in world.of(*_CHECKED):
        from_file = artifact.call is None and not artifact.excerpted
        template = any(item.kind == kinds.TEMPLATE for item in artifact.document.artifacts)
        shape = models.input_of(artifact.kind) if from_file and not template else None
        if shape is not None:
            for place, problem in shapes.check(artifact.node, shape):
                yield Match(place, f"{artifact.kind.split(':')[1]} would refuse this: {problem}")


RULE = Rule(
    severity=Severity.ERROR,
    title="Not what the API takes",
    why="The file is checked with botocore's model of the API, the same that the AWS command line checks with before "
    "it "
    "sends anything: unknown names, wrong types, missing members, values outside of an enumeration.",
    fix="Correct the name or the type; names are case-sensitive.",
    source="https://docs.aws.amazon.com/AmazonECS/latest/APIReference/API_RegisterTaskDefinition.html",
    check=check,
    example=Example(
        file="task-definition.json",
        bad='{"family": "api", "memory": 2048, "containerDefinitions": [{"name": "api", "image": "api:1.4.0", '
        '"ports": [8080]}]}',
        good='{"family": "api", "memory": "2048", "containerDefinitions": [{"name": "api", "image": "api:1.4.0", '
        '"portMappings": [{"containerPort": 8080}]}]}',
    ),
)
