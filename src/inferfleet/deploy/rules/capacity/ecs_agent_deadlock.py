"""User data that waits for the ECS agent, which waits for user data."""

import re
from collections.abc import Iterator

from inferfleet.deploy.lint import kinds
from inferfleet.deploy.lint.rule import Example, Match, Rule, Severity, Workspace

_START = re.compile(
    r"^(?!\s*#).*systemctl\s+(?!.*--no-block)(?:start|restart|enable\s+--now|--now\s+enable)\s+.*\becs\b", re.MULTILINE
)


def check(world: Workspace) -> Iterator[Match]:
    """Finds user data that starts the agent and waits."""
    for artifact in world.of(kinds.USER_DATA):
        for matched in _START.finditer(artifact.node.text):
            yield Match(
                artifact.node.excerpt.place(matched.start()),
                "ecs.service starts after cloud-final, and cloud-final waits for this command: the instance never "
                "joins "
                "the cluster",
            )


RULE = Rule(
    severity=Severity.WARNING,
    title="Starting the ECS agent in user data deadlocks",
    why="On the ECS-optimized images ecs.service is ordered after cloud-final.service, which runs user data. A "
    "command in "
    "user data that waits for the agent waits for itself.",
    fix="Leave it out: the agent starts by itself after user data. If it must be there, add --no-block.",
    source="https://github.com/aws/amazon-ecs-agent/issues/1707",
    check=check,
    example=Example(
        file="capacity.sh",
        bad="""
cat > user-data.sh <<'EOF'
#!/bin/bash
echo ECS_CLUSTER=vision >> /etc/ecs/ecs.config
systemctl enable --now ecs
EOF
""",
        good="""
cat > user-data.sh <<'EOF'
#!/bin/bash
echo ECS_CLUSTER=vision >> /etc/ecs/ecs.config
EOF
""",
    ),
)
