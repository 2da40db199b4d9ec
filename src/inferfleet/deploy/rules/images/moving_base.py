"""A base image without a version."""

from collections.abc import Iterator

from inferfleet.deploy.lint import kinds
from inferfleet.deploy.lint.rule import Example, Match, Rule, Severity, Workspace
from inferfleet.deploy.readers import dockerfile


def check(world: Workspace) -> Iterator[Match]:
    """Finds FROM lines with latest or no tag."""
    for artifact in world.of(kinds.DOCKERFILE):
        file = dockerfile.read(artifact.node.excerpt)
        starts = [item for item in file.instructions if item.name == "FROM"]
        for number, item in enumerate(starts):
            image = file.bases[number]
            own = image in file.names[:number] or image == "scratch" or "$" in image or "@" in image
            tag = image.rsplit("/", 1)[-1].partition(":")[2]
            if not own and tag in ("", "latest"):
                yield Match(item.place, f"{image} is another image tomorrow; name a version")


RULE = Rule(
    severity=Severity.WARNING,
    title="The base image moves",
    why="Two builds of one commit differ, and a CUDA or Python version changes in the middle of a release.",
    fix="Name a version, best with its digest.",
    source="https://docs.docker.com/build/building/best-practices/#pin-base-image-versions",
    check=check,
    example=Example(
        file="Dockerfile",
        bad='FROM nvidia/cuda:latest\nCMD ["/app/serve"]\n',
        good='FROM nvidia/cuda:12.6.3-cudnn-runtime-ubuntu24.04\nCMD ["/app/serve"]\n',
    ),
)
