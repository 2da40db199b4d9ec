"""Instances on an Amazon Linux 2 image, which has come to its end."""

import datetime
import re
from collections.abc import Iterator

from inferfleet.deploy.lint.rule import Example, Match, Rule, Severity, Workspace

_PARAMETER = re.compile(r"/aws/service/ecs/optimized-ami/amazon-linux-2/\S*")
_END = datetime.date(2026, 6, 30)


def check(world: Workspace) -> Iterator[Match]:
    """Finds the parameters that name Amazon Linux 2 images."""
    if world.today <= _END:
        return
    for document in world.documents:
        if document.kind == "python":
            continue
        for matched in _PARAMETER.finditer(document.source.text):
            place = document.source.place(matched.start())
            yield Match(place, f"Amazon Linux 2 has had no security updates since {_END}; use amazon-linux-2023")


RULE = Rule(
    severity=Severity.WARNING,
    title="Amazon Linux 2 has ended",
    why="Support for Amazon Linux 2 ended on 2026-06-30, and with it new ECS-optimized images with drivers and fixes.",
    fix="Take /aws/service/ecs/optimized-ami/amazon-linux-2023/gpu/recommended for GPUs, or the same path without "
    "`gpu`.",
    source="https://docs.aws.amazon.com/AmazonECS/latest/developerguide/ecs-optimized_AMI.html",
    check=check,
    example=Example(
        file="ami.sh",
        bad="aws ssm get-parameter --name /aws/service/ecs/optimized-ami/amazon-linux-2/gpu/recommended/image_id",
        good="aws ssm get-parameter --name /aws/service/ecs/optimized-ami/amazon-linux-2023/gpu/recommended/image_id",
    ),
)
