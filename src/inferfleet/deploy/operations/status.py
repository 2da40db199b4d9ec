"""What runs of a fleet: its stacks, services, tasks, balancers, instances and alarms, read in one go."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from typing import Any

from inferfleet.deploy.operations import stacks
from inferfleet.deploy.operations.account import Account, code, is_missing
from inferfleet.deploy.operations.balancers import BalancerState, read_balancers
from inferfleet.deploy.operations.service import (
    DeploymentState,
    ServiceState,
    TaskState,
    read_deployments,
    read_limits,
    read_revisions,
    read_services,
    read_tasks,
)
from inferfleet.deploy.resolve import ResolvedFleet, ResolvedService

_DEPLOYMENTS = 3


@dataclass(frozen=True, slots=True)
class AlarmState:
    """A CloudWatch alarm."""

    name: str
    state: str
    reason: str


@dataclass(frozen=True, slots=True)
class InstanceState:
    """A container instance.

    Attributes:
        id: The EC2 instance.
        status: ACTIVE, DRAINING and so on.
        agent: Whether its agent is connected.
        type: Its instance type.
        gpus: GPUs that it has.
        free_gpus: GPUs that no task has.
        tasks: Tasks on it.
    """

    id: str
    status: str
    agent: bool
    type: str
    gpus: int
    free_gpus: int
    tasks: int


@dataclass(frozen=True)
class ServiceStatus:
    """A service and all that belongs to it.

    Attributes:
        key: Its key in fleet.yaml.
        state: What ECS says; None when it is not there.
        tasks: Its tasks.
        deployments: Its last deployments, newest first.
        versions: The task definition that each deployment brought, by the deployment's id.
        limits: What autoscaling keeps to.
        balancers: What sends to it.
    """

    key: str
    state: ServiceState | None
    tasks: tuple[TaskState, ...] = ()
    deployments: tuple[DeploymentState, ...] = ()
    versions: Mapping[str, str] | None = None
    limits: tuple[int, int] | None = None
    balancers: tuple[BalancerState, ...] = ()

    @property
    def problem(self) -> str:
        """Why it is not well; empty when it is."""
        if self.state is None:
            return "not deployed"
        if self.state.running < self.state.desired:
            return f"{self.state.running} of {self.state.desired} tasks run"
        sick = sum(task.health == "UNHEALTHY" for task in self.tasks)
        if sick:
            return f"{sick} task{'s' * (sick != 1)} unhealthy"
        newest = self.deployments[0] if self.deployments else None
        if newest is not None and newest.status.startswith("ROLLBACK"):
            return "the last deployment was rolled back"
        return ""


@dataclass(frozen=True)
class FleetStatus:
    """What runs of a fleet.

    Attributes:
        fleet: Its name.
        region: The region.
        cluster: Its cluster.
        at: When it was read.
        stacks: Status of each stack.
        services: Its services.
        instances: Its container instances.
        alarms: Its alarms.
    """

    fleet: str
    region: str
    cluster: str
    at: datetime
    stacks: Mapping[str, str]
    services: tuple[ServiceStatus, ...]
    instances: tuple[InstanceState, ...]
    alarms: tuple[AlarmState, ...]

    @property
    def is_well(self) -> bool:
        """Whether every service is there, complete and healthy, and no alarm is on."""
        return not any(item.problem for item in self.services) and all(item.state != "ALARM" for item in self.alarms)

    def as_data(self) -> dict[str, Any]:
        """The status for a program."""
        data = asdict(self)
        data["well"] = self.is_well
        for item, service in zip(data["services"], self.services, strict=True):
            item["problem"] = service.problem
        return data


def read(account: Account, fleet: ResolvedFleet, stack_names: tuple[str, ...]) -> FleetStatus:
    """Reads what runs of a fleet; what is not there is left out or said to be missing."""
    services = [service for service in fleet.services if service.target != "eks"]
    states = read_services(account, fleet.cluster, [service.names.service for service in services])
    return FleetStatus(
        fleet=fleet.file.name, region=account.region, cluster=fleet.cluster, at=datetime.now(UTC),
        stacks={name: state.status for name, state in stacks.read(account, stack_names).items()},
        services=tuple(_service(account, service, states.get(service.names.service)) for service in services),
        instances=tuple(_instances(account, fleet.cluster)), alarms=tuple(_alarms(account, fleet)),
    )  # fmt: skip


def _service(account: Account, service: ResolvedService, state: ServiceState | None) -> ServiceStatus:
    if state is None:
        return ServiceStatus(service.key, None)
    deployments = tuple(read_deployments(account, state, limit=_DEPLOYMENTS))
    versions = read_revisions(account, [item.revision for item in deployments])
    return ServiceStatus(
        key=service.key, state=state, tasks=tuple(read_tasks(account, state.cluster, service=state.name)),
        deployments=deployments, versions={item.id: versions.get(item.revision, "") for item in deployments},
        limits=read_limits(account, state.cluster, state.name),
        balancers=tuple(read_balancers(account, state.target_groups)),
    )  # fmt: skip


def _instances(account: Account, cluster: str) -> list[InstanceState]:
    ecs = account.client("ecs")
    try:
        arns = account.pages("ecs", "list_container_instances", "containerInstanceArns", cluster=cluster)
    except Exception as error:
        if is_missing(error) or code(error) == "InvalidAction":
            return []
        raise
    found: list[InstanceState] = []
    for start in range(0, len(arns), 100):
        answer = ecs.describe_container_instances(cluster=cluster, containerInstances=arns[start : start + 100])
        found += [_instance(item) for item in answer["containerInstances"]]
    return found


def _instance(item: Mapping[str, Any]) -> InstanceState:
    attributes = {attribute["name"]: attribute.get("value", "") for attribute in item.get("attributes", ())}
    return InstanceState(
        id=item.get("ec2InstanceId", ""), status=item.get("status", ""), agent=bool(item.get("agentConnected")),
        type=attributes.get("ecs.instance-type", ""), gpus=_gpus(item.get("registeredResources", ())),
        free_gpus=_gpus(item.get("remainingResources", ())), tasks=item.get("runningTasksCount", 0),
    )  # fmt: skip


def _gpus(resources: Any) -> int:
    return next((len(item.get("stringSetValue", ())) for item in resources if item.get("name") == "GPU"), 0)


def _alarms(account: Account, fleet: ResolvedFleet) -> list[AlarmState]:
    """The alarms that carry the fleet's name, and those that roll its services back."""
    prefix = f"{fleet.file.name}-"
    named = {alarm for service in fleet.services for alarm in service.spec.deployment.alarms}
    items = account.pages("cloudwatch", "describe_alarms", "MetricAlarms", AlarmNamePrefix=prefix)
    if named:
        items += account.pages("cloudwatch", "describe_alarms", "MetricAlarms", AlarmNames=sorted(named))
    found = {
        item["AlarmName"]: AlarmState(item["AlarmName"], item["StateValue"], item.get("StateReason", ""))
        for item in items
    }
    return list(found.values())
