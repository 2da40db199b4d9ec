"""Capacity providers of ECS, and which of them a cluster uses."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from inferfleet.localcloud.cloudformation import shapes
from inferfleet.localcloud.cloudformation.resource import Client, Made, ResourceType, Wanted, is_settled

_GROUP = "AutoScalingGroupProvider"
_GROUP_ARN = "AutoScalingGroupArn"


class CapacityProvider(ResourceType):
    """What a cluster runs tasks on: a group of instances, or instances that ECS manages."""

    type = "AWS::ECS::CapacityProvider"
    create_only = ("Name", "ClusterName")
    sometimes_create_only = (_GROUP,)
    tags = "list"

    def create(self, wanted: Wanted) -> Made:
        """Makes one; its group of instances may be named by name, as on AWS."""
        client = wanted.client("ecs")
        properties = {**wanted.properties, "Name": wanted.named("Name")}
        if _GROUP in properties:
            group = properties[_GROUP]
            properties[_GROUP] = {**group, _GROUP_ARN: _group_arn(wanted.client, group[_GROUP_ARN])}
        made = client.create_capacity_provider(
            **shapes.parameters(client, "CreateCapacityProvider", properties, {"ClusterName": "cluster"})
        )
        return Made(made["capacityProvider"]["name"])

    def update(self, there: str, wanted: Wanted, before: Mapping[str, Any]) -> Made:
        """Scales, drains or protects in another way."""
        client = wanted.client("ecs")
        properties = {name: value for name, value in wanted.properties.items() if name not in ("Name", "Tags")}
        if _GROUP in properties:
            properties[_GROUP] = {name: value for name, value in properties[_GROUP].items() if name != _GROUP_ARN}
        client.update_capacity_provider(
            name=there, **shapes.parameters(client, "UpdateCapacityProvider", properties, {"ClusterName": "cluster"})
        )
        return Made(there)

    def delete(self, there: str, properties: Mapping[str, Any], client: Client) -> None:
        """Deletes it."""
        try:
            client("ecs").delete_capacity_provider(capacityProvider=there)
        except Exception as error:
            if not is_settled(error, "InvalidParameterException", "ClientException"):
                raise

    def replaces(self, before: Mapping[str, Any], after: Mapping[str, Any]) -> bool:
        """Whether it is about another group of instances."""
        old, new = (side.get(_GROUP, {}).get(_GROUP_ARN) for side in (before, after))
        return bool(old != new)


def _group_arn(client: Client, group: str) -> str:
    """The ARN of a group of instances, which may be named by its name.

    Raises:
        ValueError: There is no such group.
    """
    name = group.rpartition("autoScalingGroupName/")[2]
    found = client("autoscaling").describe_auto_scaling_groups(AutoScalingGroupNames=[name])["AutoScalingGroups"]
    if not found:
        raise ValueError(f"The specified Auto Scaling group {group} does not exist.")
    return str(found[0]["AutoScalingGroupARN"])


class ClusterAssociations(ResourceType):
    """The capacity providers of a cluster, and how tasks are spread over them when they do not say."""

    type = "AWS::ECS::ClusterCapacityProviderAssociations"
    create_only = ("Cluster",)

    def create(self, wanted: Wanted) -> Made:
        """Puts them on the cluster."""
        client = wanted.client("ecs")
        client.put_cluster_capacity_providers(
            **shapes.parameters(client, "PutClusterCapacityProviders", wanted.properties)
        )
        return Made(str(wanted.properties["Cluster"]))

    def update(self, there: str, wanted: Wanted, before: Mapping[str, Any]) -> Made:
        """Puts others there."""
        return self.create(wanted)

    def delete(self, there: str, properties: Mapping[str, Any], client: Client) -> None:
        """Takes them off the cluster."""
        try:
            client("ecs").put_cluster_capacity_providers(
                cluster=there, capacityProviders=[], defaultCapacityProviderStrategy=[]
            )
        except Exception as error:
            if not is_settled(error, "ClusterNotFoundException"):
                raise


TYPES = (CapacityProvider(), ClusterAssociations())
