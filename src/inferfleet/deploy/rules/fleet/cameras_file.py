"""A cameras.yaml that says something which it may not."""

from collections.abc import Iterator

from inferfleet.deploy.lint import kinds
from inferfleet.deploy.lint.rule import Example, Match, Rule, Severity, Workspace


def check(world: Workspace) -> Iterator[Match]:
    """Reads each cameras.yaml as the worker would."""
    if world.of(kinds.CAMERAS):
        from inferfleet.config.cameras import CamerasFile
        from inferfleet.deploy.lint import fleets

        for place, message in fleets.mistakes(world, kinds.CAMERAS, CamerasFile):
            yield Match(place, message)


RULE = Rule(
    severity=Severity.ERROR,
    title="cameras.yaml cannot be read",
    why="The worker reads the file whole or not at all. In production that is a task that stops at its start.",
    fix="Follow the message; `inferfleet schema cameras` gives an editor what it needs to complete and check the file.",
    source="https://json-schema.org/learn/getting-started-step-by-step",
    check=check,
    example=Example(
        file="cameras.yaml",
        bad="""
cameras:
  - id: gate
    source: rtsp://10.0.0.7/stream1
    zones:
      door: {polygon: [[0.1, 0.1], [0.5, 0.5]]}
""",
        good="""
cameras:
  - id: gate
    source: rtsp://10.0.0.7/stream1
    zones:
      door: {polygon: [[0.1, 0.1], [0.5, 0.1], [0.5, 0.5]]}
""",
    ),
)
