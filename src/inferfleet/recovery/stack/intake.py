"""How events reach the Lambdas: exact rules, a queue and a dead-letter queue for each function, alarms on both."""

from aws_cdk import Duration
from aws_cdk import aws_cloudwatch as cloudwatch
from aws_cdk import aws_cloudwatch_actions as actions
from aws_cdk import aws_events as events
from aws_cdk import aws_events_targets as targets
from aws_cdk import aws_lambda as functions
from aws_cdk import aws_lambda_event_sources as sources
from aws_cdk import aws_sns as sns
from aws_cdk import aws_sqs as sqs
from constructs import Construct

from inferfleet.recovery.aws.rules import Rule

_RECEIVES = 5
"""Times that a message is tried before it goes to the dead-letter queue."""
_AT_ONCE = 5
"""Copies of a function that read a queue: more would only conflict over the same records."""
_LATE = Duration.minutes(10)


class Intake(Construct):
    """The rules and queues of one function, and the alarms that tell when it does not keep up."""

    def __init__(
        self, scope: Construct, key: str, *, function: functions.Function, timeout: Duration, rules: tuple[Rule, ...]
    ) -> None:
        super().__init__(scope, key)
        self.dead = _queue(self, "Dead", retention=Duration.days(14))
        self.queue = _queue(
            self,
            "Queue",
            retention=Duration.days(4),
            # What Lambda recommends: six times the function's timeout, so that a batch is not seen twice.
            visibility=Duration.seconds(6 * int(timeout.to_seconds())),
            dead=self.dead,
        )
        function.add_event_source(
            sources.SqsEventSource(self.queue, batch_size=10, report_batch_item_failures=True, max_concurrency=_AT_ONCE)
        )
        for rule in rules:
            pattern = rule.pattern
            events.Rule(
                self,
                rule.name,
                description=f"GPU recovery: to {rule.function}",
                event_pattern=events.EventPattern(
                    source=pattern["source"], detail_type=pattern["detail-type"], detail=pattern.get("detail")
                ),
                targets=[targets.SqsQueue(self.queue, dead_letter_queue=self.dead)],
            )

    def alarms(self, topic: sns.ITopic) -> None:
        """Makes the alarms: something was given up, or waits too long."""
        given_up = self.dead.metric_approximate_number_of_messages_visible(period=Duration.minutes(1))
        waits = self.queue.metric_approximate_age_of_oldest_message(period=Duration.minutes(1))
        name = self.node.id
        given_up_about = f"{name}: events were given up; read its dead-letter queue, then redrive"
        alarm(self, "GivenUp", given_up, 1, topic=topic, about=given_up_about)
        late = int(_LATE.to_seconds())
        alarm(self, "Late", waits, late, topic=topic, about=f"{name}: events wait for more than ten minutes")


def alarm(
    scope: Construct,
    key: str,
    metric: cloudwatch.IMetric,
    threshold: float,
    *,
    topic: sns.ITopic,
    about: str,
    below: bool = False,
    periods: int = 1,
) -> None:
    """Makes an alarm that tells a topic when a metric reaches a threshold, or, with `below`, when it falls below it."""
    compare = cloudwatch.ComparisonOperator
    made = cloudwatch.Alarm(
        scope,
        key,
        metric=metric,
        threshold=threshold,
        evaluation_periods=periods,
        alarm_description=about,
        comparison_operator=compare.LESS_THAN_THRESHOLD if below else compare.GREATER_THAN_OR_EQUAL_TO_THRESHOLD,
        treat_missing_data=cloudwatch.TreatMissingData.BREACHING
        if below
        else cloudwatch.TreatMissingData.NOT_BREACHING,
    )
    made.add_alarm_action(actions.SnsAction(topic))


def _queue(
    scope: Construct,
    key: str,
    *,
    retention: Duration,
    visibility: Duration | None = None,
    dead: sqs.Queue | None = None,
) -> sqs.Queue:
    return sqs.Queue(
        scope,
        key,
        retention_period=retention,
        visibility_timeout=visibility,
        dead_letter_queue=None if dead is None else sqs.DeadLetterQueue(queue=dead, max_receive_count=_RECEIVES),
        encryption=sqs.QueueEncryption.SQS_MANAGED,
        enforce_ssl=True,
    )
