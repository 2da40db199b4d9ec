"""The two task definitions of recovery: the diagnosis that it runs on a suspect node, and the node agent, a daemon."""

import re
from dataclasses import dataclass
from pathlib import Path

from aws_cdk import RemovalPolicy, Stack
from aws_cdk import aws_ecs as ecs
from aws_cdk import aws_iam as iam
from aws_cdk import aws_logs as logs
from constructs import Construct

from inferfleet.recovery.aws.permissions import Scope, agent_grants, policy
from inferfleet.recovery.aws.settings import AGENT_SERVICE
from inferfleet.recovery.stack.nag import acknowledge, acknowledge_grants
from inferfleet.recovery.stack.options import Options

_NVML = "/usr/lib64/libnvidia-ml.so.1"
"""NVML on the ECS-optimised GPU AMIs; with the host's own copy the agent's image needs no driver of its own."""
_GPU_INSTANCES = "attribute:ecs.instance-type =~ (g|p)[0-9].*"
"""EC2's families with NVIDIA GPUs; on others of the cluster the agent would find none."""
_ECR = re.compile(r"^(?P<account>\d{12})\.dkr\.ecr\.(?P<region>[a-z0-9-]+)\.amazonaws\.com[^/]*/(?P<name>[^:@]+)")
_STREAM = "recovery"


@dataclass(frozen=True, slots=True)
class DiagnosisTask:
    """The diagnosis's task definition: its own name for RunTask, its log group, and the roles that come with it."""

    name: str
    log_group_name: str
    roles: tuple[str, ...]


def diagnosis_task(scope: Construct, options: Options) -> DiagnosisTask:
    """Makes the diagnosis's task definition, unless the settings name one that exists.

    NVIDIA's image runs as it is: what it has to do is a script in the definition. How many GPUs it asks for is said
    when it is run, since nodes differ.
    """
    settings = options.settings
    family = settings.diagnosis_task.rsplit("/", 1)[-1].split(":")[0]
    if not options.own_diagnosis:
        return DiagnosisTask(settings.diagnosis_task, f"/ecs/{family}", ())
    definition = ecs.Ec2TaskDefinition(scope, "Diagnosis", family=family, network_mode=ecs.NetworkMode.HOST)
    group = _log_group(scope, "DiagnosisLog", f"/ecs/{family}")
    script = Path(__file__).with_name("diagnose.sh").read_text()
    definition.add_container(
        settings.diagnosis_container,
        container_name=settings.diagnosis_container,
        image=ecs.ContainerImage.from_registry(options.diagnosis_image),
        entry_point=["/bin/sh", "-c", script, "diagnosis"],
        command=["diagnose", "--level", "1"],
        gpu_count=1,
        memory_reservation_mib=1024,
        privileged=True,
        logging=ecs.LogDrivers.aws_logs(stream_prefix=_STREAM, log_group=group),
    )
    _allow_pull(definition, options.diagnosis_image)
    roles = [definition.task_role.role_arn]
    if definition.execution_role is not None:
        roles.append(definition.execution_role.role_arn)
    return DiagnosisTask(family, f"/ecs/{family}", tuple(roles))


def node_agent(scope: Construct, options: Options, where: Scope) -> ecs.CfnService:
    """Makes the node agent: one task on each GPU instance, which the ECS agent keeps running."""
    definition = ecs.Ec2TaskDefinition(scope, "Agent", family=AGENT_SERVICE, network_mode=ecs.NetworkMode.HOST)
    grants = iam.PolicyDocument.from_json(policy(agent_grants(where)))
    attached = iam.Policy(scope, "AgentPolicy", document=grants, roles=[definition.task_role])
    acknowledge_grants(attached, agent_grants, where)
    acknowledge(definition, "AwsSolutions-ECS2", "Its variables are the region and which GPUs it sees.")
    container = definition.add_container(
        "agent",
        container_name="agent",
        image=ecs.ContainerImage.from_registry(options.agent_image),
        entry_point=["python", "-m", "inferfleet.recovery.aws.agent"],
        environment={"AWS_REGION": where.region, "NVIDIA_VISIBLE_DEVICES": "all"},
        memory_reservation_mib=128,
        memory_limit_mib=256,
        privileged=True,
        logging=ecs.LogDrivers.aws_logs(
            stream_prefix=_STREAM, log_group=_log_group(scope, "AgentLog", f"/ecs/{AGENT_SERVICE}")
        ),
    )
    _allow_pull(definition, options.agent_image)
    definition.add_volume(name="nvml", host=ecs.Host(source_path=_NVML))
    container.add_mount_points(
        ecs.MountPoint(source_volume="nvml", container_path="/usr/lib/libnvidia-ml.so.1", read_only=True)
    )
    return ecs.CfnService(
        scope,
        "AgentService",
        cluster=options.settings.cluster,
        service_name=AGENT_SERVICE,
        scheduling_strategy="DAEMON",
        launch_type="EC2",
        task_definition=definition.task_definition_arn,
        placement_constraints=[ecs.CfnService.PlacementConstraintProperty(type="memberOf", expression=_GPU_INSTANCES)],
    )


def _allow_pull(definition: ecs.Ec2TaskDefinition, image: str) -> None:
    """Lets the execution role pull an image from its ECR repository; other registries need no permission."""
    found = _ECR.match(image)
    if found is None:
        return
    partition = Stack.of(definition).partition
    repository = f"arn:{partition}:ecr:{found['region']}:{found['account']}:repository/{found['name']}"
    for actions, resource in (
        (["ecr:GetAuthorizationToken"], "*"),
        (["ecr:BatchCheckLayerAvailability", "ecr:BatchGetImage", "ecr:GetDownloadUrlForLayer"], repository),
    ):
        definition.add_to_execution_role_policy(iam.PolicyStatement(actions=actions, resources=[resource]))
    acknowledge(definition, "AwsSolutions-IAM5[Resource::*]", "GetAuthorizationToken takes no resource.")


def _log_group(scope: Construct, key: str, name: str) -> logs.LogGroup:
    return logs.LogGroup(
        scope,
        key,
        log_group_name=name,
        retention=logs.RetentionDays.ONE_MONTH,
        removal_policy=RemovalPolicy.DESTROY,
    )
