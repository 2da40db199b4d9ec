"""ECS Managed Instances: AWS chooses, starts, patches, repairs and replaces the instances, GPU drivers included."""

from __future__ import annotations

import aws_cdk as cdk
from aws_cdk import aws_ec2 as ec2
from aws_cdk import aws_ecs as ecs
from aws_cdk import aws_iam as iam
from constructs import Construct

from inferfleet.config.fleet_capacity import ManagedCapacity
from inferfleet.deploy.stacks.network import FleetNetwork

_MIB = 1024
_INFRASTRUCTURE_POLICY = "AmazonECSInfrastructureRolePolicyForManagedInstances"
_INSTANCE_POLICY = "AmazonECSInstanceRolePolicyForManagedInstances"


class ManagedInstances(Construct):
    """A capacity provider of ECS Managed Instances.

    Args:
        scope: The stack that it is in.
        id: Its name there.
        settings: An entry of `capacity` of a fleet.yaml.
        name: Name of the capacity provider.
        cluster: The cluster that it belongs to.
        network: Where the instances run.

    Attributes:
        provider: The capacity provider.
        group: The security group of the instances; nothing may connect to it.
    """

    def __init__(
        self, scope: Construct, id: str, *, settings: ManagedCapacity, name: str, cluster: ecs.CfnCluster,
        network: FleetNetwork,
    ) -> None:  # fmt: skip
        super().__init__(scope, id)
        self.group = ec2.SecurityGroup(self, "Group", vpc=network.vpc, description=f"Instances of {name}")
        network.let_in(self.group, "instances")
        role = iam.Role(
            self,
            "Role",
            assumed_by=iam.ServicePrincipal("ec2.amazonaws.com"),
            description=f"Instances of {name}",
            managed_policies=[iam.ManagedPolicy.from_aws_managed_policy_name(_INSTANCE_POLICY)],
        )
        profile = iam.CfnInstanceProfile(self, "Profile", roles=[role.role_name])
        infrastructure = self._infrastructure_role(name, role)
        provider = ecs.CfnCapacityProvider
        self.provider = provider(
            self,
            "Provider",
            name=name,
            cluster_name=cluster.ref,
            managed_instances_provider=provider.ManagedInstancesProviderProperty(
                infrastructure_role_arn=infrastructure.role_arn,
                propagate_tags="CAPACITY_PROVIDER",
                auto_repair_configuration=provider.AutoRepairConfigurationProperty(actions_status="ENABLED"),
                instance_launch_template=provider.InstanceLaunchTemplateProperty(
                    ec2_instance_profile_arn=profile.attr_arn,
                    monitoring="DETAILED",
                    instance_requirements=_requirements(settings),
                    network_configuration=provider.ManagedInstancesNetworkConfigurationProperty(
                        security_groups=[self.group.security_group_id],
                        subnets=[subnet.subnet_id for subnet in network.private],
                    ),
                    storage_configuration=provider.ManagedInstancesStorageConfigurationProperty(
                        storage_size_gib=settings.storage_gib
                    ),
                ),
            ),
        )

    def _infrastructure_role(self, name: str, instance_role: iam.Role) -> iam.Role:
        """The role with which ECS starts instances. AWS's policy passes roles of one name only; ours has another."""
        passing = iam.PolicyStatement(
            sid="PassInstanceRole",
            actions=["iam:PassRole"],
            resources=[instance_role.role_arn],
            conditions={"StringEquals": {"iam:PassedToService": ["ec2.amazonaws.com", "ec2.amazonaws.com.cn"]}},
        )
        return iam.Role(
            self,
            "InfrastructureRole",
            assumed_by=iam.ServicePrincipal(
                "ecs.amazonaws.com", conditions={"StringEquals": {"aws:SourceAccount": cdk.Stack.of(self).account}}
            ),
            description=f"With it ECS starts and stops the instances of {name}",
            managed_policies=[iam.ManagedPolicy.from_aws_managed_policy_name(_INFRASTRUCTURE_POLICY)],
            inline_policies={"pass": iam.PolicyDocument(statements=[passing])},
        )


def _requirements(settings: ManagedCapacity) -> ecs.CfnCapacityProvider.InstanceRequirementsRequestProperty:
    provider = ecs.CfnCapacityProvider
    gpus: dict[str, object] = {}
    if settings.gpu:
        gpus = {
            "accelerator_types": ["gpu"],
            "accelerator_manufacturers": ["nvidia"],
            "accelerator_count": provider.AcceleratorCountRequestProperty(min=settings.gpu, max=settings.gpu),
        }
        if settings.gpu_models:
            gpus["accelerator_names"] = [model.lower() for model in settings.gpu_models]
    return provider.InstanceRequirementsRequestProperty(
        v_cpu_count=provider.VCpuCountRangeRequestProperty(min=settings.vcpu[0], max=settings.vcpu[1]),
        memory_mib=provider.MemoryMiBRequestProperty(
            min=settings.memory_gib[0] * _MIB, max=settings.memory_gib[1] * _MIB
        ),
        instance_generations=["current"],
        **gpus,  # type: ignore[arg-type]
    )
