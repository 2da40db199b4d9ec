"""A variable that nothing sets, in a command that changes something."""

import re
from collections.abc import Iterator

from inferfleet.deploy.lint import kinds
from inferfleet.deploy.lint.document import Call, Document
from inferfleet.deploy.lint.rule import Example, Match, Rule, Severity, Workspace

_ENVIRONMENT = re.compile(
    r"(AWS|GITHUB|CI|CODEBUILD|RUNNER|BITBUCKET|GITLAB)_\w+$|(HOME|USER|PATH|PWD|SHELL|HOSTNAME|CI|TMPDIR)$"
)
_READS = re.compile(r"(Describe|List|Get|Filter|Lookup|Query|Scan|BatchGet|Search|Simulate|Test)")


def check(world: Workspace) -> Iterator[Match]:
    """Finds the first such use of each variable that neither the file nor an .env file sets."""
    outside = _from_env_files(world)
    for document in world.scripts:
        if _sources(document):
            continue
        given = outside | {item.name for item in document.script.assignments}
        reported: set[str] = set()
        for call in document.script.calls:
            for name in _unset(call, given):
                if name not in reported:
                    reported.add(name)
                    place = next((u.place for u in document.script.uses if u.name == name and u.order < call.order and
                                  u.place.line >= call.place.line), call.place)  # fmt: skip
                    yield Match(place, f"${name} is set nowhere, so this call gets nothing in its place")


def _unset(call: Call, given: set[str]) -> list[str]:
    if not call.is_api or _READS.match(call.operation):
        return []
    return [name for name in call.command.variables if name not in given and not _ENVIRONMENT.match(name)]


def _from_env_files(world: Workspace) -> set[str]:
    found: set[str] = set()
    for artifact in world.of(kinds.ENVIRONMENT):
        found.update(re.findall(r"^\s*(?:export\s+)?([A-Za-z_]\w*)=", artifact.node.text, re.MULTILINE))
    return found


def _sources(document: Document) -> bool:
    """Whether the script reads settings from a file that is not at hand."""
    return any(command.name in ("source", ".", "set", "dotenv") and command.texts[0] in ("source", ".", "dotenv")
               for command in document.script.commands)  # fmt: skip


RULE = Rule(
    severity=Severity.WARNING,
    title="A variable is set nowhere",
    why="The shell puts nothing in its place, and the call fails, or makes a thing without what it needs.",
    fix="Set it from the command that creates the thing, or in an .env file; start scripts with `set -u`.",
    source="https://www.gnu.org/software/bash/manual/html_node/The-Set-Builtin.html",
    check=check,
    example=Example(
        file="deploy.sh",
        bad="aws ecs update-service --cluster vision --service api --task-definition $REVISION\n",
        good="REVISION=$(aws ecs register-task-definition --cli-input-json file://task.json "
        "--query taskDefinition.taskDefinitionArn --output text)\n"
        "aws ecs update-service --cluster vision --service api --task-definition $REVISION\n",
    ),
)
