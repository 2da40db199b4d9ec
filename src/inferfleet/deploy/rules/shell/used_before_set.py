"""A variable that is used above the line that sets it."""

from collections.abc import Iterator

from inferfleet.deploy.lint.rule import Example, Match, Rule, Severity, Workspace


def check(world: Workspace) -> Iterator[Match]:
    """Finds the first use of each variable that is set only later."""
    for document in world.scripts:
        script = document.script
        first_set: dict[str, int] = {}
        for item in script.assignments:
            first_set.setdefault(item.name, item.order)
        reported: set[str] = set()
        for use in script.uses:
            later = first_set.get(use.name)
            if later is None or later <= use.order or use.in_function or use.name in reported:
                continue
            reported.add(use.name)
            assignment = script.assignment(use.name)
            if assignment is not None and not _takes_itself(assignment.place.line, use.place.line):
                yield Match(use.place, f"${use.name} is set on line {assignment.place.line}, and is empty here")


def _takes_itself(set_on: int, used_on: int) -> bool:
    """Whether a line such as PATH=$PATH:/opt/bin sets and uses the variable at once."""
    return set_on == used_on


RULE = Rule(
    severity=Severity.WARNING,
    title="A variable is used before it is set",
    why="The shell fills in nothing. A command then takes the next word for its value, or creates something without "
    "it.",
    fix="Move the step that sets it up, and start scripts with `set -u`.",
    source="https://www.gnu.org/software/bash/manual/html_node/The-Set-Builtin.html",
    check=check,
    example=Example(
        file="deploy.sh",
        bad="aws ecs describe-clusters --clusters $CLUSTER\nCLUSTER=vision\n",
        good="CLUSTER=vision\naws ecs describe-clusters --clusters $CLUSTER\n",
    ),
)
