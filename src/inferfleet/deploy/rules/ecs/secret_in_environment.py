"""A password in plain sight of everyone who may describe the task definition."""

import re
from collections.abc import Iterator

from inferfleet.deploy.lint import ecs
from inferfleet.deploy.lint.rule import Example, Match, Rule, Severity, Workspace

_NAME = re.compile(r"(PASSWORD|PASSWD|SECRET|API_?KEY|ACCESS_KEY|PRIVATE_KEY|(?<!MAX_)TOKEN)(_|$)", re.IGNORECASE)
_REFERENCE = re.compile(r"(_ARN|_NAME|_ID|_PATH|_FILE|_URL|_TTL)$", re.IGNORECASE)


def check(world: Workspace) -> Iterator[Match]:
    """Finds environment variables with the name of a secret and a literal value."""
    for task in ecs.tasks(world):
        for container in ecs.containers(task):
            for variable in container["environment"]:
                name, value = variable["name"].text, variable["value"]
                if _NAME.search(name) and not _REFERENCE.search(name) and value.text and value.known:
                    yield Match(
                        variable.place,
                        f"{name} of container {container['name'].text} is written into the task definition, where "
                        "ecs:DescribeTaskDefinition shows it",
                    )


RULE = Rule(
    severity=Severity.WARNING,
    title="A secret in the environment",
    why="Task definitions are kept for ever and shown in the console, in CloudTrail and to everyone who may describe "
    "them.",
    fix="Keep the value in Secrets Manager or Parameter Store and name it under `secrets`.",
    source="https://docs.aws.amazon.com/AmazonECS/latest/developerguide/specifying-sensitive-data.html",
    check=check,
    example=Example(
        file="task-definition.json",
        bad='{"family": "api", "memory": "2048", "containerDefinitions": [{"name": "api", "image": "api:1.4.0", '
        '"environment": [{"name": "DB_PASSWORD", "value": "hunter2"}]}]}',
        good='{"family": "api", "memory": "2048", "containerDefinitions": [{"name": "api", "image": "api:1.4.0", '
        '"secrets": [{"name": "DB_PASSWORD", '
        '"valueFrom": "arn:aws:secretsmanager:us-east-1:111122223333:secret:db-AbCdEf"}]}]}',
    ),
)
