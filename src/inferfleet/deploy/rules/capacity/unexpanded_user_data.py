"""Variables that stay as they are in an instance's user data."""

import re
from collections.abc import Iterator

from inferfleet.deploy.lint.document import Script, WrittenFile
from inferfleet.deploy.lint.rule import Example, Match, Rule, Severity, Workspace

_VARIABLE = re.compile(r"\$\{?([A-Za-z_]\w*)\}?")


def check(world: Workspace) -> Iterator[Match]:
    """Finds user data in a quoted heredoc that uses variables of the script around it."""
    for document in world.scripts:
        script = document.script
        for file in script.files:
            if file.quoted and _is_user_data(script, file):
                yield from _kept_literal(script, file)


def _is_user_data(script: Script, file: WrittenFile) -> bool:
    name = file.name.rsplit("/", 1)[-1]
    return (
        "user-data" in name
        or "userdata" in name
        or any("UserData" in word and name in word for command in script.commands for word in command.texts)
    )


def _kept_literal(script: Script, file: WrittenFile) -> Iterator[Match]:
    text = file.content.text
    own = set(re.findall(r"^\s*(?:export\s+)?([A-Za-z_]\w*)=", text, re.MULTILINE))
    outside = {item.name for item in script.assignments}
    for matched in _VARIABLE.finditer(text):
        line = text[text.rfind("\n", 0, matched.start()) + 1 : matched.start()]
        if matched[1] in outside - own and not line.lstrip().startswith("#"):
            yield Match(
                file.content.place(matched.start()),
                f"the heredoc's word is quoted, so {matched[0]} reaches the instance as it is and is empty there",
            )


RULE = Rule(
    severity=Severity.WARNING,
    title="User data with variables that nobody fills in",
    why="In `<<'EOF'` the shell expands nothing. On the instance the variable does not exist: ECS_CLUSTER becomes "
    "empty "
    "and the instance joins the cluster `default`.",
    fix="Write <<EOF without quotes, and \\$ for what the instance itself shall expand.",
    source="https://docs.aws.amazon.com/AmazonECS/latest/developerguide/bootstrap_container_instance.html",
    check=check,
    example=Example(
        file="capacity.sh",
        bad="""
CLUSTER=vision
cat > user-data.sh <<'EOF'
#!/bin/bash
echo ECS_CLUSTER=${CLUSTER} >> /etc/ecs/ecs.config
EOF
""",
        good="""
CLUSTER=vision
cat > user-data.sh <<EOF
#!/bin/bash
echo ECS_CLUSTER=${CLUSTER} >> /etc/ecs/ecs.config
EOF
""",
    ),
)
