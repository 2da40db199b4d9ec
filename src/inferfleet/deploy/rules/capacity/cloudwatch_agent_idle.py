"""A CloudWatch agent that is installed and never started."""

import re
from collections.abc import Iterator

from inferfleet.deploy.lint import kinds
from inferfleet.deploy.lint.rule import Example, Match, Rule, Severity, Workspace

_INSTALL = re.compile(r"^(?!\s*#).*(?:rpm|yum|dnf|apt-get|apt)\s.*amazon-cloudwatch-agent", re.MULTILINE)
_START = re.compile(r"amazon-cloudwatch-agent-ctl|systemctl\s+.*amazon-cloudwatch-agent")


def check(world: Workspace) -> Iterator[Match]:
    """Finds user data that installs the agent only."""
    for artifact in world.of(kinds.USER_DATA):
        text = artifact.node.text
        installed = _INSTALL.search(text)
        if installed and not _START.search(text):
            place = artifact.node.excerpt.place(installed.start())
            yield Match(place, "the CloudWatch agent is installed, and never configured or started")


RULE = Rule(
    severity=Severity.WARNING,
    title="The CloudWatch agent does nothing",
    why="The package brings no configuration and does not start. Metrics that alarms wait for never come.",
    fix="Start it with amazon-cloudwatch-agent-ctl -a fetch-config -s, or leave it out: Container Insights with "
    "enhanced "
    "observability collects GPU metrics without it.",
    source="https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/install-CloudWatch-Agent-on-EC2-Instance-fleet.html",
    check=check,
    example=Example(
        file="capacity.sh",
        bad="""
cat > user-data.sh <<'EOF'
#!/bin/bash
yum install -y amazon-cloudwatch-agent
EOF
""",
        good="""
cat > user-data.sh <<'EOF'
#!/bin/bash
yum install -y amazon-cloudwatch-agent
/opt/aws/amazon-cloudwatch-agent/bin/amazon-cloudwatch-agent-ctl -a fetch-config -m ec2 -c ssm:gpu-metrics -s
EOF
""",
    ),
)
