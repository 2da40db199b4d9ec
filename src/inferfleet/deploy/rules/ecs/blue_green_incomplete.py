"""A traffic-shifting deployment without what it shifts."""

from collections.abc import Iterator

from inferfleet.deploy.lint import ecs
from inferfleet.deploy.lint.rule import Example, Match, Rule, Severity, Workspace


def check(world: Workspace) -> Iterator[Match]:
    """Finds blue/green, canary and linear services whose load balancer has no alternate target group."""
    for service in ecs.services(world):
        strategy = service.node["deploymentConfiguration"]["strategy"]
        if strategy.text not in ("BLUE_GREEN", "CANARY", "LINEAR"):
            continue
        for balancer in service.node["loadBalancers"]:
            if balancer["targetGroupArn"] and not balancer["advancedConfiguration"]["alternateTargetGroupArn"]:
                message = f"service {ecs.name_of(service)}: {strategy.text} needs an alternateTargetGroupArn"
                yield Match(balancer.place, message)
        bake = service.node["deploymentConfiguration"]["bakeTimeInMinutes"]
        if strategy.text == "BLUE_GREEN" and not bake:
            yield Match(strategy.place, f"service {ecs.name_of(service)}: BLUE_GREEN needs bakeTimeInMinutes")


RULE = Rule(
    severity=Severity.ERROR,
    title="A blue/green deployment without its second half",
    why="ECS shifts traffic between two target groups with a listener rule and a role; CreateService refuses the "
    "strategy when the load balancer has no advancedConfiguration, and BLUE_GREEN without bakeTimeInMinutes.",
    fix="Give alternateTargetGroupArn, productionListenerRule and roleArn in advancedConfiguration, and a bake time.",
    source="https://docs.aws.amazon.com/AmazonECS/latest/developerguide/deployment-type-blue-green.html",
    check=check,
    example=Example(
        file="service.json",
        bad="""
{"serviceName": "api", "taskDefinition": "api", "desiredCount": 2,
 "deploymentConfiguration": {"strategy": "BLUE_GREEN", "bakeTimeInMinutes": 10},
 "loadBalancers": [{"targetGroupArn": "${BLUE}", "containerName": "api", "containerPort": 8080}]}
""",
        good="""
{"serviceName": "api", "taskDefinition": "api", "desiredCount": 2,
 "deploymentConfiguration": {"strategy": "BLUE_GREEN", "bakeTimeInMinutes": 10},
 "loadBalancers": [{"targetGroupArn": "${BLUE}", "containerName": "api", "containerPort": 8080,
   "advancedConfiguration": {"alternateTargetGroupArn": "${GREEN}", "productionListenerRule": "${RULE}",
     "roleArn": "arn:aws:iam::111122223333:role/ecsInfrastructureRole"}}]}
""",
    ),
)
