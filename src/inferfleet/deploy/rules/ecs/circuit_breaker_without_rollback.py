"""A deployment circuit breaker that stops and stays."""

from collections.abc import Iterator

from inferfleet.deploy.lint import ecs
from inferfleet.deploy.lint.rule import Example, Match, Rule, Severity, Workspace


def check(world: Workspace) -> Iterator[Match]:
    """Finds circuit breakers that are on, with rollback off."""
    for service in ecs.services(world):
        breaker = service.node["deploymentConfiguration"]["deploymentCircuitBreaker"]
        if breaker["enable"].is_true and breaker and not breaker["rollback"].is_true:
            message = f"service {ecs.name_of(service)}: a failed deployment stops and nothing brings the old tasks back"
            yield Match(breaker.place, message)


RULE = Rule(
    severity=Severity.WARNING,
    title="A circuit breaker without rollback",
    why="When the breaker trips, the deployment is marked FAILED and the service keeps what is left of both revisions.",
    fix='Set "rollback": true.',
    source="https://docs.aws.amazon.com/AmazonECS/latest/developerguide/deployment-circuit-breaker.html",
    check=check,
    example=Example(
        file="service.json",
        bad="""
{"serviceName": "api", "taskDefinition": "api", "desiredCount": 2,
 "deploymentConfiguration": {"deploymentCircuitBreaker": {"enable": true, "rollback": false}}}
""",
        good="""
{"serviceName": "api", "taskDefinition": "api", "desiredCount": 2,
 "deploymentConfiguration": {"deploymentCircuitBreaker": {"enable": true, "rollback": true}}}
""",
    ),
)
