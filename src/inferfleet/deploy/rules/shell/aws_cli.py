"""A call that the AWS command line would refuse."""

from collections.abc import Iterator

from inferfleet.config.source import Place
from inferfleet.deploy.lint.rule import Example, Match, Rule, Severity, Workspace


def check(world: Workspace) -> Iterator[Match]:
    """Reports what botocore's models say against the calls in scripts and guides."""
    for document in world.scripts:
        for call in document.script.calls:
            by_line: dict[int, list[tuple[Place, str]]] = {}
            for place, problem in call.problems:
                by_line.setdefault(place.line, []).append((place, problem))
            for found in by_line.values():
                first = min((place for place, _ in found), key=lambda place: place.column)
                yield Match(first, "; ".join(dict.fromkeys(_with_hint(problem) for _, problem in found)))


def _with_hint(problem: str) -> str:
    if '"Key"' in problem and "must be one of: key, value" in problem:
        return f"{problem} (ECS writes tags in lower case: key=Project,value=x)"
    return problem


RULE = Rule(
    severity=Severity.ERROR,
    title="The AWS command line refuses this call",
    why="The call is checked with botocore's models, the same that the command line checks with: unknown commands and "
    "options, missing parameters, wrong types and values outside of an enumeration.",
    fix="Correct the option; `aws SERVICE COMMAND help` shows the shape. ECS tags, for one, are key=…,value=….",
    source="https://docs.aws.amazon.com/cli/latest/reference/",
    check=check,
    example=Example(
        file="cluster.sh",
        bad="aws ecs create-cluster --cluster-name vision --tags Key=Project,Value=vision\n",
        good="aws ecs create-cluster --cluster-name vision --tags key=Project,value=vision\n",
    ),
)
