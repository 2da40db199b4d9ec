"""Log options that awslogs needs."""

from collections.abc import Iterator

from inferfleet.deploy.lint import ecs
from inferfleet.deploy.lint.rule import Example, Match, Rule, Severity, Workspace


def check(world: Workspace) -> Iterator[Match]:
    """Finds awslogs configurations without what is required."""
    for task in ecs.tasks(world):
        fargate = ecs.on_fargate(task, world)
        for container in ecs.containers(task):
            log = container["logConfiguration"]
            if log["logDriver"].text != "awslogs" or task.excerpted:
                continue
            needed = ["awslogs-group", "awslogs-region", *(["awslogs-stream-prefix"] if fargate else [])]
            missing = [key for key in needed if key not in log["options"]]
            if missing:
                yield Match(log.place, f"container {container['name'].text} logs without {', '.join(missing)}")


RULE = Rule(
    severity=Severity.ERROR,
    title="awslogs without its required options",
    why="awslogs-group and awslogs-region are required, and on Fargate awslogs-stream-prefix too.",
    fix="Give all three.",
    source="https://docs.aws.amazon.com/AmazonECS/latest/APIReference/API_LogConfiguration.html",
    check=check,
    example=Example(
        file="task-definition.json",
        bad='{"family": "api", "memory": "2048", "containerDefinitions": [{"name": "api", "image": "api:1.4.0", '
        '"logConfiguration": {"logDriver": "awslogs", "options": {"awslogs-region": "us-east-1"}}}]}',
        good='{"family": "api", "memory": "2048", "containerDefinitions": [{"name": "api", "image": "api:1.4.0", '
        '"logConfiguration": {"logDriver": "awslogs", "options": '
        '{"awslogs-group": "/ecs/api", "awslogs-region": "us-east-1"}}}]}',
    ),
)
