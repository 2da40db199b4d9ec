"""A command of version 2 after an installation of version 1."""

import re
from collections.abc import Iterator

from inferfleet.deploy.lint.rule import Example, Match, Rule, Severity, Workspace

_INSTALL = re.compile(r"(?:apt|apt-get|yum|dnf)\s.*install\s.*\bawscli\b|pip3?\s+install\s.*\bawscli\b")
_ONLY_IN_2 = {("logs", "tail"), ("logs", "start-live-tail"), ("sso", "login"), ("configure", "sso")}


def check(world: Workspace) -> Iterator[Match]:
    """Finds scripts and guides that install version 1 and use what only version 2 has."""
    for document in world.scripts:
        installs = [c for c in document.script.commands if _INSTALL.search(" ".join(c.texts))]
        if not installs:
            continue
        for call in document.script.calls:
            if (call.service, call.operation) in _ONLY_IN_2:
                yield Match(
                    call.place,
                    f"`aws {call.service} {call.operation}` is in version 2 only, and line {installs[0].place.line} "
                    "installs version 1",
                )
                break


RULE = Rule(
    severity=Severity.WARNING,
    title="Version 1 of the AWS command line lacks this command",
    why="pip and the distributions' packages bring version 1, which is in maintenance since 2026-08-05 and has neither "
    "`logs tail` nor `sso login`.",
    fix="Install version 2 from https://awscli.amazonaws.com, and name no other way.",
    source="https://docs.aws.amazon.com/cli/latest/userguide/cliv2-migration.html",
    check=check,
    example=Example(
        file="logs.sh",
        bad="pip3 install awscli\naws logs tail /ecs/api --follow\n",
        good="curl -fsSo cli.zip https://awscli.amazonaws.com/awscli-exe-linux-x86_64.zip\nunzip -q cli.zip\n"
        "./aws/install\naws logs tail /ecs/api --follow\n",
    ),
)
