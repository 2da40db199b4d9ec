"""What takes a deployment back: an alarm on the share of requests that fail, watched while a version takes over."""

from __future__ import annotations

import aws_cdk as cdk
from aws_cdk import aws_cloudwatch as cw
from constructs import Construct

SHARE_PERCENT = 5
_FEW_REQUESTS = 20
_MINUTE = cdk.Duration.minutes(1)


def failing_share(load_balancer: str, period: cdk.Duration) -> cw.MathExpression:
    """The share of requests, in percent, that a service answers with an error; none while there are few.

    Args:
        load_balancer: The full name of its load balancer: `app/<name>/<id>`.
        period: Over what time.
    """
    counts: dict[str, cw.IMetric] = {
        key: cw.Metric(
            namespace="AWS/ApplicationELB",
            metric_name=metric,
            dimensions_map={"LoadBalancer": load_balancer},
            statistic="Sum",
            period=period,
        )
        for key, metric in {"requests": "RequestCount", "failed": "HTTPCode_Target_5XX_Count"}.items()
    }
    return cw.MathExpression(
        expression=f"IF(requests > {_FEW_REQUESTS}, 100 * FILL(failed, 0) / requests, 0)",
        using_metrics=counts,
        period=period,
        label="failed requests in percent",
    )


class RollbackAlarm(Construct):
    """An alarm of a load balancer that ECS watches during deployments.

    Circuit breakers see tasks that do not become healthy; this sees those that are healthy and answer with errors.

    Args:
        scope: The stack that it is in.
        id: Its name there.
        name: The alarm's name.
        load_balancer: The full name of the load balancer: `app/<name>/<id>`.

    Attributes:
        name: Its name.
        alarm: The alarm.
    """

    def __init__(self, scope: Construct, id: str, *, name: str, load_balancer: str) -> None:
        super().__init__(scope, id)
        self.name = name
        self.alarm = cw.Alarm(
            self,
            "Alarm",
            alarm_name=name,
            alarm_description=f"More than {SHARE_PERCENT} % of requests fail. ECS watches it during deployments only.",
            metric=failing_share(load_balancer, _MINUTE),
            threshold=SHARE_PERCENT,
            comparison_operator=cw.ComparisonOperator.GREATER_THAN_THRESHOLD,
            evaluation_periods=3,
            datapoints_to_alarm=2,
            # Nobody asks: nothing fails.
            treat_missing_data=cw.TreatMissingData.NOT_BREACHING,
        )
