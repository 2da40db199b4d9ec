"""What watches over a fleet: the topic by which people are told, its dashboard, alarms of its capacity, its budget."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import aws_cdk as cdk
from aws_cdk import aws_budgets as budgets
from aws_cdk import aws_cloudwatch as cw
from aws_cdk import aws_cloudwatch_actions as actions
from aws_cdk import aws_iam as iam
from aws_cdk import aws_sns as sns
from aws_cdk import aws_sns_subscriptions as subscriptions
from constructs import Construct

from inferfleet.config.cameras import CamerasFile
from inferfleet.deploy import configuration
from inferfleet.deploy.resolve import ResolvedFleet, capacity_provider, ecs_capacity
from inferfleet.deploy.stacks import observability_dashboard as dashboard
from inferfleet.deploy.stacks.balancer import ServiceBalancer
from inferfleet.deploy.stacks.base import FleetStack, output
from inferfleet.deploy.stacks.observability_alarms import BalancerMetrics, ServiceAlarms
from inferfleet.deploy.stacks.observability_metrics import alarm_name, provider_reservation
from inferfleet.deploy.stacks.service import ServiceStack

_PUBLISHERS = ("cloudwatch.amazonaws.com", "budgets.amazonaws.com")


def topic_name(fleet: ResolvedFleet) -> str:
    """The name of the topic of a fleet's alerts."""
    topic = fleet.file.alerts.topic
    return topic.rpartition(":")[2] if topic else f"{fleet.file.name}-alerts"


def is_watched(fleet: ResolvedFleet) -> bool:
    """Whether there is anything that watches over a fleet, beside the alarms in the stacks of its services."""
    file = fleet.file
    has_topic = file.alerts.topic is not None and file.alerts.topic.startswith("arn:")
    has_instances = any(item.kind != "fargate" for item in ecs_capacity(fleet).values())
    return not has_topic or bool(file.alerts.emails or file.dashboards or file.budget or has_instances)


def topic_of(scope: Construct, id: str, fleet: ResolvedFleet) -> sns.ITopic:
    """Returns the topic of a fleet's alerts by its name, without a tie to the stack that it is in."""
    given = fleet.file.alerts.topic
    if given and given.startswith("arn:"):
        return sns.Topic.from_topic_arn(scope, id, given)
    arn = cdk.Stack.of(scope).format_arn(service="sns", resource=topic_name(fleet))
    return sns.Topic.from_topic_arn(scope, id, arn)


class AlertTopic(Construct):
    """The topic that alarms and the budget publish to, over TLS only, with its subscribers.

    Args:
        scope: The stack that it is in.
        id: Its name there.
        name: Its name.
        emails: Addresses; AWS asks each for a confirmation.
    """

    def __init__(self, scope: Construct, id: str, *, name: str, emails: Sequence[str]) -> None:
        super().__init__(scope, id)
        self.topic = sns.Topic(self, "Topic", topic_name=name, enforce_ssl=True)
        self.topic.add_to_resource_policy(
            iam.PolicyStatement(
                sid="WatchersPublish",
                actions=["sns:Publish"],
                principals=[iam.ServicePrincipal(service) for service in _PUBLISHERS],
                resources=[self.topic.topic_arn],
                conditions={"StringEquals": {"aws:SourceAccount": cdk.Stack.of(self).account}},
            )
        )
        for email in emails:
            self.topic.add_subscription(subscriptions.EmailSubscription(email))


class FleetObservability(Construct):
    """Topic, dashboard, capacity alarms and budget of a fleet.

    Args:
        scope: The stack that it is in.
        id: Its name there.
        fleet: The fleet.
        configurations: The cameras.yaml of its `streams` services, by key.
        service_alarms: Names of the alarms of its services, shown on the dashboard.

    Attributes:
        topic: The topic; an existing one when `alerts.topic` is an ARN.
        alarms: The alarms of the capacity.
        dashboard: The dashboard, if the fleet has one.
    """

    def __init__(
        self, scope: Construct, id: str, *, fleet: ResolvedFleet, configurations: dict[str, CamerasFile],
        service_alarms: Sequence[str] = (),
    ) -> None:  # fmt: skip
        super().__init__(scope, id)
        self.topic = self._topic(fleet)
        self.alarms = [
            self._capacity_alarm(fleet, name) for name, item in ecs_capacity(fleet).items() if item.kind != "fargate"
        ]
        self.dashboard: cw.Dashboard | None = None
        if fleet.file.dashboards:
            shown = [*self.alarms, *(self._alarm(name) for name in service_alarms)]
            self.dashboard = cw.Dashboard(
                self,
                "Dashboard",
                dashboard_name=fleet.file.name,
                default_interval=dashboard.period(),
                widgets=dashboard.widgets(fleet, configurations, shown),
            )
        if fleet.file.budget is not None:
            self._budget(fleet, fleet.file.budget.monthly_usd)

    def _topic(self, fleet: ResolvedFleet) -> sns.ITopic:
        alerts = fleet.file.alerts
        if alerts.topic and alerts.topic.startswith("arn:"):
            topic = topic_of(self, "Topic", fleet)
            for email in alerts.emails:
                topic.add_subscription(subscriptions.EmailSubscription(email))
            return topic
        return AlertTopic(self, "Alerts", name=topic_name(fleet), emails=alerts.emails).topic

    def _capacity_alarm(self, fleet: ResolvedFleet, name: str) -> cw.Alarm:
        alarm = cw.Alarm(
            self,
            f"{name}Capacity",
            alarm_name=alarm_name(fleet, name, "capacity"),
            alarm_description=f"{name}: tasks have waited for an instance for 30 minutes. No quota, no capacity in "
            "AWS, or `max` is reached: the group's activity says which.",
            metric=provider_reservation(fleet, capacity_provider(fleet.file.name, name)),
            threshold=100,
            comparison_operator=cw.ComparisonOperator.GREATER_THAN_THRESHOLD,
            evaluation_periods=30,
            treat_missing_data=cw.TreatMissingData.NOT_BREACHING,
        )
        alarm.add_alarm_action(actions.SnsAction(self.topic))
        alarm.add_ok_action(actions.SnsAction(self.topic))
        return alarm

    def _alarm(self, name: str) -> cw.IAlarm:
        arn = cdk.Stack.of(self).format_arn(
            service="cloudwatch", resource="alarm", resource_name=name, arn_format=cdk.ArnFormat.COLON_RESOURCE_NAME
        )
        return cw.Alarm.from_alarm_arn(self, name, arn)

    def _budget(self, fleet: ResolvedFleet, monthly_usd: float) -> None:
        """A budget of what carries the fleet's tag, which must be activated as a cost allocation tag."""
        to = budgets.CfnBudget.SubscriberProperty(subscription_type="SNS", address=self.topic.topic_arn)
        thresholds = (("ACTUAL", 80), ("ACTUAL", 100), ("FORECASTED", 100))
        budgets.CfnBudget(
            self,
            "Budget",
            budget=budgets.CfnBudget.BudgetDataProperty(
                budget_name=f"{fleet.file.name}-monthly",
                budget_type="COST",
                time_unit="MONTHLY",
                budget_limit=budgets.CfnBudget.SpendProperty(amount=monthly_usd, unit="USD"),
                cost_filters={"TagKeyValue": [f"user:inferfleet:fleet${fleet.file.name}"]},
            ),
            notifications_with_subscribers=[
                budgets.CfnBudget.NotificationWithSubscribersProperty(
                    notification=budgets.CfnBudget.NotificationProperty(
                        notification_type=kind,
                        comparison_operator="GREATER_THAN",
                        threshold=percent,
                        threshold_type="PERCENTAGE",
                    ),
                    subscribers=[to],
                )
                for kind, percent in thresholds
            ],
        )


class ObservabilityStack(FleetStack):
    """What watches over a fleet as a stack. It refers to no other, so that each can change alone."""

    def __init__(
        self, scope: Construct, *, fleet: ResolvedFleet, folder: Path | None, service_alarms: Sequence[str] = ()
    ) -> None:
        super().__init__(
            scope, "observability", fleet=fleet, description=f"What watches over the fleet {fleet.file.name}"
        )
        self.observability = FleetObservability(
            self,
            "Observability",
            fleet=fleet,
            configurations=_cameras(fleet, folder),
            service_alarms=service_alarms,
        )
        output(self, "AlertTopicArn", self.observability.topic.topic_arn, "Who subscribes is told of alarms")
        if self.observability.dashboard is not None:
            output(self, "DashboardName", self.observability.dashboard.dashboard_name, "The CloudWatch dashboard")


def add_service_alarms(stack: ServiceStack, fleet: ResolvedFleet, folder: Path | None) -> ServiceAlarms:
    """Adds the alarms of a service to its stack.

    Args:
        stack: The service's stack.
        fleet: The fleet.
        folder: Where its `config` is.

    Raises:
        InputError: The service's configuration cannot be read.
    """
    service = stack.service
    config = configuration.read(service.spec, folder)
    alarms = ServiceAlarms(
        stack,
        "Alarms",
        fleet=fleet,
        service=service.spec,
        actions=[actions.SnsAction(topic_of(stack, "AlertTopic", fleet))],
        log_group=service.log_group,
        errors=service.rollback,
        balancer=_balancer_metrics(service.balancer) if service.balancer is not None else None,
        video_streams=dashboard.video_streams(config) if isinstance(config, CamerasFile) else (),
    )
    # Before its first tasks run there is nothing to watch, and no data would read as no tasks.
    alarms.node.add_dependency(service.service)
    return alarms


def _balancer_metrics(balancer: ServiceBalancer) -> BalancerMetrics:
    groups = [group for group in (balancer.targets, balancer.alternate) if group is not None]
    names = [group.attr_target_group_full_name for group in groups]
    return BalancerMetrics(balancer.balancer.load_balancer_full_name, names)


def _cameras(fleet: ResolvedFleet, folder: Path | None) -> dict[str, CamerasFile]:
    configs = {service.key: configuration.read(service, folder) for service in fleet.services}
    return {key: config for key, config in configs.items() if isinstance(config, CamerasFile)}
