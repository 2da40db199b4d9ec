"""`EcsGpuRecoveryStack`: all of recovery for one ECS cluster, whoever made that cluster."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from aws_cdk import Annotations, ArnFormat, CfnOutput, Duration, RemovalPolicy, Stack
from aws_cdk import aws_events as events
from aws_cdk import aws_events_targets as targets
from aws_cdk import aws_iam as iam
from aws_cdk import aws_lambda as functions
from aws_cdk import aws_logs as logs
from aws_cdk import aws_sns as sns
from aws_cdk import aws_sns_subscriptions as subscriptions
from constructs import Construct

from inferfleet.config.fleet import FleetFile
from inferfleet.errors import InputError
from inferfleet.recovery.aws.permissions import Scope, lambda_grants, policy
from inferfleet.recovery.aws.rules import rules
from inferfleet.recovery.aws.settings import environment_of
from inferfleet.recovery.stack.asset import code_folder
from inferfleet.recovery.stack.intake import Intake, alarm
from inferfleet.recovery.stack.nag import acknowledge, acknowledge_grants
from inferfleet.recovery.stack.options import Options, options_for
from inferfleet.recovery.stack.tables import make_tables
from inferfleet.recovery.stack.tasks import diagnosis_task, node_agent

STACK_NAME = "EcsGpuRecoveryStack"
RECONCILER = "Reconciler"
_HANDLERS = {
    "EcsTaskHandler": "ecs_task_handler",
    "DcgmTaskMonitor": "dcgm_task_monitor",
    "EcsInstanceMonitor": "ecs_instance_monitor",
    RECONCILER: "reconciler",
}
_ABOUT = {
    "EcsTaskHandler": "GPU recovery: finds out whether a GPU is to blame when a task stops",
    "DcgmTaskMonitor": "GPU recovery: acts on the verdict of a diagnosis",
    "EcsInstanceMonitor": "GPU recovery: follows instances, their agents and their faults",
    RECONCILER: "GPU recovery: each minute compares what is known with what ECS and EC2 show",
}


class EcsGpuRecovery(Construct):
    """Tables, Lambdas, queues, rules, alarms, the topic, the diagnosis and the node agent.

    Attributes:
        topic: Tells what needs a person.
        tables: The DynamoDB tables, by kind of record.
        functions: The Lambda functions, by name.
    """

    def __init__(self, scope: Construct, key: str, options: Options) -> None:
        """Makes all of it.

        Args:
            scope: A stack, or a construct in one.
            key: The construct's id.
            options: What to deploy.
        """
        super().__init__(scope, key)
        self.options = options
        self.topic = self._topic()
        self.tables = make_tables(self, options.settings)
        diagnosis = diagnosis_task(self, options)
        self._settings = replace(options.settings, topic=self.topic.topic_arn, diagnosis_task=diagnosis.name)
        here = Stack.of(self)
        self._scope = Scope(
            account=here.account,
            region=here.region,
            settings=self._settings,
            task_roles=(*diagnosis.roles, *options.task_roles),
            log_group=here.format_arn(
                service="logs",
                resource="log-group",
                resource_name=diagnosis.log_group_name,
                arn_format=ArnFormat.COLON_RESOURCE_NAME,
            ),
            partition=here.partition,
        )
        self.functions = self._functions(diagnosis.log_group_name)
        self._intakes()
        self._each_minute()
        if options.agent_image:
            node_agent(self, options, self._scope)
        else:
            Annotations.of(self).add_info(
                "no node agent: faults are found when a task dies, not before; name an image with NODE_AGENT_IMAGE, "
                "or with recovery.agent_image"
            )

    def _topic(self) -> sns.Topic:
        topic = sns.Topic(
            self,
            "Topic",
            topic_name=self.options.topic_name,
            display_name=self.options.topic_display_name,
            enforce_ssl=True,
        )
        topic.add_to_resource_policy(
            iam.PolicyStatement(
                principals=[iam.ServicePrincipal("cloudwatch.amazonaws.com")],
                actions=["sns:Publish"],
                resources=[topic.topic_arn],
                conditions={"StringEquals": {"aws:SourceAccount": Stack.of(self).account}},
            )
        )
        for address in self.options.emails:
            topic.add_subscription(subscriptions.EmailSubscription(address))
        return topic

    def _functions(self, diagnosis_log: str) -> dict[str, functions.Function]:
        """The four functions. Any observation may lead to any intent, so all of them may do the same."""
        role = iam.Role(
            self,
            "Role",
            assumed_by=iam.ServicePrincipal("lambda.amazonaws.com"),
            description=f"GPU recovery of the cluster {self._settings.cluster}",
            inline_policies={"recovery": iam.PolicyDocument.from_json(policy(lambda_grants(self._scope)))},
        )
        acknowledge_grants(role, lambda_grants, self._scope, log_group=diagnosis_log)
        with code_folder() as folder:
            code = functions.Code.from_asset(str(folder))
            return {name: self._function(name, code, role) for name in _HANDLERS}

    def _function(self, name: str, code: functions.Code, role: iam.Role) -> functions.Function:
        group = logs.LogGroup(
            self, f"{name}Log", retention=logs.RetentionDays.ONE_MONTH, removal_policy=RemovalPolicy.DESTROY
        )
        group.grant_write(role)
        function = functions.Function(
            self,
            name,
            description=_ABOUT[name],
            code=code,
            handler=f"inferfleet.recovery.aws.handlers.{_HANDLERS[name]}",
            runtime=functions.Runtime.PYTHON_3_12,
            architecture=functions.Architecture.ARM_64,
            timeout=self._timeout,
            memory_size=self.options.memory_mib,
            environment=environment_of(self._settings),
            role=role,
            log_group=group,
            logging_format=functions.LoggingFormat.JSON,
        )
        acknowledge(function, "AwsSolutions-L1", "It is the newest runtime that recovery is tested on.")
        return function

    @property
    def _timeout(self) -> Duration:
        return Duration.seconds(self._settings.lease_seconds)

    def _intakes(self) -> None:
        here = Stack.of(self)
        arn = here.format_arn(service="ecs", resource="cluster", resource_name=self._settings.cluster)
        ours = rules(arn, self._settings.cluster)
        for name, function in self.functions.items():
            mine = tuple(rule for rule in ours if rule.function == name)
            if mine:
                Intake(self, f"{name}Intake", function=function, timeout=self._timeout, rules=mine).alarms(self.topic)

    def _each_minute(self) -> None:
        """Runs the reconciler each minute. One that fails is not repeated: the next minute's does the same."""
        function = self.functions[RECONCILER]
        function.configure_async_invoke(retry_attempts=0, max_event_age=Duration.minutes(1))
        events.Rule(
            self,
            "EachMinute",
            description="GPU recovery: reconcile",
            schedule=events.Schedule.rate(Duration.minutes(1)),
            targets=[targets.LambdaFunction(function, retry_attempts=0, max_event_age=Duration.minutes(1))],
        )
        five = Duration.minutes(5)
        failing, silent = function.metric_errors(period=five), function.metric_invocations(period=five)
        alarm(self, "Failing", failing, 3, topic=self.topic, about="the reconciler fails; read its log")
        alarm(self, "Silent", silent, 1, topic=self.topic, about="the reconciler does not run", below=True)


class EcsGpuRecoveryStack(Stack):
    """The stack, with outputs that say what was made."""

    def __init__(self, scope: Construct, key: str = STACK_NAME, *, options: Options, **given: Any) -> None:
        """Makes the stack.

        Args:
            scope: The CDK app.
            key: The stack's id.
            options: What to deploy.
            given: What every stack takes: `env`, `tags`, `stack_name` …
        """
        super().__init__(
            scope, key, description=f"GPU recovery for the ECS cluster {options.settings.cluster}", **given
        )
        # "Default" leaves no trace in the names of what is made, so they read as EcsGpuRecoveryStack-EcsTaskHandler…
        self.recovery = EcsGpuRecovery(self, "Default", options)
        CfnOutput(self, "ClusterName", value=options.settings.cluster)
        CfnOutput(self, "TopicArn", value=self.recovery.topic.topic_arn)
        for name, function in self.recovery.functions.items():
            CfnOutput(self, f"{name}Name", value=function.function_name)


def recovery_of(
    scope: Construct, fleet: FleetFile, *, cluster: str, images: Mapping[str, str], **given: Any
) -> EcsGpuRecoveryStack | None:
    """The stack of a fleet's `recovery:`; None if the fleet has none.

    Args:
        scope: The CDK app.
        fleet: The fleet.
        cluster: Name of its cluster.
        images: URIs to run of the images that the fleet builds, by their names.
        given: What every stack takes.

    Raises:
        InputError: The node agent's image is built by the fleet and not among `images`, or a limit makes no sense.
    """
    if fleet.recovery is None:
        return None
    options = options_for(
        fleet.recovery, cluster=cluster, agent_image=_agent_image(fleet, images), emails=fleet.alerts.emails
    )
    return EcsGpuRecoveryStack(scope, options=options, **given)


def _agent_image(fleet: FleetFile, images: Mapping[str, str]) -> str:
    name = (fleet.recovery.agent_image if fleet.recovery is not None else None) or ""
    if name in images:
        return images[name]
    image = fleet.images.get(name)
    if image is None:
        return name
    if image.uri is None:
        raise InputError(f"recovery.agent_image: {name!r} is built and no digest of it is known")
    return image.uri
