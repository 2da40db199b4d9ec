"""The ECS cluster of a fleet and what its tasks run on."""

from __future__ import annotations

from aws_cdk import aws_ecs as ecs
from constructs import Construct

from inferfleet.config.fleet_capacity import Ec2Capacity, ManagedCapacity
from inferfleet.deploy.resolve import ResolvedFleet, capacity_provider, ecs_capacity
from inferfleet.deploy.stacks.base import FleetStack, camel, output
from inferfleet.deploy.stacks.instances import InstanceCapacity
from inferfleet.deploy.stacks.managed import ManagedInstances
from inferfleet.deploy.stacks.network import FleetNetwork

FARGATE = ("FARGATE", "FARGATE_SPOT")


class FleetCluster(Construct):
    """A cluster with enhanced Container Insights (which bring GPU metrics) and its capacity providers.

    Args:
        scope: The stack that it is in.
        id: Its name there.
        fleet: The fleet.
        network: Where its instances run.
        instance_tags: Tags of the instances, beside those of the stack.

    Attributes:
        cluster: The cluster.
        instances: Instances of our own, by their key in `capacity`.
        managed: Managed Instances, by their key in `capacity`.
        providers: The names of the capacity providers that belong to no cluster by themselves, as they are associated.
    """

    def __init__(
        self, scope: Construct, id: str, *, fleet: ResolvedFleet, network: FleetNetwork,
        instance_tags: dict[str, str] | None = None,
    ) -> None:  # fmt: skip
        super().__init__(scope, id)
        self.cluster = ecs.CfnCluster(
            self,
            "Cluster",
            cluster_name=fleet.cluster,
            cluster_settings=[ecs.CfnCluster.ClusterSettingsProperty(name="containerInsights", value="enhanced")],
        )
        self.instances: dict[str, InstanceCapacity] = {}
        self.managed: dict[str, ManagedInstances] = {}
        for key, settings in ecs_capacity(fleet).items():
            name = capacity_provider(fleet.file.name, key)
            if isinstance(settings, Ec2Capacity):
                self.instances[key] = InstanceCapacity(
                    self,
                    camel(key),
                    settings=settings,
                    name=name,
                    cluster=fleet.cluster,
                    network=network,
                    stop_seconds=_stop_seconds(fleet, name),
                    tags=instance_tags,
                )
                # An instance joins when it starts, so the cluster must be there before there can be one.
                self.instances[key].scaling_group.node.add_dependency(self.cluster)
            elif isinstance(settings, ManagedCapacity):
                self.managed[key] = ManagedInstances(
                    self, camel(key), settings=settings, name=name, cluster=self.cluster, network=network
                )
        self.providers = [*FARGATE, *(item.provider.ref for item in self.instances.values())]
        # The association replaces the whole list, so all are in it; a default strategy would hide a service's mistake.
        ecs.CfnClusterCapacityProviderAssociations(
            self,
            "Providers",
            cluster=self.cluster.ref,
            capacity_providers=self.providers,
            default_capacity_provider_strategy=[],
        )


def _stop_seconds(fleet: ResolvedFleet, provider: str) -> int:
    """The longest time that a task on a capacity provider may take to stop."""
    services = [service for service in fleet.services if any(item.name == provider for item in service.providers)]
    return max((service.spec.stop_seconds for service in services), default=30)


class ClusterStack(FleetStack):
    """The cluster of a fleet as a stack.

    Attributes:
        network: Where its instances run.
        cluster: The cluster and its capacity.
    """

    def __init__(
        self, scope: Construct, *, fleet: ResolvedFleet, network: FleetNetwork | None,
        instance_tags: dict[str, str] | None = None,
    ) -> None:  # fmt: skip
        super().__init__(scope, "cluster", fleet=fleet, description=f"Cluster of the fleet {fleet.file.name}")
        self.network = network or FleetNetwork(self, "Network", settings=fleet.file.network)
        self.cluster = FleetCluster(self, "Cluster", fleet=fleet, network=self.network, instance_tags=instance_tags)
        output(self, "ClusterName", self.cluster.cluster.ref, "The ECS cluster")
        for key, capacity in self.cluster.instances.items():
            output(self, f"{camel(key)}GroupName", capacity.scaling_group.ref, f"Auto Scaling group of {key}")
