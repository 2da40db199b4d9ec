"""AWS App Mesh, which has ended."""

import re
from collections.abc import Iterator

from inferfleet.deploy.lint.rule import Example, Match, Rule, Severity, Workspace

_ADVICE = re.compile(r"\bApp Mesh\b")


def check(world: Workspace) -> Iterator[Match]:
    """Finds App Mesh in prose and as resources."""
    for document in world.documents:
        for number, text in document.prose:
            matched = _ADVICE.search(text)
            if matched:
                place = document.source.place(document.source.line_starts[number - 1] + matched.start())
                yield Match(
                    place, "AWS App Mesh was discontinued on 2026-09-30; ECS Service Connect is what replaces it"
                )
        for artifact in document.artifacts:
            kind = artifact.node["Type"]
            if artifact.kind == "cloudformation-resource" and kind.text.startswith("AWS::AppMesh::"):
                yield Match(kind.place, f"{artifact.name}: AWS App Mesh was discontinued on 2026-09-30")


RULE = Rule(
    severity=Severity.WARNING,
    title="AWS App Mesh has ended",
    why="App Mesh was discontinued on 2026-09-30: its resources can neither be created nor reached.",
    fix="Use ECS Service Connect, or VPC Lattice across clusters.",
    source="https://docs.aws.amazon.com/app-mesh/latest/userguide/what-is-app-mesh.html",
    check=check,
    example=Example(
        file="guide.md",
        bad="Next step: implement App Mesh for advanced networking.\n",
        good="Next step: ECS Service Connect between the services.\n",
    ),
)
