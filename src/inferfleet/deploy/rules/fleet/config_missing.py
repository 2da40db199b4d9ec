"""A service whose configuration is not there."""

from collections.abc import Iterator
from pathlib import PurePosixPath

from inferfleet.deploy.lint import kinds
from inferfleet.deploy.lint.rule import Example, Match, Rule, Severity, Workspace


def check(world: Workspace) -> Iterator[Match]:
    """Finds configurations that no file has, and streams services without one."""
    if world.of(kinds.FLEET):
        from inferfleet.deploy.lint import fleets

        read = {PurePosixPath(document.source.file).name for document in world.documents}
        for fleet in fleets.loaded(world):
            for key, service in fleet.fleet.services.items():
                if service.kind == "streams" and service.config is None:
                    yield Match(
                        fleet.place(("services", key)), f"service {key} reads streams and names no cameras.yaml"
                    )
                elif service.config is not None:
                    exists = (fleet.folder / service.config).is_file() if fleet.folder else service.config.name in read
                    if not exists:
                        yield Match(fleet.place(("services", key, "config")), f"{service.config} is not there")


RULE = Rule(
    severity=Severity.ERROR,
    title="The service's configuration is missing",
    why="The permissions of the service are derived from its configuration, and its tasks stop at their start without "
    "it.",
    fix="Write the file, or correct the path; it counts from the folder of fleet.yaml.",
    source="https://docs.aws.amazon.com/AmazonECS/latest/developerguide/task-iam-roles.html",
    check=check,
    example=Example(
        file="fleet.yaml",
        bad="""
name: vision
services:
  reader:
    kind: streams
    image: public.ecr.aws/example/reader:1.4.0
""",
        good="""
name: vision
services:
  reader:
    kind: streams
    image: public.ecr.aws/example/reader:1.4.0
    config: cameras.yaml
""",
        beside={"cameras.yaml": "cameras:\n  - id: gate\n    source: rtsp://10.0.0.7/stream1\n"},
    ),
)
