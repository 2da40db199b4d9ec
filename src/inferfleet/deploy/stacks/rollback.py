"""What takes a deployment back: an alarm on the share of requests that fail, watched while a version takes over."""

from __future__ import annotations

import aws_cdk as cdk
from aws_cdk import aws_cloudwatch as cw
from constructs import Construct

SHARE_PERCENT = 5
_FEW_REQUESTS = 20
_MINUTE = cdk.Duration.minutes(1)


class RollbackAlarm(Construct):
    """An alarm of a load balancer that ECS watches during deployments.

    Circuit breakers see tasks that do not become healthy; this sees those that are healthy and answer with errors.

    Args:
        scope: The stack that it is in.
        id: Its name there.
        name: The alarm's name.
        load_balancer: The full name of the load balancer: `app/<name>/<id>`.

    Attributes:
        alarm: The alarm.
    """

    def __init__(self, scope: Construct, id: str, *, name: str, load_balancer: str) -> None:
        super().__init__(scope, id)
        counts: dict[str, cw.IMetric] = {
            key: cw.Metric(
                namespace="AWS/ApplicationELB",
                metric_name=metric,
                dimensions_map={"LoadBalancer": load_balancer},
                statistic="Sum",
                period=_MINUTE,
            )
            for key, metric in {"requests": "RequestCount", "failed": "HTTPCode_Target_5XX_Count"}.items()
        }
        self.alarm = cw.Alarm(
            self,
            "Alarm",
            alarm_name=name,
            alarm_description=f"More than {SHARE_PERCENT} % of requests fail. ECS watches it during deployments only.",
            metric=cw.MathExpression(
                expression=f"IF(requests > {_FEW_REQUESTS}, 100 * FILL(failed, 0) / requests, 0)",
                using_metrics=counts,
                period=_MINUTE,
                label="failed requests in percent",
            ),
            threshold=SHARE_PERCENT,
            comparison_operator=cw.ComparisonOperator.GREATER_THAN_THRESHOLD,
            evaluation_periods=3,
            datapoints_to_alarm=2,
            # Nobody asks: nothing fails.
            treat_missing_data=cw.TreatMissingData.NOT_BREACHING,
        )
