"""A load balancer wired to a container or port that the task definition does not have."""

from collections.abc import Iterator

from inferfleet.deploy.lint import ecs
from inferfleet.deploy.lint.rule import Example, Match, Rule, Severity, Workspace


def check(world: Workspace) -> Iterator[Match]:
    """Finds services whose load balancer names an unknown container or port."""
    for service in ecs.services(world):
        task = world.task_of(service)
        if task is None or task.excerpted:
            continue
        ports = {
            container["name"].text: {mapping["containerPort"].text for mapping in container["portMappings"]}
            for container in ecs.containers(task)
        }
        for balancer in service.node["loadBalancers"]:
            name, port = balancer["containerName"], balancer["containerPort"]
            if name.known and name.text not in ports:
                yield Match(name.place, f"the load balancer names container {name.text}; there are {', '.join(ports)}")
            elif name.known and port.known and port.text not in ports[name.text]:
                yield Match(port.place, f"the load balancer names port {port.text}, which {name.text} does not map")


RULE = Rule(
    severity=Severity.ERROR,
    title="The load balancer's container or port does not exist",
    why="CreateService refuses a load balancer whose containerName or containerPort is not in the task definition.",
    fix="Use the names and ports of the task definition.",
    source="https://docs.aws.amazon.com/AmazonECS/latest/APIReference/API_LoadBalancer.html",
    check=check,
    example=Example(
        file="service.json",
        bad='{"serviceName": "api", "taskDefinition": "api", "desiredCount": 2, "loadBalancers": '
        '[{"targetGroupArn": "${TARGET_GROUP}", "containerName": "api", "containerPort": 80}]}',
        good='{"serviceName": "api", "taskDefinition": "api", "desiredCount": 2, "loadBalancers": '
        '[{"targetGroupArn": "${TARGET_GROUP}", "containerName": "api", "containerPort": 8080}]}',
        beside={
            "task-definition.json": '{"family": "api", "memory": "2048", "containerDefinitions": '
            '[{"name": "api", "image": "api:1.4.0", "portMappings": [{"containerPort": 8080}]}]}'
        },
    ),
)
