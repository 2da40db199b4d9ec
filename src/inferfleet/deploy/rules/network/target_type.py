"""A target group of instances for tasks that have addresses of their own."""

from collections.abc import Iterator

from inferfleet.deploy.lint import ecs, kinds
from inferfleet.deploy.lint.rule import Example, Match, Rule, Severity, Workspace


def check(world: Workspace) -> Iterator[Match]:
    """Finds target groups of type instance in files whose task definitions are all awsvpc."""
    for group in world.of(kinds.TARGET_GROUP):
        tasks = [task for task in ecs.tasks(world) if task.document is group.document]
        kind = group.node["TargetType"]
        awsvpc = tasks and all(task.node["networkMode"].text == "awsvpc" for task in tasks)
        if awsvpc and kind.text in ("", "instance") and (kind.known or not kind):
            yield Match(
                (kind or group.node).place, "awsvpc tasks are registered by address: the target type must be ip"
            )


RULE = Rule(
    severity=Severity.ERROR,
    title="The target type must be ip",
    why="An awsvpc task has a network interface and is no port of an instance. CreateService refuses a target group of "
    "type instance, which is the default.",
    fix="Create the target group with --target-type ip.",
    source="https://docs.aws.amazon.com/AmazonECS/latest/APIReference/API_LoadBalancer.html",
    check=check,
    example=Example(
        file="service.sh",
        bad="""
cat > task.json <<'EOF'
{"family": "api", "networkMode": "awsvpc", "memory": "2048",
 "containerDefinitions": [{"name": "api", "image": "api:1.4.0"}]}
EOF
aws elbv2 create-target-group --name api --protocol HTTP --port 8080 --vpc-id vpc-0a
""",
        good="""
cat > task.json <<'EOF'
{"family": "api", "networkMode": "awsvpc", "memory": "2048",
 "containerDefinitions": [{"name": "api", "image": "api:1.4.0"}]}
EOF
aws elbv2 create-target-group --name api --protocol HTTP --port 8080 --vpc-id vpc-0a --target-type ip
""",
    ),
)
