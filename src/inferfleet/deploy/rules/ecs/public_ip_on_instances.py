"""A public address asked for on instances."""

from collections.abc import Iterator

from inferfleet.deploy.lint import ecs
from inferfleet.deploy.lint.rule import Example, Match, Rule, Severity, Workspace


def check(world: Workspace) -> Iterator[Match]:
    """Finds services on EC2 with assignPublicIp or a platform version."""
    for service in ecs.services(world):
        on_instances = service.node["launchType"].text == "EC2"
        public = service.node["networkConfiguration"]["awsvpcConfiguration"]["assignPublicIp"]
        if on_instances and public.text == "ENABLED":
            yield Match(
                public.place, f"service {ecs.name_of(service)}: awsvpc tasks on EC2 cannot have a public address"
            )
        if on_instances and service.node["platformVersion"]:
            place = service.node["platformVersion"].place
            yield Match(place, f"service {ecs.name_of(service)}: a platformVersion is for Fargate only")


RULE = Rule(
    severity=Severity.ERROR,
    title="Fargate's settings on EC2",
    why="CreateService refuses assignPublicIp and platformVersion for tasks on instances. Such tasks reach the "
    "internet "
    "through a NAT gateway only.",
    fix="Leave both out and use private subnets with a NAT gateway or VPC endpoints.",
    source="https://docs.aws.amazon.com/AmazonECS/latest/developerguide/task-networking-awsvpc.html",
    check=check,
    example=Example(
        file="service.json",
        bad='{"serviceName": "api", "taskDefinition": "api", "desiredCount": 2, "launchType": "EC2", '
        '"networkConfiguration": {"awsvpcConfiguration": {"subnets": ["subnet-0a"], "assignPublicIp": "ENABLED"}}}',
        good='{"serviceName": "api", "taskDefinition": "api", "desiredCount": 2, "launchType": "EC2", '
        '"networkConfiguration": {"awsvpcConfiguration": {"subnets": ["subnet-0a"]}}}',
    ),
)
