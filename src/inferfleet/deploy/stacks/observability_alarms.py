"""The alarms of one service, and the metrics that are counted from its log. They live in the service's own stack.

Each alarm says what missing data means for it: no task metrics is as bad as no tasks, no requests is no error.
"""

from __future__ import annotations

from collections.abc import Sequence

import aws_cdk as cdk
from aws_cdk import aws_cloudwatch as cw
from aws_cdk import aws_logs as logs
from constructs import Construct

from inferfleet.deploy.resolve import ResolvedFleet, ResolvedService
from inferfleet.deploy.stacks.observability_metrics import (
    FIVE_MINUTES,
    MINUTE,
    alarm_name,
    log_metric,
    log_namespace,
    service_metric,
    video,
)
from inferfleet.deploy.stacks.rollback import SHARE_PERCENT, RollbackAlarm, failing_share

ERRORS = "Errors"
CAMERA_TROUBLES = "CameraTroubles"
SINK_FAILURES = "SinkFailures"
SINK_RECOVERIES = "SinkRecoveries"

CAMERA_EVENTS = ("camera reconnecting", "camera stalled", "camera failed")
"""What the worker logs when a camera gives no frames."""

STREAM_EVENT = "stream reading failed, trying again"
"""What the reader of a Kinesis video stream logs each time; it names the stream, not the camera."""

SINK_EVENTS = ("sink failed; trying again", "sink works again")
"""What the worker logs when a sink begins to take nothing, and when it takes events again."""

_SINK_MINUTES = 15
_FEW_REQUESTS = 20
_LATE_MILLISECONDS = 60_000
_FULL_PERCENT = 90


class BalancerMetrics:
    """The metrics of an application load balancer by its CloudFormation names.

    Args:
        load_balancer: Its full name: `app/<name>/<id>`.
        target_groups: The full names of its target groups.
    """

    def __init__(self, load_balancer: str, target_groups: Sequence[str]) -> None:
        self.load_balancer = load_balancer
        self._target_groups = tuple(target_groups)

    def sum(self, name: str) -> cw.Metric:
        """Returns a count of the whole load balancer over five minutes."""
        dimensions = {"LoadBalancer": self.load_balancer}
        return cw.Metric(
            namespace="AWS/ApplicationELB",
            metric_name=name,
            dimensions_map=dimensions,
            statistic="Sum",
            period=FIVE_MINUTES,
        )

    def hosts(self, name: str, statistic: str) -> cw.MathExpression:
        """Returns a number of targets over all target groups: only one of them has targets, but for a deployment."""
        metrics: dict[str, cw.IMetric] = {
            f"group{number}": cw.Metric(
                namespace="AWS/ApplicationELB",
                metric_name=name,
                dimensions_map={"LoadBalancer": self.load_balancer, "TargetGroup": group},
                statistic=statistic,
                period=MINUTE,
            )
            for number, group in enumerate(self._target_groups, start=1)
        }
        expression = " + ".join(f"FILL({key}, 0)" for key in metrics)
        return cw.MathExpression(expression=expression, using_metrics=metrics, period=MINUTE, label=name)


class ServiceAlarms(Construct):
    """Alarms of an ECS service, each by a name that begins with the fleet's and the service's.

    Args:
        scope: The stack that it is in: the service's.
        id: Its name there.
        fleet: The fleet.
        service: The service.
        actions: What is done when one goes off, and when it is over.
        log_group: The service's log group, for what is counted from its log.
        balancer: Its load balancer, where it has one.
        errors: The alarm that takes its deployments back, where there is one: it sees failing requests already.
        video_streams: The Kinesis video streams that it reads with GetMedia.

    Attributes:
        names: The names of the alarms.
    """

    def __init__(
        self, scope: Construct, id: str, *, fleet: ResolvedFleet, service: ResolvedService,
        actions: Sequence[cw.IAlarmAction], log_group: logs.ILogGroup, balancer: BalancerMetrics | None = None,
        errors: RollbackAlarm | None = None,
        video_streams: Sequence[str] = (),
    ) -> None:  # fmt: skip
        super().__init__(scope, id)
        self._fleet = fleet
        self._service = service
        self._actions = tuple(actions)
        self.names: list[str] = []
        self._tasks()
        if balancer is not None:
            self._requests(balancer, errors)
        if service.spec.kind != "container":
            # A container's log is its own affair; ours is JSON with a level.
            self._log(log_group)
        for stream in video_streams:
            self._video(stream)

    def _alarm(
        self, name: str, metric: cw.IMetric, *, above: float, minutes: int, missing: cw.TreatMissingData, says: str,
        below: bool = False, period_minutes: int = 1, tells_end: bool = True,
    ) -> None:  # fmt: skip
        comparison = cw.ComparisonOperator
        periods = minutes // period_minutes
        full_name = alarm_name(self._fleet, self._service.key, name)
        alarm = cw.Alarm(
            self,
            "".join(word.capitalize() for word in name.split("-")),
            alarm_name=full_name,
            alarm_description=says,
            metric=metric,
            threshold=above,
            comparison_operator=comparison.LESS_THAN_THRESHOLD if below else comparison.GREATER_THAN_THRESHOLD,
            evaluation_periods=periods,
            datapoints_to_alarm=periods,
            treat_missing_data=missing,
        )
        self._tell(alarm, full_name, tells_end=tells_end)

    def _tell(self, alarm: cw.Alarm, name: str, *, tells_end: bool = True) -> None:
        alarm.add_alarm_action(*self._actions)
        if tells_end:
            alarm.add_ok_action(*self._actions)
        self.names.append(name)

    def _tasks(self) -> None:
        key = self._service.key
        scaling = self._service.spec.scaling
        may_rest = self._service.count == 0 or (scaling is not None and scaling.min == 0)
        metrics: dict[str, cw.IMetric] = {
            "wanted": service_metric(self._fleet, self._service, "DesiredTaskCount"),
            "running": service_metric(self._fleet, self._service, "RunningTaskCount"),
        }
        self._alarm(
            "tasks",
            cw.MathExpression(expression="wanted - running", using_metrics=metrics, period=MINUTE, label="missing"),
            above=0,
            minutes=15,
            missing=cw.TreatMissingData.NOT_BREACHING if may_rest else cw.TreatMissingData.BREACHING,
            says=f"{key}: fewer tasks run than are wanted, for 15 minutes; `inferfleet status` says why.",
        )
        self._alarm(
            "memory",
            service_metric(self._fleet, self._service, "MemoryUtilization", namespace="AWS/ECS", statistic="Maximum"),
            above=_FULL_PERCENT,
            minutes=15,
            missing=cw.TreatMissingData.IGNORE,
            says=f"{key}: a task uses more than {_FULL_PERCENT} % of its memory; at 100 % it is killed.",
        )

    def _requests(self, balancer: BalancerMetrics, errors: RollbackAlarm | None) -> None:
        key = self._service.key
        quiet = cw.TreatMissingData.NOT_BREACHING
        if errors is None:
            self._alarm(
                "errors",
                failing_share(balancer.load_balancer, FIVE_MINUTES),
                above=SHARE_PERCENT,
                minutes=10,
                period_minutes=5,
                missing=quiet,
                says=f"{key}: more than {SHARE_PERCENT} % of requests end in an error of the service.",
            )
        else:
            self._tell(errors.alarm, errors.name)
        self._alarm(
            "unanswered",
            balancer.sum("HTTPCode_ELB_5XX_Count"),
            above=_FEW_REQUESTS / 2,
            minutes=5,
            period_minutes=5,
            missing=quiet,
            says=f"{key}: the load balancer itself answers with errors: no task took the request, or in time.",
        )
        self._alarm(
            "unhealthy",
            balancer.hosts("UnHealthyHostCount", "Maximum"),
            above=0,
            minutes=10,
            missing=quiet,
            says=f"{key}: tasks fail their health check, for 10 minutes.",
        )
        self._alarm(
            "no-healthy-task",
            balancer.hosts("HealthyHostCount", "Minimum"),
            above=1,
            below=True,
            minutes=3,
            missing=cw.TreatMissingData.BREACHING,
            says=f"{key}: no task is healthy; every request fails.",
        )

    def _log(self, group: logs.ILogGroup) -> None:
        key = self._service.key
        self._count(ERRORS, group, _any("$.level", "error", "critical"))
        self._alarm(
            "log-errors",
            log_metric(self._fleet, self._service, ERRORS),
            above=0 if self._service.spec.kind == "streams" else 4,
            minutes=5,
            period_minutes=5,
            missing=cw.TreatMissingData.NOT_BREACHING,
            says=f"{key}: its log tells of errors; `inferfleet logs` shows them.",
        )
        if self._service.spec.kind == "streams":
            self._cameras(group)

    def _cameras(self, group: logs.ILogGroup) -> None:
        self._count(CAMERA_TROUBLES, group, _events(*CAMERA_EVENTS, STREAM_EVENT))
        self._count(f"{CAMERA_TROUBLES}ByCamera", group, _events(*CAMERA_EVENTS), {"Camera": "$.camera"})
        failed, works = SINK_EVENTS
        self._count(SINK_FAILURES, group, _events(failed))
        self._count(SINK_RECOVERIES, group, _events(works))
        self._alarm(
            "cameras",
            log_metric(self._fleet, self._service, CAMERA_TROUBLES),
            above=1,
            minutes=15,
            period_minutes=5,
            missing=cw.TreatMissingData.NOT_BREACHING,
            says=f"{self._service.key}: a camera has given no frames for 15 minutes; `/status` and the log name it.",
        )
        self._sinks()

    def _sinks(self) -> None:
        """A sink's failure is logged when it begins, so the alarm cannot tell when it is over."""
        period = cdk.Duration.minutes(_SINK_MINUTES)
        metrics: dict[str, cw.IMetric] = {
            "failed": log_metric(self._fleet, self._service, SINK_FAILURES).with_(period=period),
            "works": log_metric(self._fleet, self._service, SINK_RECOVERIES).with_(period=period),
        }
        self._alarm(
            "sinks",
            cw.MathExpression(
                expression="IF(failed > works, 1, 0)", using_metrics=metrics, period=period, label="down"
            ),
            above=0,
            minutes=_SINK_MINUTES,
            period_minutes=_SINK_MINUTES,
            missing=cw.TreatMissingData.NOT_BREACHING,
            says=f"{self._service.key}: a sink takes no events; they wait in the spool until it works again.",
            tells_end=False,
        )

    def _count(
        self, name: str, group: logs.ILogGroup, pattern: logs.IFilterPattern, dimensions: dict[str, str] | None = None
    ) -> None:
        logs.MetricFilter(
            self,
            f"{name}Filter",
            log_group=group,
            filter_pattern=pattern,
            metric_namespace=log_namespace(self._fleet, self._service),
            metric_name=name,
            metric_value="1",
            # A metric with dimensions cannot have a default: CloudWatch would not know of which camera.
            default_value=None if dimensions else 0,
            dimensions=dimensions,
        )

    def _video(self, stream: str) -> None:
        self._alarm(
            f"video-{stream}",
            video(stream, "GetMedia.MillisBehindNow", "Minimum"),
            above=_LATE_MILLISECONDS,
            minutes=15,
            missing=cw.TreatMissingData.BREACHING,
            says=f"{stream}: nobody reads this stream, or a minute behind the present, for 15 minutes.",
        )


def _events(*events: str) -> logs.IFilterPattern:
    return _any("$.event", *events)


def _any(field: str, *values: str) -> logs.IFilterPattern:
    return logs.FilterPattern.any(*(logs.FilterPattern.string_value(field, "=", value) for value in values))
