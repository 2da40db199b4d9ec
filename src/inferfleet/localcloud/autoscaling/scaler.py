"""The loop that scales: reads what was measured, decides, and sets how many tasks services shall have."""

from __future__ import annotations

import logging
import threading
import time
import uuid
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from inferfleet.localcloud.autoscaling import decide, schedule
from inferfleet.localcloud.autoscaling.capacity import NoSuchService, ServiceName, Services
from inferfleet.localcloud.autoscaling.decide import LOW_MINUTES, Step, Stepping, Tracking
from inferfleet.localcloud.autoscaling.metric import followed
from inferfleet.localcloud.autoscaling.records import Activity, Policy, Records, Region, Target
from inferfleet.localcloud.calls import Calls
from inferfleet.localcloud.cloudwatch.metric import recent

_MINUTE_S = 60.0
_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class _Wish:
    """What a policy wants, and because of what."""

    policy: Policy
    capacity: int
    cause: str


class Scaler:
    """Scales, once a minute.

    Args:
        records: The targets and their policies.
        services: What is scaled.
        calls: Makes the clients.
        minute_s: Seconds that a minute of CloudWatch and of Application Auto Scaling takes here; 60 on AWS.
    """

    def __init__(self, records: Records, services: Services, calls: Calls, minute_s: int) -> None:
        self._records = records
        self._services = services
        self._calls = calls
        self._minute_s = minute_s
        self._stopped = threading.Event()
        self._thread = threading.Thread(target=self._run, name="autoscaling", daemon=True)
        self._since = datetime.now(UTC)

    def start(self) -> None:
        """Begins to scale."""
        self._thread.start()

    def stop(self) -> None:
        """Ends it."""
        self._stopped.set()

    def _run(self) -> None:
        while not self._stopped.wait(self._minute_s - time.time() % self._minute_s + 0.1):
            self.turn(time.time())

    def turn(self, now: float) -> None:
        """Looks at every target once.

        Args:
            now: The time, in seconds since the epoch.
        """
        moment = datetime.fromtimestamp(now, UTC)
        for account, name, region in self._records.regions():
            for target in list(region.targets.values()):
                try:
                    self._look_at(account, name, region, target, moment)
                except Exception:
                    _log.exception("cannot scale %s", target.identity.resource)
        self._since = moment

    def _look_at(self, account: str, name: str, region: Region, target: Target, moment: datetime) -> None:
        service = ServiceName.of(target.identity)
        if service is None:
            return
        causes = self._on_schedule(target, moment)
        try:
            capacity = self._services.desired(account, name, service)
        except NoSuchService:
            return
        wanted = min(max(capacity, target.least), target.most) if causes else capacity
        cause, winner = "; ".join(causes), None
        if wanted == capacity:
            wanted, winner, cause = self._by_policy(account, name, target, capacity, moment.timestamp())
        if wanted == capacity:
            return
        self._services.set(account, name, service, wanted)
        if winner is not None:
            winner.past = decide.after(winner.past, capacity, wanted, moment.timestamp())
        description = f"Setting desired count to {wanted}."
        region.did(Activity(str(uuid.uuid4()), target.identity, description, cause, moment.timestamp()))

    def _on_schedule(self, target: Target, moment: datetime) -> list[str]:
        """Applies the scheduled actions that are due; says which they were."""
        if target.suspended.get("ScheduledScalingSuspended"):
            return []
        causes = []
        for action in list(target.scheduled.values()):
            created = datetime.fromtimestamp(action.created, UTC)
            if (action.start and moment < action.start) or (action.end and moment > action.end):
                continue
            if schedule.due(action.schedule, action.timezone, created, max(self._since, created), moment) is None:
                continue
            target.least = target.least if action.least is None else action.least
            target.most = target.most if action.most is None else action.most
            causes.append(
                f"scheduled action name {action.name} was triggered: "
                f"minimum capacity was set to {target.least} and maximum capacity was set to {target.most}"
            )
        return causes

    def _by_policy(
        self, account: str, name: str, target: Target, capacity: int, now: float
    ) -> tuple[int, Policy | None, str]:
        """The number of tasks that the policies settle on, which of them it was, and the cause in words."""
        client = self._calls.client("cloudwatch", account, name)
        tracked: list[tuple[Tracking, int | None]] = []
        stepped: list[int] = []
        wishes: list[_Wish] = []
        for policy in list(target.policies.values()):
            if policy.kind == "TargetTrackingScaling":
                spec = self._tracking(policy)
                values = self._measured(client, target, policy, now)
                wish = decide.track(spec, values, capacity, policy.past, now)
                tracked.append((spec, wish))
                if wish is not None and wish != capacity:
                    wishes.append(_Wish(policy, wish, _tracking_cause(policy, wish > capacity)))
            else:
                for alarm, beyond in _alarms_for(client, policy):
                    wish = decide.step(self._stepping(policy), beyond, capacity, policy.past, now)
                    stepped.append(wish)
                    wishes.append(_Wish(policy, wish, _cause(alarm, policy)))
        wanted = decide.settle(tracked, stepped, capacity, target.least, target.most)
        blocked = "DynamicScalingOutSuspended" if wanted > capacity else "DynamicScalingInSuspended"
        if wanted == capacity or not wishes or target.suspended.get(blocked):
            return capacity, None, ""
        winner = min(wishes, key=lambda wish: (abs(wish.capacity - wanted), wish.policy.name))
        return wanted, winner.policy, winner.cause

    def _measured(self, client: Any, target: Target, policy: Policy, now: float) -> list[float | None]:
        """The metric of a policy in the minutes since the policy is there."""
        lived = int((now - policy.created) // self._minute_s)
        wanted = followed(policy.configuration, target.identity)
        if lived < 1:
            return []
        values = recent(client, wanted, now, self._minute_s, min(LOW_MINUTES, lived), sums_of_s=_MINUTE_S)
        return list(values.values())

    def _tracking(self, policy: Policy) -> Tracking:
        given = policy.configuration
        return Tracking(
            target=float(given["TargetValue"]),
            out_cooldown=self._here(given.get("ScaleOutCooldown", 300)),
            in_cooldown=self._here(given.get("ScaleInCooldown", 300)),
            scales_in=not given.get("DisableScaleIn", False),
        )

    def _stepping(self, policy: Policy) -> Stepping:
        given = policy.configuration
        steps = tuple(
            Step(
                float(item["ScalingAdjustment"]),
                item.get("MetricIntervalLowerBound"),
                item.get("MetricIntervalUpperBound"),
            )
            for item in given.get("StepAdjustments") or ()
        )
        return Stepping(
            given.get("AdjustmentType", "ChangeInCapacity"),
            steps,
            self._here(given.get("Cooldown", 300)),
            given.get("MinAdjustmentMagnitude", 0),
        )

    def _here(self, seconds: float) -> float:
        """A time of AWS's as it is here, where a minute may be shorter."""
        return float(seconds) * self._minute_s / _MINUTE_S


def _alarms_for(client: Any, policy: Policy) -> list[tuple[str, float]]:
    """The alarms in ALARM that call a policy, and how far their metrics are beyond their thresholds."""
    found = []
    for alarm in client.describe_alarms(StateValue="ALARM", AlarmTypes=["MetricAlarm"])["MetricAlarms"]:
        if policy.arn not in alarm.get("AlarmActions", ()):
            continue
        answer = client.get_metric_statistics(
            Namespace=alarm["Namespace"],
            MetricName=alarm["MetricName"],
            Dimensions=alarm["Dimensions"],
            StartTime=datetime.fromtimestamp(time.time() - 3 * alarm["Period"], UTC),
            EndTime=datetime.now(UTC),
            Period=alarm["Period"],
            Statistics=[alarm["Statistic"]],
        )
        points = sorted(answer["Datapoints"], key=lambda point: point["Timestamp"])
        value = points[-1][alarm["Statistic"]] if points else alarm["Threshold"]
        found.append((alarm["AlarmName"], float(value - alarm["Threshold"])))
    return found


def _tracking_cause(policy: Policy, more: bool) -> str:
    kind = "AlarmHigh" if more else "AlarmLow"
    return _cause(next((name for name, _ in policy.alarms if kind in name), kind), policy)


def _cause(alarm: str, policy: Policy) -> str:
    return f"monitor alarm {alarm} in state ALARM triggered policy {policy.name}"
