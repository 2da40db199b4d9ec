"""A tag that is computed once to tag and once more to push."""

from collections.abc import Iterator

from inferfleet.deploy.lint.rule import Example, Match, Rule, Severity, Workspace


def check(world: Workspace) -> Iterator[Match]:
    """Finds pushes of a tag made of the time of the push."""
    for document in world.scripts:
        commands = [command for command in document.script.commands if command.name in ("docker", "podman", "nerdctl")]
        tagged = any("$(date" in " ".join(command.texts) and "push" not in command.texts for command in commands)
        for command in commands:
            image = next((word for word in command.words if "$(date" in word.text), None)
            if tagged and "push" in command.texts and image is not None:
                yield Match(image.place(0), "$(date) runs again here: a second later this tag does not exist")


RULE = Rule(
    severity=Severity.WARNING,
    title="The tag is computed twice",
    why="Each $(date) is a new time. The push names another tag than the one that was made, and fails: tag does not "
    "exist.",
    fix="Keep the tag in a variable.",
    source="https://docs.docker.com/reference/cli/docker/image/push/",
    check=check,
    example=Example(
        file="push.sh",
        bad="docker tag api:latest registry/api:$(date +%H%M%S)\ndocker push registry/api:$(date +%H%M%S)\n",
        good="TAG=$(date +%H%M%S)\ndocker tag api:latest registry/api:$TAG\ndocker push registry/api:$TAG\n",
    ),
)
