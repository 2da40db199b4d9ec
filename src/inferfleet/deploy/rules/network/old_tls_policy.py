"""An HTTPS listener that still speaks TLS 1.0."""

from collections.abc import Iterator

from inferfleet.deploy.lint import kinds
from inferfleet.deploy.lint.rule import Example, Match, Rule, Severity, Workspace

_OLD = ("ELBSecurityPolicy-2016-08", "ELBSecurityPolicy-TLS-1-0-2015-04", "ELBSecurityPolicy-TLS-1-1-2017-01")


def check(world: Workspace) -> Iterator[Match]:
    """Finds HTTPS listeners without a policy, or with an old one."""
    for listener in world.of(kinds.LISTENER):
        policy = listener.node["SslPolicy"]
        if listener.node["Protocol"].text not in ("HTTPS", "TLS"):
            continue
        if not policy:
            yield Match(
                listener.place, "without SslPolicy the listener takes ELBSecurityPolicy-2016-08, which allows TLS 1.0"
            )
        elif policy.text in _OLD:
            yield Match(policy.place, f"{policy.text} allows TLS 1.0 or 1.1")


RULE = Rule(
    severity=Severity.NOTE,
    title="TLS 1.0 is allowed",
    why="The default policy of a listener made through the API is the oldest one, for compatibility.",
    fix="Set SslPolicy to ELBSecurityPolicy-TLS13-1-2-2021-06 or a newer one.",
    source="https://docs.aws.amazon.com/elasticloadbalancing/latest/application/describe-ssl-policies.html",
    check=check,
    example=Example(
        file="balancer.sh",
        bad="aws elbv2 create-listener --load-balancer-arn $1 --protocol HTTPS --port 443 "
        "--certificates CertificateArn=$2 --default-actions Type=forward,TargetGroupArn=$3",
        good="aws elbv2 create-listener --load-balancer-arn $1 --protocol HTTPS --port 443 "
        "--ssl-policy ELBSecurityPolicy-TLS13-1-2-2021-06 "
        "--certificates CertificateArn=$2 --default-actions Type=forward,TargetGroupArn=$3",
    ),
)
