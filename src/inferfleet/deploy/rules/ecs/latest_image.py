"""A task definition that names an image by a tag which moves."""

from collections.abc import Iterator

from inferfleet.deploy.lint import ecs
from inferfleet.deploy.lint.rule import Example, Match, Rule, Severity, Workspace


def check(world: Workspace) -> Iterator[Match]:
    """Finds images without a tag, and with the tag `latest`."""
    for task in ecs.tasks(world):
        for container in ecs.containers(task):
            image = container["image"]
            if image.text and ecs.image_tag(image.text) in ("", "latest"):
                yield Match(
                    image.place,
                    f"task definition {ecs.name_of(task)} runs {image.text}: which image that is changes with every "
                    "push, so there is nothing to roll back to",
                )


RULE = Rule(
    severity=Severity.WARNING,
    title="The image's tag moves",
    why="A rollback starts the previous task definition, and with `latest` both revisions mean whatever was pushed "
    "last. Tasks of one service can run different code.",
    fix="Name the image by digest (`repository@sha256:…`), or by a tag that is pushed once.",
    source="https://docs.aws.amazon.com/AmazonECS/latest/developerguide/container-considerations.html",
    check=check,
    example=Example(
        file="task-definition.json",
        bad='{"family": "api", "memory": "2048", "containerDefinitions": '
        '[{"name": "api", "image": "111122223333.dkr.ecr.us-east-1.amazonaws.com/api:latest"}]}',
        good='{"family": "api", "memory": "2048", "containerDefinitions": '
        '[{"name": "api", "image": "111122223333.dkr.ecr.us-east-1.amazonaws.com/api@sha256:'
        'e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"}]}',
    ),
)
