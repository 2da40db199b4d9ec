"""The load balancer in front of a service: listeners, target groups, and the rule whose weights a deployment shifts."""

from __future__ import annotations

import aws_cdk as cdk
from aws_cdk import aws_ec2 as ec2
from aws_cdk import aws_elasticloadbalancingv2 as elb
from aws_cdk import aws_s3 as s3
from aws_cdk import aws_wafv2 as waf
from constructs import Construct

from inferfleet.config.fleet_service import LoadBalancer
from inferfleet.deploy.stacks.nag import acknowledge
from inferfleet.deploy.stacks.network import FleetNetwork

PRIVATE_RANGES = ("10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16")
"""RFC 1918: who may reach a load balancer that is not public."""

ACCESS_LOG_DAYS = 90


class AccessLogs(s3.Bucket):
    """A bucket for what a load balancer logs of each request: private, encrypted, kept for 90 days.

    A bucket that holds something cannot be deleted; `inferfleet destroy` empties it first.

    Args:
        scope: The stack that it is in.
        id: Its name there.
    """

    def __init__(self, scope: Construct, id: str) -> None:
        super().__init__(
            scope,
            id,
            block_public_access=s3.BlockPublicAccess.BLOCK_ALL,
            encryption=s3.BucketEncryption.S3_MANAGED,
            enforce_ssl=True,
            lifecycle_rules=[s3.LifecycleRule(expiration=cdk.Duration.days(ACCESS_LOG_DAYS))],
            removal_policy=cdk.RemovalPolicy.DESTROY,
        )
        acknowledge(self, "AwsSolutions-S1", "It is the bucket of logs; who reads it is in CloudTrail.")


class ServiceBalancer(Construct):
    """An application load balancer with one or two target groups of tasks.

    Traffic that no rule takes gets a 404. With a certificate, plain HTTP is sent on to HTTPS.

    Args:
        scope: The stack that it is in.
        id: Its name there.
        name: The load balancer's name.
        settings: The `load_balancer` of a service.
        network: Where it stands.
        port: Port of the containers.
        health_path: Path that answers 200 when a task may have traffic.
        shifting: Whether deployments shift traffic between two target groups.

    Attributes:
        balancer: The load balancer.
        group: Its security group.
        targets: The target group.
        alternate: The second one, where deployments shift traffic.
        rule: The listener rule that leads to them.
        logs: The bucket of its access logs, if it has them.
    """

    def __init__(
        self, scope: Construct, id: str, *, name: str, settings: LoadBalancer, network: FleetNetwork, port: int,
        health_path: str, shifting: bool,
    ) -> None:  # fmt: skip
        super().__init__(scope, id)
        self.settings = settings
        self.group = ec2.SecurityGroup(
            self, "Group", vpc=network.vpc, description="The load balancer", allow_all_outbound=False
        )
        if settings.public:
            acknowledge(
                self.group,
                "AwsSolutions-EC23",
                "It is public: `load_balancer.public` says so, and only its ports are open.",
            )
        self.balancer = elb.ApplicationLoadBalancer(
            self,
            "Balancer",
            load_balancer_name=name,
            vpc=network.vpc,
            vpc_subnets=ec2.SubnetSelection(subnets=network.public if settings.public else network.private),
            internet_facing=settings.public,
            security_group=self.group,
            drop_invalid_header_fields=True,
            deletion_protection=settings.deletion_protection,
        )
        self.logs: s3.Bucket | None = None
        if settings.access_logs:
            self.logs = AccessLogs(self, "AccessLogs")
            self.balancer.log_access_logs(self.logs)
        if settings.waf is not None:
            waf.CfnWebACLAssociation(
                self, "Waf", resource_arn=self.balancer.load_balancer_arn, web_acl_arn=settings.waf
            )
        self.targets = self._target_group("Targets", network, port, health_path)
        self.alternate = self._target_group("Alternate", network, port, health_path) if shifting else None
        self.rule = self._rule(self._listener())

    def _target_group(self, name: str, network: FleetNetwork, port: int, path: str) -> elb.CfnTargetGroup:
        return elb.CfnTargetGroup(
            self,
            name,
            vpc_id=network.vpc.vpc_id,
            target_type="ip",
            protocol="HTTP",
            port=port,
            health_check_path=path,
            health_check_interval_seconds=10,
            health_check_timeout_seconds=5,
            healthy_threshold_count=2,
            unhealthy_threshold_count=3,
            matcher=elb.CfnTargetGroup.MatcherProperty(http_code="200"),
            target_group_attributes=[
                elb.CfnTargetGroup.TargetGroupAttributeProperty(
                    key="deregistration_delay.timeout_seconds", value=str(self.settings.deregistration_seconds)
                )
            ],
        )

    def _listener(self) -> elb.ApplicationListener:
        nothing = elb.ListenerAction.fixed_response(404, content_type="text/plain", message_body="no such path\n")
        if self.settings.certificate is None:
            self._open(80)
            return self.balancer.add_listener("Http", port=80, open=False, default_action=nothing)
        self._open(80)
        self._open(443)
        self.balancer.add_listener(
            "Redirect",
            port=80,
            open=False,
            default_action=elb.ListenerAction.redirect(protocol="HTTPS", port="443", permanent=True),
        )
        return self.balancer.add_listener(
            "Https",
            port=443,
            open=False,
            certificates=[elb.ListenerCertificate.from_arn(self.settings.certificate)],
            ssl_policy=elb.SslPolicy.TLS13_RES,
            default_action=nothing,
        )

    def _open(self, port: int) -> None:
        ranges = ("0.0.0.0/0",) if self.settings.public else PRIVATE_RANGES
        for cidr in ranges:
            self.group.add_ingress_rule(ec2.Peer.ipv4(cidr), ec2.Port.tcp(port))

    def _rule(self, listener: elb.ApplicationListener) -> elb.CfnListenerRule:
        groups = [self.targets] if self.alternate is None else [self.targets, self.alternate]
        weights = (100, 0)
        tuples = [
            elb.CfnListenerRule.TargetGroupTupleProperty(target_group_arn=group.ref, weight=weight)
            for group, weight in zip(groups, weights, strict=False)
        ]
        conditions = [elb.CfnListenerRule.RuleConditionProperty(field="path-pattern", values=list(self.settings.paths))]
        if self.settings.hosts:
            conditions.append(
                elb.CfnListenerRule.RuleConditionProperty(field="host-header", values=list(self.settings.hosts))
            )
        return elb.CfnListenerRule(
            self,
            "Rule",
            listener_arn=listener.listener_arn,
            priority=1,
            conditions=conditions,
            actions=[
                elb.CfnListenerRule.ActionProperty(
                    type="forward",
                    forward_config=elb.CfnListenerRule.ForwardConfigProperty(target_groups=tuples),
                )
            ],
        )

    @property
    def url(self) -> str:
        """Where it answers."""
        scheme = "http" if self.settings.certificate is None else "https"
        return cdk.Fn.join("", [f"{scheme}://", self.balancer.load_balancer_dns_name])
