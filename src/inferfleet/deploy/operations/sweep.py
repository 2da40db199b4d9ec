"""What is left of a fleet once its stacks are gone, kind by kind: is it there, may it go, how does it go.

Stacks keep what holds data, AWS makes log groups of its own, and a fleet that was made by scripts has no stacks at
all. What is looked for are the names of the fleet, and everything that carries its tag.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

from inferfleet.config.fleet_capacity import FargateCapacity
from inferfleet.deploy.operations import images, tools
from inferfleet.deploy.operations.account import Account, code, is_missing, missing_is_none
from inferfleet.deploy.resolve import ResolvedFleet, capacity_provider
from inferfleet.errors import OutsideError

TAG = "inferfleet:fleet"
"""What is created carries this tag, with the fleet's name."""
_DELETE_AT_ONCE = 1000


@dataclass(frozen=True, slots=True)
class Leftover:
    """Something of a fleet.

    Attributes:
        kind: What it is, such as `log group`.
        name: Its name.
    """

    kind: str
    name: str

    @property
    def holds_data(self) -> bool:
        """Whether deleting it loses what cannot be made again."""
        return self.kind in DATA


DATA = ("table", "bucket", "stream")
"""Kinds that are only deleted when that is asked for."""


def named(fleet: ResolvedFleet) -> list[Leftover]:
    """What a fleet may have by its names, in the order in which it can be deleted."""
    file, found = fleet.file, list[Leftover]()
    found += [Leftover("service", service.names.service) for service in fleet.services if service.target != "eks"]
    for service in fleet.services:
        if service.spec.load_balancer is not None:
            found.append(Leftover("load balancer", service.names.load_balancer))
            found += [
                Leftover("target group", name)
                for name in (service.names.target_group, service.names.alternate_target_group)
            ]
    own = [name for name, item in file.capacity.items() if not isinstance(item, FargateCapacity)]
    found += [Leftover("capacity provider", capacity_provider(file.name, name)) for name in own]
    found.append(Leftover("cluster", fleet.cluster))
    found += [Leftover("task definitions", service.names.family) for service in fleet.services]
    found += [Leftover("log group", service.names.log_group) for service in fleet.services]
    found.append(Leftover("log group", f"/aws/ecs/containerinsights/{fleet.cluster}/performance"))
    found += [Leftover("repository", images.repository(name, item)) for name, item in images.needed(file).items()]
    if file.recovery is not None:
        recovery = file.recovery
        found += [Leftover("table", name) for name in (recovery.task_table, recovery.job_table, recovery.node_table)]
    return found


def on_this_machine(account: Account, fleet: ResolvedFleet) -> list[Leftover]:
    """The images of a local cloud, which stay in the Docker engine."""
    if not account.is_local:
        return []
    images.wait_for_containers(account, fleet.cluster)
    repositories = [images.repository(name, item) for name, item in images.needed(fleet.file).items()]
    return [Leftover("image", name) for item in repositories for name in images.local_names(account, item)]


def tagged(account: Account, fleet: str) -> list[Leftover]:
    """What carries the fleet's tag, of the kinds that outlive their stack."""
    filters = [{"Key": TAG, "Values": [fleet]}]
    items = account.pages("resourcegroupstaggingapi", "get_resources", "ResourceTagMappingList", TagFilters=filters)
    found = (from_arn(item["ResourceARN"]) for item in items)
    return [item for item in found if item is not None]


def from_arn(arn: str) -> Leftover | None:
    """What an ARN names, if it is of a kind that may outlive its stack."""
    _, _, service, _, _, rest = arn.split(":", 5)
    name = rest.partition("/")[2]
    if service == "dynamodb" and rest.startswith("table/"):
        return Leftover("table", name)
    if service == "s3":
        return Leftover("bucket", rest)
    if service == "kinesis" and rest.startswith("stream/"):
        return Leftover("stream", name)
    if service == "logs" and rest.startswith("log-group:"):
        return Leftover("log group", rest.removeprefix("log-group:").removesuffix(":*"))
    if service == "ecr":
        return Leftover("repository", name)
    return None


def existing(account: Account, fleet: ResolvedFleet, candidates: Iterable[Leftover]) -> list[Leftover]:
    """Those that are there, each once, in the order given."""
    return [item for item in dict.fromkeys(candidates) if _exists(account, fleet, item)]


def _exists(account: Account, fleet: ResolvedFleet, item: Leftover) -> bool:
    try:
        return _KINDS[item.kind][0](account, fleet, item.name)
    except Exception as error:
        if is_missing(error) or code(error) in ("404", "ClusterNotFoundException", "ServiceNotFoundException"):
            return False
        raise


def delete(account: Account, fleet: ResolvedFleet, item: Leftover) -> None:
    """Deletes it; that it is gone already is fine.

    Raises:
        OutsideError: AWS will not; with its reason.
    """
    try:
        _KINDS[item.kind][1](account, fleet, item.name)
    except Exception as error:
        if is_missing(error):
            return
        if code(error):
            message = getattr(error, "response", {}).get("Error", {}).get("Message", "")
            raise OutsideError(f"{code(error)}: {message}") from error
        raise


def _has_service(account: Account, fleet: ResolvedFleet, name: str) -> bool:
    found = account.client("ecs").describe_services(cluster=fleet.cluster, services=[name])["services"]
    return any(item["status"] == "ACTIVE" for item in found)


def _delete_service(account: Account, fleet: ResolvedFleet, name: str) -> None:
    account.client("ecs").delete_service(cluster=fleet.cluster, service=name, force=True)


def _has_balancer(account: Account, _: ResolvedFleet, name: str) -> bool:
    return bool(account.client("elbv2").describe_load_balancers(Names=[name])["LoadBalancers"])


def _delete_balancer(account: Account, _: ResolvedFleet, name: str) -> None:
    client = account.client("elbv2")
    arn = client.describe_load_balancers(Names=[name])["LoadBalancers"][0]["LoadBalancerArn"]
    unprotect(account, arn)
    client.delete_load_balancer(LoadBalancerArn=arn)


def unprotect(account: Account, balancer: str) -> None:
    """Lifts the protection of a load balancer against being deleted."""
    off = [{"Key": "deletion_protection.enabled", "Value": "false"}]
    account.client("elbv2").modify_load_balancer_attributes(LoadBalancerArn=balancer, Attributes=off)


def _has_group(account: Account, _: ResolvedFleet, name: str) -> bool:
    return bool(account.client("elbv2").describe_target_groups(Names=[name])["TargetGroups"])


def _delete_group(account: Account, _: ResolvedFleet, name: str) -> None:
    client = account.client("elbv2")
    arn = client.describe_target_groups(Names=[name])["TargetGroups"][0]["TargetGroupArn"]
    client.delete_target_group(TargetGroupArn=arn)


def _has_provider(account: Account, _: ResolvedFleet, name: str) -> bool:
    found = account.client("ecs").describe_capacity_providers(capacityProviders=[name])["capacityProviders"]
    return any(item["status"] == "ACTIVE" for item in found)


def _delete_provider(account: Account, fleet: ResolvedFleet, name: str) -> None:
    release_instances(account, name)
    ecs = account.client("ecs")
    clusters = ecs.describe_clusters(clusters=[fleet.cluster])["clusters"]
    if any(name in item.get("capacityProviders", ()) for item in clusters):
        ecs.put_cluster_capacity_providers(
            cluster=fleet.cluster, capacityProviders=[], defaultCapacityProviderStrategy=[]
        )
    ecs.delete_capacity_provider(capacityProvider=name)


def release_instances(account: Account, provider: str) -> None:
    """Lifts the protection of a provider's instances against scaling in; a group with protected ones never goes."""
    found = account.client("ecs").describe_capacity_providers(capacityProviders=[provider])["capacityProviders"]
    for item in found:
        group = (
            item.get("autoScalingGroupProvider", {})
            .get("autoScalingGroupArn", "")
            .rpartition("autoScalingGroupName/")[2]
        )
        if not group:
            continue
        client = account.client("autoscaling")
        for described in client.describe_auto_scaling_groups(AutoScalingGroupNames=[group])["AutoScalingGroups"]:
            held = [one["InstanceId"] for one in described["Instances"] if one.get("ProtectedFromScaleIn")]
            for start in range(0, len(held), 50):
                client.set_instance_protection(
                    AutoScalingGroupName=group, InstanceIds=held[start : start + 50], ProtectedFromScaleIn=False
                )


def _has_cluster(account: Account, _: ResolvedFleet, name: str) -> bool:
    found = account.client("ecs").describe_clusters(clusters=[name])["clusters"]
    return any(item["status"] == "ACTIVE" for item in found)


def _delete_cluster(account: Account, _: ResolvedFleet, name: str) -> None:
    account.client("ecs").delete_cluster(cluster=name)


def _has_definitions(account: Account, _: ResolvedFleet, family: str) -> bool:
    return bool(_definitions(account, family, "ACTIVE") or _definitions(account, family, "INACTIVE"))


def _definitions(account: Account, family: str, status: str) -> list[str]:
    arns = account.pages("ecs", "list_task_definitions", "taskDefinitionArns", familyPrefix=family, status=status)
    return [arn for arn in arns if arn.rsplit("/", 1)[-1].partition(":")[0] == family]


def _delete_definitions(account: Account, _: ResolvedFleet, family: str) -> None:
    ecs = account.client("ecs")
    for arn in _definitions(account, family, "ACTIVE"):
        ecs.deregister_task_definition(taskDefinition=arn)
    inactive = _definitions(account, family, "INACTIVE")
    for start in range(0, len(inactive), 10):
        ecs.delete_task_definitions(taskDefinitions=inactive[start : start + 10])


def _has_log_group(account: Account, _: ResolvedFleet, name: str) -> bool:
    found = account.client("logs").describe_log_groups(logGroupNamePrefix=name)["logGroups"]
    return any(item["logGroupName"] == name for item in found)


def _delete_log_group(account: Account, _: ResolvedFleet, name: str) -> None:
    account.client("logs").delete_log_group(logGroupName=name)


def _has_repository(account: Account, _: ResolvedFleet, name: str) -> bool:
    return bool(account.client("ecr").describe_repositories(repositoryNames=[name])["repositories"])


def _delete_repository(account: Account, _: ResolvedFleet, name: str) -> None:
    account.client("ecr").delete_repository(repositoryName=name, force=True)


def _has_image(_: Account, __: ResolvedFleet, name: str) -> bool:
    return tools.docker_inspect(name, "{{.Id}}") is not None


def _forget_image(_: Account, __: ResolvedFleet, name: str) -> None:
    tools.docker_forget(name)


def _has_table(account: Account, _: ResolvedFleet, name: str) -> bool:
    return bool(account.client("dynamodb").describe_table(TableName=name)["Table"]["TableStatus"] != "DELETING")


def _delete_table(account: Account, _: ResolvedFleet, name: str) -> None:
    client = account.client("dynamodb")
    if client.describe_table(TableName=name)["Table"].get("DeletionProtectionEnabled"):
        client.update_table(TableName=name, DeletionProtectionEnabled=False)
    client.delete_table(TableName=name)


def _has_bucket(account: Account, _: ResolvedFleet, name: str) -> bool:
    account.client("s3").head_bucket(Bucket=name)
    return True


def _delete_bucket(account: Account, _: ResolvedFleet, name: str) -> None:
    empty_bucket(account, name)
    account.client("s3").delete_bucket(Bucket=name)


def empty_bucket(account: Account, name: str) -> None:
    """Deletes all versions of all objects of a bucket; one that is not there is as empty as can be."""
    client = account.client("s3")
    with missing_is_none():
        _delete_objects(client, name)


def _delete_objects(client: Any, name: str) -> None:
    for page in client.get_paginator("list_object_versions").paginate(Bucket=name):
        kept = [*page.get("Versions", ()), *page.get("DeleteMarkers", ())]
        keys = [{"Key": item["Key"], "VersionId": item["VersionId"]} for item in kept]
        for start in range(0, len(keys), _DELETE_AT_ONCE):
            client.delete_objects(Bucket=name, Delete={"Objects": keys[start : start + _DELETE_AT_ONCE], "Quiet": True})


def _has_stream(account: Account, _: ResolvedFleet, name: str) -> bool:
    found = account.client("kinesis").describe_stream_summary(StreamName=name)["StreamDescriptionSummary"]
    return bool(found["StreamStatus"] != "DELETING")


def _delete_stream(account: Account, _: ResolvedFleet, name: str) -> None:
    account.client("kinesis").delete_stream(StreamName=name, EnforceConsumerDeletion=True)


Exists = Callable[[Account, ResolvedFleet, str], bool]
Delete = Callable[[Account, ResolvedFleet, str], None]
_KINDS: dict[str, tuple[Exists, Delete]] = {
    "service": (_has_service, _delete_service),
    "load balancer": (_has_balancer, _delete_balancer),
    "target group": (_has_group, _delete_group),
    "capacity provider": (_has_provider, _delete_provider),
    "cluster": (_has_cluster, _delete_cluster),
    "task definitions": (_has_definitions, _delete_definitions),
    "log group": (_has_log_group, _delete_log_group),
    "repository": (_has_repository, _delete_repository),
    "image": (_has_image, _forget_image),
    "table": (_has_table, _delete_table),
    "bucket": (_has_bucket, _delete_bucket),
    "stream": (_has_stream, _delete_stream),
}
