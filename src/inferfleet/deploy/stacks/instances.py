"""Instances of our own for tasks: an Auto Scaling group behind a capacity provider that starts and stops them."""

from __future__ import annotations

import re

import aws_cdk as cdk
from aws_cdk import aws_autoscaling as autoscaling
from aws_cdk import aws_ec2 as ec2
from aws_cdk import aws_ecs as ecs
from aws_cdk import aws_iam as iam
from constructs import Construct

from inferfleet.config.fleet_capacity import Ec2Capacity
from inferfleet.deploy import instances
from inferfleet.deploy.stacks.nag import acknowledge, wildcard_rule
from inferfleet.deploy.stacks.network import FleetNetwork

AMI_PARAMETERS = "/aws/service/ecs/optimized-ami/amazon-linux-2023"
"""Where AWS publishes the current images for ECS: Amazon Linux 2023, with driver and DCGM below `gpu`."""

_GRAVITON = re.compile(r"[a-z]+\d+g[a-z-]*\.")
_BUSY_PERCENT = 100
_WARM_UP_SECONDS = 300


class InstanceCapacity(Construct):
    """EC2 instances for ECS tasks, with GPUs or without.

    They run the current Amazon Linux 2023 image for ECS, with IMDSv2 that no container reaches (hop limit 1, and
    blocked for tasks), an encrypted root volume, and a role that can join this cluster and nothing else. ECS starts
    them for tasks that wait, drains them before they stop, and stops none that still has a task.

    Args:
        scope: The stack that it is in.
        id: Its name there.
        settings: An entry of `capacity` of a fleet.yaml.
        name: Name of the capacity provider.
        cluster: Name of the cluster.
        network: Where they run.
        stop_seconds: The longest time that a task may take to stop.
        tags: Tags of the instances, beside those of the stack.

    Attributes:
        provider: The capacity provider.
        group: The security group of the instances; nothing may connect to it.
        role: The role of the instances.
        scaling_group: The Auto Scaling group.
    """

    def __init__(
        self, scope: Construct, id: str, *, settings: Ec2Capacity, name: str, cluster: str, network: FleetNetwork,
        stop_seconds: int = 120, tags: dict[str, str] | None = None,
    ) -> None:  # fmt: skip
        super().__init__(scope, id)
        self.settings = settings
        self.group = ec2.SecurityGroup(self, "Group", vpc=network.vpc, description=f"Instances of {name}")
        network.let_in(self.group, "instances")
        self.role = iam.Role(
            self,
            "Role",
            assumed_by=iam.ServicePrincipal("ec2.amazonaws.com"),
            description=f"Instances of {name} join the cluster {cluster}",
            inline_policies={"agent": _agent_policy(self, cluster)},
        )
        its_instances = container_instances(self, cluster)
        acknowledge(
            self.role, wildcard_rule(its_instances), "An instance's id is known when it has joined its cluster."
        )
        acknowledge(self.role, wildcard_rule("*"), "Where to find the cluster is asked before one belongs to it.")
        template = self._template(cluster, stop_seconds)
        self.scaling_group = self._scaling_group(name, template, network, tags or {})
        why = "The root volume is encrypted; cdk-nag looks for it in a launch configuration, not in a template."
        acknowledge(self.scaling_group, "AwsSolutions-EC26", why)
        why = (
            "ECS starts and stops these instances all day; what needs a person is an alarm on tasks that wait for one."
        )
        acknowledge(self.scaling_group, "AwsSolutions-AS3", why)
        self.provider = ecs.CfnCapacityProvider(
            self,
            "Provider",
            name=name,
            auto_scaling_group_provider=ecs.CfnCapacityProvider.AutoScalingGroupProviderProperty(
                auto_scaling_group_arn=self.scaling_group.ref,
                managed_draining="ENABLED",
                managed_termination_protection="ENABLED",
                managed_scaling=ecs.CfnCapacityProvider.ManagedScalingProperty(
                    status="ENABLED",
                    target_capacity=_BUSY_PERCENT,
                    minimum_scaling_step_size=1,
                    maximum_scaling_step_size=10,
                    instance_warmup_period=_WARM_UP_SECONDS,
                ),
            ),
        )

    def _template(self, cluster: str, stop_seconds: int) -> ec2.LaunchTemplate:
        data = ec2.UserData.for_linux()
        data.add_commands(*user_data(self.settings, cluster, stop_seconds))
        return ec2.LaunchTemplate(
            self,
            "Template",
            machine_image=ec2.MachineImage.from_ssm_parameter(
                image_parameter(self.settings), os=ec2.OperatingSystemType.LINUX, user_data=data
            ),
            user_data=data,
            role=self.role,
            security_group=self.group,
            detailed_monitoring=True,
            http_tokens=ec2.LaunchTemplateHttpTokens.REQUIRED,
            http_put_response_hop_limit=1,
            block_devices=[
                ec2.BlockDevice(
                    device_name="/dev/xvda",
                    volume=ec2.BlockDeviceVolume.ebs(
                        self.settings.root_volume_gib, encrypted=True, volume_type=ec2.EbsDeviceVolumeType.GP3
                    ),
                )
            ],
        )

    def _scaling_group(
        self, name: str, template: ec2.LaunchTemplate, network: FleetNetwork, tags: dict[str, str]
    ) -> autoscaling.CfnAutoScalingGroup:
        settings, group = self.settings, autoscaling.CfnAutoScalingGroup
        return group(
            self,
            "ScalingGroup",
            min_size=str(settings.min),
            max_size=str(settings.max),
            vpc_zone_identifier=[subnet.subnet_id for subnet in network.private],
            # The capacity provider's termination protection takes this away from idle instances.
            new_instances_protected_from_scale_in=True,
            capacity_rebalance=settings.spot > 0,
            health_check_type="EC2",
            health_check_grace_period=_WARM_UP_SECONDS,
            mixed_instances_policy=group.MixedInstancesPolicyProperty(
                instances_distribution=group.InstancesDistributionProperty(
                    on_demand_base_capacity=settings.on_demand,
                    on_demand_percentage_above_base_capacity=100 - settings.spot,
                    on_demand_allocation_strategy="prioritized",
                    spot_allocation_strategy="price-capacity-optimized",
                ),
                launch_template=group.LaunchTemplateProperty(
                    launch_template_specification=group.LaunchTemplateSpecificationProperty(
                        launch_template_id=template.launch_template_id, version=template.latest_version_number
                    ),
                    overrides=[
                        group.LaunchTemplateOverridesProperty(instance_type=kind) for kind in settings.instances
                    ],
                ),
            ),
            tags=[
                # ECS adds this one itself; CloudFormation would take it away again.
                group.TagPropertyProperty(key="AmazonECSManaged", value="", propagate_at_launch=True),
                group.TagPropertyProperty(key="Name", value=name, propagate_at_launch=True),
                *(group.TagPropertyProperty(key=key, value=tags[key], propagate_at_launch=True) for key in tags),
            ],
        )


def has_gpus(settings: Ec2Capacity) -> bool:
    """Whether the instances have GPUs; types that the table does not know count by their family's letter."""
    known = instances.table().ec2
    return any(known[name].gpus > 0 if name in known else name[0] in "gp" for name in settings.instances)


def image_parameter(settings: Ec2Capacity) -> str:
    """The parameter that holds the id of the machine image."""
    arm = any(_GRAVITON.match(name) for name in settings.instances)
    kind = "/gpu" if has_gpus(settings) else "/arm64" if arm else ""
    return f"{AMI_PARAMETERS}{kind}/recommended/image_id"


def user_data(settings: Ec2Capacity, cluster: str, stop_seconds: int) -> list[str]:
    """The commands of an instance's first start: they write the agent's configuration.

    The agent is started by systemd once this is done; starting it from here would wait for itself.
    """
    lines = {
        "ECS_CLUSTER": cluster,
        "ECS_AWSVPC_BLOCK_IMDS": "true",
        "ECS_RESERVED_MEMORY": str(instances.AGENT_RESERVE_MIB),
        "ECS_CONTAINER_STOP_TIMEOUT": f"{stop_seconds}s",
        "ECS_IMAGE_PULL_BEHAVIOR": "prefer-cached",
        "ECS_ENABLE_TASK_IAM_ROLE": "true",
    }
    if has_gpus(settings):
        lines["ECS_ENABLE_GPU_SUPPORT"] = "true"
    if settings.spot:
        lines["ECS_ENABLE_SPOT_INSTANCE_DRAINING"] = "true"
    return ["cat >> /etc/ecs/ecs.config <<'END'", *(f"{key}={value}" for key, value in lines.items()), "END"]


def container_instances(scope: Construct, cluster: str) -> str:
    """The ARN of all container instances of a cluster."""
    stack = cdk.Stack.of(scope)
    return stack.format_arn(service="ecs", resource="container-instance", resource_name=f"{cluster}/*")


def _agent_policy(scope: Construct, cluster: str) -> iam.PolicyDocument:
    """What the ECS agent calls, on this cluster only. Images are pulled with the tasks' execution roles."""
    stack = cdk.Stack.of(scope)
    arn = stack.format_arn(service="ecs", resource="cluster", resource_name=cluster)
    its_instances = container_instances(scope, cluster)
    here = {"ArnEquals": {"ecs:cluster": arn}}
    return iam.PolicyDocument(
        statements=[
            iam.PolicyStatement(
                sid="Join",
                actions=[
                    "ecs:DeregisterContainerInstance",
                    "ecs:RegisterContainerInstance",
                    "ecs:SubmitAttachmentStateChanges",
                    "ecs:SubmitContainerStateChange",
                    "ecs:SubmitTaskStateChange",
                ],
                resources=[arn],
            ),
            iam.PolicyStatement(
                sid="Work",
                actions=["ecs:Poll", "ecs:StartTelemetrySession", "ecs:UpdateContainerInstancesState"],
                resources=[its_instances],
                conditions=here,
            ),
            iam.PolicyStatement(sid="FindEndpoint", actions=["ecs:DiscoverPollEndpoint"], resources=["*"]),
            iam.PolicyStatement(
                sid="TagOnJoining",
                actions=["ecs:TagResource"],
                resources=[arn, its_instances],
                conditions={"StringEquals": {"ecs:CreateAction": "RegisterContainerInstance"}},
            ),
        ]
    )
