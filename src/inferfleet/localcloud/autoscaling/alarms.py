"""The two alarms that a target tracking policy has, as Application Auto Scaling makes them."""

from __future__ import annotations

import uuid
from typing import Any

from inferfleet.localcloud.autoscaling.decide import HIGH_MINUTES, LOW_MINUTES
from inferfleet.localcloud.autoscaling.metric import followed
from inferfleet.localcloud.autoscaling.records import Policy, Target
from inferfleet.localcloud.autoscaling.refusal import Refusal
from inferfleet.localcloud.calls import Calls
from inferfleet.localcloud.cloudwatch.metric import Metric

_LOW_SHARE = 0.9


class Alarms:
    """Makes and removes them in the emulated CloudWatch."""

    def __init__(self, calls: Calls) -> None:
        self._calls = calls

    def make(self, account: str, region: str, target: Target, policy: Policy) -> None:
        """Makes the alarms of a policy, and notes them in it.

        Raises:
            Refusal: The policy follows something that the local cloud does not have.
        """
        if policy.kind != "TargetTrackingScaling":
            return
        try:
            metric = followed(policy.configuration, target.identity)
        except (ValueError, KeyError) as error:
            raise Refusal("ValidationException", str(error)) from error
        if not isinstance(metric, Metric):
            return
        value = float(policy.configuration["TargetValue"])
        kinds = [("AlarmHigh", "GreaterThanThreshold", value, HIGH_MINUTES)]
        if not policy.configuration.get("DisableScaleIn"):
            kinds.append(("AlarmLow", "LessThanThreshold", value * _LOW_SHARE, LOW_MINUTES))
        for kind, comparison, threshold, periods in kinds:
            name = f"TargetTracking-{target.identity.resource}-{kind}-{uuid.uuid4()}"
            self._cloudwatch(account, region).put_metric_alarm(
                AlarmName=name,
                AlarmDescription=f"DO NOT EDIT OR DELETE. For TargetTrackingScaling policy {policy.arn}.",
                ComparisonOperator=comparison,
                Threshold=threshold,
                EvaluationPeriods=periods,
                Period=60,
                AlarmActions=[policy.arn],
                Statistic=metric.statistic,
                **metric.described(),
            )
            policy.alarms.append((name, f"arn:aws:cloudwatch:{region}:{account}:alarm:{name}"))

    def remove(self, account: str, region: str, policy: Policy) -> None:
        """Removes the alarms of a policy."""
        if policy.alarms:
            self._cloudwatch(account, region).delete_alarms(AlarmNames=[name for name, _ in policy.alarms])
        policy.alarms.clear()

    def _cloudwatch(self, account: str, region: str) -> Any:
        return self._calls.client("cloudwatch", account, region)
