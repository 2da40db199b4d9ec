"""Task definitions and services of ECS, with all that a template says of them.

MiniStack has both types, but keeps only some properties, in CloudFormation's spelling where ECS has its own, and calls
a service complete before its deployment has begun. Here they go through ECS's API, and a service is complete when its
deployment is: one that fails fails the stack.
"""

from __future__ import annotations

import os
import time
from collections.abc import Mapping
from typing import Any

from inferfleet.localcloud.cloudformation import shapes
from inferfleet.localcloud.cloudformation.resource import Client, Made, ResourceType, Wanted, changed, is_settled

_STABLE_S = 10800.0
"""CloudFormation waits three hours for a service (AWS re:Post, "How do I minimize my ECS service's wait time")."""
_POLL_S = 0.2
_UNDER_WAY = frozenset({"PENDING", "IN_PROGRESS", "STOP_REQUESTED", "ROLLBACK_REQUESTED", "ROLLBACK_IN_PROGRESS"})


class TaskDefinition(ResourceType):
    """A revision of a task definition. Any change but that of its tags is another revision."""

    type = "AWS::ECS::TaskDefinition"
    create_only = (
        "Family", "ContainerDefinitions", "Cpu", "EnableFaultInjection", "ExecutionRoleArn", "InferenceAccelerators",
        "Memory", "NetworkMode", "PlacementConstraints", "ProxyConfiguration", "RequiresCompatibilities",
        "RuntimePlatform", "TaskRoleArn", "Volumes", "PidMode", "IpcMode", "EphemeralStorage",
    )  # fmt: skip
    tags = "list"

    def create(self, wanted: Wanted) -> Made:
        """Registers a revision."""
        client = wanted.client("ecs")
        properties = {**wanted.properties, "Family": wanted.named("Family")}
        made = client.register_task_definition(**shapes.parameters(client, "RegisterTaskDefinition", properties))
        arn = made["taskDefinition"]["taskDefinitionArn"]
        return Made(arn, {"TaskDefinitionArn": arn})

    def update(self, there: str, wanted: Wanted, before: Mapping[str, Any]) -> Made:
        """Tags it anew, which is all that can change."""
        _tagged(wanted.client("ecs"), there, before, wanted.properties)
        return Made(there, {"TaskDefinitionArn": there})

    def delete(self, there: str, properties: Mapping[str, Any], client: Client) -> None:
        """Deregisters it, as CloudFormation does; it stays inactive."""
        try:
            client("ecs").deregister_task_definition(taskDefinition=there)
        except Exception as error:
            if not is_settled(error, "ClientException", "InvalidParameterException"):
                raise


class Service(ResourceType):
    """A service. It is complete when its deployment has succeeded."""

    type = "AWS::ECS::Service"
    create_only = ("Cluster", "Role", "SchedulingStrategy", "ServiceName")
    sometimes_create_only = ("LaunchType",)
    tags = "list"

    def create(self, wanted: Wanted) -> Made:
        """Makes it and waits for its first deployment."""
        client = wanted.client("ecs")
        properties = {"DesiredCount": 1, **wanted.properties, "ServiceName": wanted.named("ServiceName")}
        properties.pop("ForceNewDeployment", None)
        renamed = {"PlacementStrategies": "placementStrategy"}
        made = client.create_service(**shapes.parameters(client, "CreateService", properties, renamed))["service"]
        try:
            _wait_for_deployment(client, made["clusterArn"], made["serviceArn"])
        except ValueError:
            # MiniStack rolls back what was made before this one; this one is there already, too.
            self.delete(made["serviceArn"], wanted.properties, wanted.client)
            raise
        return _service(made)

    def update(self, there: str, wanted: Wanted, before: Mapping[str, Any]) -> Made:
        """Changes it and waits for the deployment that comes of it, if one does."""
        client = wanted.client("ecs")
        after = dict(wanted.properties)
        _tagged(client, there, before, after)
        forced = after.pop("ForceNewDeployment", None) or {}
        moved = {name: after[name] for name in changed(before, after) if name in after}
        moved |= {name: [] for name, value in before.items() if name not in after and isinstance(value, list)}
        moved |= {name: after[name] for name in ("DesiredCount",) if name in after}
        renamed = {name.replace("PlacementStrategies", "PlacementStrategy"): moved[name] for name in moved}
        if forced.get("EnableForceNewDeployment") and forced != before.get("ForceNewDeployment"):
            renamed["ForceNewDeployment"] = True
        request = shapes.accepted(client, "UpdateService", {k: v for k, v in renamed.items() if k != "Tags"})
        cluster = str(wanted.properties.get("Cluster", "default"))
        made = client.update_service(**{**request, "cluster": cluster, "service": there})["service"]
        _wait_for_deployment(client, made["clusterArn"], made["serviceArn"])
        return _service(made)

    def delete(self, there: str, properties: Mapping[str, Any], client: Client) -> None:
        """Scales it to nothing, deletes it, and waits until its tasks have stopped."""
        ecs, cluster = client("ecs"), str(properties.get("Cluster", "default"))
        try:
            ecs.delete_service(cluster=cluster, service=there, force=True)
        except Exception as error:
            if not is_settled(error, "ServiceNotFoundException", "ClusterNotFoundException"):
                raise
            return
        until = time.monotonic() + _patience()
        # Draining lasts until the last task has stopped; ListTasks knows such tasks no more.
        while _status(ecs, cluster, there) == "DRAINING" and time.monotonic() < until:
            time.sleep(_POLL_S)

    def replaces(self, before: Mapping[str, Any], after: Mapping[str, Any]) -> bool:
        """Whether it moves between launch types; from one to a strategy it can move in place."""
        return bool(before.get("LaunchType") and after.get("LaunchType"))


def _status(client: Any, cluster: str, service: str) -> str:
    """A service's status; empty if there is none."""
    found = client.describe_services(cluster=cluster, services=[service])["services"]
    return str(found[0]["status"]) if found else ""


def _service(made: Mapping[str, Any]) -> Made:
    return Made(made["serviceArn"], {"ServiceArn": made["serviceArn"], "Name": made["serviceName"]})


def _tagged(client: Any, there: str, before: Mapping[str, Any], after: Mapping[str, Any]) -> None:
    old, new = ({tag["Key"]: str(tag["Value"]) for tag in side.get("Tags") or ()} for side in (before, after))
    if gone := sorted(old.keys() - new.keys()):
        client.untag_resource(resourceArn=there, tagKeys=gone)
    if set_ := [{"key": key, "value": value} for key, value in new.items() if old.get(key) != value]:
        client.tag_resource(resourceArn=there, tags=set_)


def _wait_for_deployment(client: Any, cluster: str, service: str) -> None:
    """Waits until the newest deployment of a service is decided.

    Raises:
        ValueError: It did not succeed, in the words that CloudFormation has for it.
    """
    listed = client.list_service_deployments(cluster=cluster, service=service)["serviceDeployments"]
    if not listed:
        return
    newest = listed[0]["serviceDeploymentArn"]
    until = time.monotonic() + _patience()
    while time.monotonic() < until:
        (deployment,) = client.describe_service_deployments(serviceDeploymentArns=[newest])["serviceDeployments"]
        if deployment["status"] == "SUCCESSFUL":
            return
        if deployment["status"] not in _UNDER_WAY:
            reason = deployment.get("statusReason") or deployment["status"]
            raise ValueError(f"Error occurred during operation 'ECS Deployment': {reason}")
        time.sleep(_POLL_S)
    raise ValueError("Resource did not stabilize: the deployment of the service is still in progress")


def _patience() -> float:
    """Seconds to wait for a service: CloudFormation's, or $INFERFLEET_STABLE_S."""
    return float(os.environ.get("INFERFLEET_STABLE_S") or _STABLE_S)


TYPES = (TaskDefinition(), Service())
