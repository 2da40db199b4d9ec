"""How many tasks a service has: Application Auto Scaling on CPU, requests, backlog, and the clock."""

from __future__ import annotations

from typing import Any

import aws_cdk as cdk
from aws_cdk import aws_applicationautoscaling as scaling
from aws_cdk import aws_ecs as ecs
from constructs import Construct

from inferfleet.config.fleet_service import MetricScaling, QueueScaling
from inferfleet.deploy.resolve import ResolvedFleet, ResolvedService
from inferfleet.deploy.stacks.balancer import ServiceBalancer

_Policy = scaling.CfnScalingPolicy
_MINUTE = 60
_INSIGHTS = "ECS/ContainerInsights"


class ServiceScaling(Construct):
    """Target tracking and scheduled limits of a service.

    Args:
        scope: The stack that it is in.
        id: Its name there.
        fleet: The fleet.
        service: The service; it has `scaling`.
        running: The ECS service.
        balancer: Its load balancer, where requests are counted.

    Attributes:
        target: The scalable target.
    """

    def __init__(
        self, scope: Construct, id: str, *, fleet: ResolvedFleet, service: ResolvedService, running: ecs.CfnService,
        balancer: ServiceBalancer | None = None,
    ) -> None:  # fmt: skip
        super().__init__(scope, id)
        assert service.spec.scaling is not None
        self._fleet, self._service, self._settings = fleet, service, service.spec.scaling
        self.target = scaling.CfnScalableTarget(
            self,
            "Target",
            service_namespace="ecs",
            scalable_dimension="ecs:service:DesiredCount",
            resource_id=f"service/{fleet.cluster}/{service.names.service}",
            min_capacity=self._settings.min,
            max_capacity=self._settings.max,
            scheduled_actions=[
                scaling.CfnScalableTarget.ScheduledActionProperty(
                    scheduled_action_name=f"limits-{number}",
                    schedule=schedule.cron,
                    timezone=schedule.timezone,
                    scalable_target_action=scaling.CfnScalableTarget.ScalableTargetActionProperty(
                        min_capacity=schedule.min, max_capacity=schedule.max
                    ),
                )
                for number, schedule in enumerate(self._settings.schedules, start=1)
            ]
            or None,
        )
        self.target.node.add_dependency(running)
        if self._settings.cpu is not None:
            self._predefined("Cpu", float(self._settings.cpu), "ECSServiceAverageCPUUtilization")
        if self._settings.requests is not None and balancer is not None:
            self._requests(self._settings.requests, balancer)
        if self._settings.queue is not None:
            self._backlog("Queue", _queue(self._settings.queue), self._settings.queue.per_task)
        if self._settings.metric is not None:
            self._backlog("Metric", _metric(self._settings.metric), self._settings.metric.target)

    def _track(self, name: str, target: float, **metric: Any) -> None:
        _Policy(
            self,
            name,
            policy_name=f"{self._service.names.service}-{name.lower()}",
            policy_type="TargetTrackingScaling",
            scaling_target_id=self.target.ref,
            target_tracking_scaling_policy_configuration=_Policy.TargetTrackingScalingPolicyConfigurationProperty(
                target_value=target,
                scale_in_cooldown=self._settings.scale_in_cooldown,
                scale_out_cooldown=self._settings.scale_out_cooldown,
                **metric,
            ),
        )

    def _predefined(self, name: str, target: float, kind: str, label: str | None = None) -> None:
        specification = _Policy.PredefinedMetricSpecificationProperty(predefined_metric_type=kind, resource_label=label)
        self._track(name, target, predefined_metric_specification=specification)

    def _requests(self, target: float, balancer: ServiceBalancer) -> None:
        """Requests a minute for each task: the metric belongs to a target group, and deployments may change which."""
        name = balancer.balancer.load_balancer_full_name
        if balancer.alternate is None:
            label = cdk.Fn.join("/", [name, balancer.targets.attr_target_group_full_name])
            self._predefined("Requests", target, "ALBRequestCountPerTarget", label)
            return
        queries = [
            _query(
                f"group{number}", "AWS/ApplicationELB", "RequestCountPerTarget", "Sum",
                {"LoadBalancer": name, "TargetGroup": group.attr_target_group_full_name},
            )
            for number, group in enumerate((balancer.targets, balancer.alternate), start=1)
        ]  # fmt: skip
        self._math("Requests", target, queries, "FILL(group1, 0) + FILL(group2, 0)")

    def _backlog(self, name: str, waiting: _Policy.TargetTrackingMetricDataQueryProperty, target: float) -> None:
        """What waits for each running task; all of it while none runs, so that the first can start."""
        dimensions = {"ClusterName": self._fleet.cluster, "ServiceName": self._service.names.service}
        running = _query("running", _INSIGHTS, "RunningTaskCount", "Average", dimensions)
        self._math(name, target, [waiting, running], "IF(FILL(running, 0) > 0, waiting / FILL(running, 1), waiting)")

    def _math(
        self, name: str, target: float, queries: list[_Policy.TargetTrackingMetricDataQueryProperty], expression: str
    ) -> None:
        result = _Policy.TargetTrackingMetricDataQueryProperty(id="result", expression=expression, return_data=True)
        specification = _Policy.CustomizedMetricSpecificationProperty(metrics=[*queries, result])
        self._track(name, target, customized_metric_specification=specification)


def _queue(settings: QueueScaling) -> _Policy.TargetTrackingMetricDataQueryProperty:
    name = "ApproximateNumberOfMessagesVisible"
    return _query("waiting", "AWS/SQS", name, "Average", {"QueueName": settings.name})


def _metric(settings: MetricScaling) -> _Policy.TargetTrackingMetricDataQueryProperty:
    return _query("waiting", settings.namespace, settings.name, settings.statistic, settings.dimensions)


def _query(
    id: str, namespace: str, name: str, statistic: str, dimensions: dict[str, str]
) -> _Policy.TargetTrackingMetricDataQueryProperty:
    return _Policy.TargetTrackingMetricDataQueryProperty(
        id=id,
        return_data=False,
        metric_stat=_Policy.TargetTrackingMetricStatProperty(
            stat=statistic,
            metric=_Policy.TargetTrackingMetricProperty(
                namespace=namespace,
                metric_name=name,
                dimensions=[
                    _Policy.TargetTrackingMetricDimensionProperty(name=key, value=value)
                    for key, value in dimensions.items()
                ],
            ),
        ),
    )
