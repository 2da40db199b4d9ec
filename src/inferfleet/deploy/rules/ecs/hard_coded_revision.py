"""A service pinned to a revision number by hand."""

import re
from collections.abc import Iterator

from inferfleet.deploy.lint import kinds
from inferfleet.deploy.lint.rule import Example, Match, Rule, Severity, Workspace


def check(world: Workspace) -> Iterator[Match]:
    """Finds family:number in scripts that register the family themselves."""
    for document in world.scripts:
        registers = document.script.call(kinds.TASK_DEFINITION)
        for call in document.script.call(kinds.SERVICE, kinds.SERVICE_UPDATE):
            reference = call.params["taskDefinition"]
            if registers and re.fullmatch(r"[\w-]+:\d+", reference.text):
                yield Match(
                    reference.place,
                    f"{reference.text} is the revision that the author got; the next run registers another, and this "
                    "deploys the old one",
                )


RULE = Rule(
    severity=Severity.WARNING,
    title="A revision number written down",
    why="Every registration makes a new revision. A script that registers a task definition and then names a fixed "
    "revision deploys something else on every run but one.",
    fix="Use the ARN that register-task-definition returns, or the family alone for its latest revision.",
    source="https://docs.aws.amazon.com/AmazonECS/latest/APIReference/API_RegisterTaskDefinition.html",
    check=check,
    example=Example(
        file="deploy.sh",
        bad="""
aws ecs register-task-definition --cli-input-json file://task-definition.json
aws ecs update-service --cluster vision --service api --task-definition api:2
""",
        good="""
REVISION=$(aws ecs register-task-definition --cli-input-json file://task-definition.json \\
  --query taskDefinition.taskDefinitionArn --output text)
aws ecs update-service --cluster vision --service api --task-definition "$REVISION"
""",
    ),
)
