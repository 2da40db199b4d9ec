"""The ECS cluster of a fleet and what its tasks run on."""

from __future__ import annotations

from aws_cdk import aws_ecs as ecs
from constructs import Construct

from inferfleet.deploy.resolve import ResolvedFleet
from inferfleet.deploy.stacks.base import FleetStack, output
from inferfleet.deploy.stacks.network import FleetNetwork


class FleetCluster(Construct):
    """A cluster with enhanced Container Insights (which bring GPU metrics) and its capacity providers.

    Args:
        scope: The stack that it is in.
        id: Its name there.
        fleet: The fleet.
        network: Where its instances run.
    """

    def __init__(self, scope: Construct, id: str, *, fleet: ResolvedFleet, network: FleetNetwork) -> None:
        super().__init__(scope, id)
        self.cluster = ecs.CfnCluster(
            self,
            "Cluster",
            cluster_name=fleet.cluster,
            cluster_settings=[ecs.CfnCluster.ClusterSettingsProperty(name="containerInsights", value="enhanced")],
        )
        providers = ["FARGATE", "FARGATE_SPOT"]
        ecs.CfnClusterCapacityProviderAssociations(
            self,
            "Providers",
            cluster=self.cluster.ref,
            capacity_providers=providers,
            default_capacity_provider_strategy=[],
        )


class ClusterStack(FleetStack):
    """The cluster of a fleet as a stack."""

    def __init__(self, scope: Construct, *, fleet: ResolvedFleet, network: FleetNetwork | None) -> None:
        super().__init__(scope, "cluster", fleet=fleet, description=f"Cluster of the fleet {fleet.file.name}")
        self.network = network or FleetNetwork(self, "Network", settings=fleet.file.network)
        self.cluster = FleetCluster(self, "Cluster", fleet=fleet, network=self.network)
        output(self, "ClusterName", self.cluster.cluster.ref, "The ECS cluster")
