"""A host folder mounted over what the image brings."""

from collections.abc import Iterator
from pathlib import PurePosixPath

from inferfleet.deploy.lint import ecs, kinds
from inferfleet.deploy.lint.rule import Example, Match, Rule, Severity, Workspace

_CONTENT = ("model", "config", "weights")
_FILLS = ("aws s3 cp", "aws s3 sync", "rsync", "curl", "wget", "git clone", "mount")


def check(world: Workspace) -> Iterator[Match]:
    """Finds read-only mounts of host folders which no instance is known to fill."""
    filled = [line for artifact in world.of(kinds.USER_DATA) for line in _active_lines(artifact.node.text)]
    for task in ecs.tasks(world):
        sources = {volume["name"].text: volume["host"]["sourcePath"] for volume in task.node["volumes"]}
        for container in ecs.containers(task):
            for mount in container["mountPoints"]:
                host = sources.get(mount["sourceVolume"].text)
                target = mount["containerPath"].text
                if host is None or not host.text or not mount["readOnly"].is_true:
                    continue
                last = PurePosixPath(target).name.lower()
                is_content = any(word in last for word in _CONTENT)
                if is_content and not any(host.text in line and line.startswith(_FILLS) for line in filled):
                    yield Match(
                        mount.place,
                        f"{host.text} of the host is mounted over {target}, and nothing fills it: an empty folder "
                        "hides "
                        "what the image has there",
                    )


def _active_lines(text: str) -> list[str]:
    return [line.strip() for line in text.split("\n") if line.strip() and not line.lstrip().startswith("#")]


RULE = Rule(
    severity=Severity.WARNING,
    title="A host folder hides what is in the image",
    why="A bind mount shows the host's folder, not the image's. When the folder does not exist Docker makes an empty "
    "one, so the container starts without its models or its configuration.",
    fix="Bake the files into the image, read them from S3, mount EFS, or fill the host folder in the instance's user "
    "data and check that it worked.",
    source="https://docs.aws.amazon.com/AmazonECS/latest/developerguide/bind-mounts.html",
    check=check,
    example=Example(
        file="task-definition.json",
        bad="""
{
  "family": "detector", "requiresCompatibilities": ["EC2"], "memory": "2048",
  "volumes": [{"name": "models", "host": {"sourcePath": "/opt/models"}}],
  "containerDefinitions": [{
    "name": "detector", "image": "detector:1.4.0",
    "mountPoints": [{"sourceVolume": "models", "containerPath": "/app/models", "readOnly": true}]
  }]
}
""",
        good="""
{
  "family": "detector", "requiresCompatibilities": ["EC2"], "memory": "2048",
  "volumes": [{"name": "models", "efsVolumeConfiguration": {"fileSystemId": "fs-0123456789abcdef0"}}],
  "containerDefinitions": [{
    "name": "detector", "image": "detector:1.4.0",
    "mountPoints": [{"sourceVolume": "models", "containerPath": "/app/models", "readOnly": true}]
  }]
}
""",
    ),
)
