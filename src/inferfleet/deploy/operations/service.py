"""What runs of a service, as ECS tells it: its deployments, tasks, events, and how far it is scaled."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from inferfleet.deploy.operations.account import Account, code
from inferfleet.errors import InputError

_AT_ONCE = 100
_RECENT_DEPLOYMENTS = 10
_EVENTS = 10
NEVER = datetime.min.replace(tzinfo=UTC)
# What ECS writes when it stops a task on purpose: a smaller count, or a newer deployment that took over.
_ON_PURPOSE = "scaling activity initiated by"


@dataclass(frozen=True, slots=True)
class ContainerState:
    """A container of a task."""

    name: str
    status: str
    health: str
    exit_code: int | None
    reason: str
    gpus: tuple[str, ...]
    digest: str

    @property
    def ended(self) -> bool:
        """Whether there is anything to say about its end."""
        return self.exit_code is not None or bool(self.reason) or self.health == "UNHEALTHY"


@dataclass(frozen=True, slots=True)
class TaskState:
    """A task.

    Attributes:
        arn: Its ARN.
        task_definition: `family:revision`.
        status: Where it is.
        wanted: Where it should be.
        health: HEALTHY, UNHEALTHY or UNKNOWN.
        reason: Why it stopped.
        stop_code: The kind of that reason.
        started_at: When its containers started.
        stopped_at: When it ended.
        on: Its capacity provider, or launch type.
        zone: Its availability zone.
        address: Its private address.
        containers: What is in it.
    """

    arn: str
    task_definition: str
    status: str
    wanted: str
    health: str
    reason: str
    stop_code: str
    started_at: datetime
    stopped_at: datetime
    on: str
    zone: str
    address: str
    containers: tuple[ContainerState, ...]

    @property
    def id(self) -> str:
        """The last part of its ARN."""
        return self.arn.rsplit("/", 1)[-1]

    @property
    def stopped(self) -> bool:
        """Whether it ended."""
        return self.status == "STOPPED" or self.wanted == "STOPPED"

    @property
    def was_scaled_in(self) -> bool:
        """Whether it was stopped only because it was not needed any more."""
        return self.stop_code == "UserInitiated" or self.reason.lower().startswith(_ON_PURPOSE)

    @property
    def gpus(self) -> tuple[str, ...]:
        """The GPUs that it has."""
        return tuple(gpu for container in self.containers for gpu in container.gpus)


@dataclass(frozen=True, slots=True)
class DeploymentState:
    """A deployment of a service, as DescribeServiceDeployments has it.

    Attributes:
        arn: Its ARN.
        status: ECS's word.
        reason: ECS's reason for that.
        stage: Where a shifting deployment is.
        strategy: ROLLING, BLUE_GREEN, LINEAR or CANARY.
        created_at: When it began.
        finished_at: When it was decided.
        revision: The service revision that it brings.
        requested: Tasks that the revision wants.
        running: Tasks of it that run.
        pending: Tasks of it that start.
        traffic: Share of the production traffic that it has, in percent; None where nothing shifts.
        rollback_reason: Why it is rolled back.
        breaker: The circuit breaker's state.
        failures: What the breaker has counted.
        threshold: What it allows.
        alarms: Alarms that ended it.
        bake_minutes: How long it bakes.
    """

    arn: str
    status: str
    reason: str
    stage: str
    strategy: str
    created_at: datetime
    finished_at: datetime
    revision: str
    requested: int
    running: int
    pending: int
    traffic: float | None
    rollback_reason: str
    breaker: str
    failures: int
    threshold: int
    alarms: tuple[str, ...]
    bake_minutes: int

    @property
    def id(self) -> str:
        """The last part of its ARN."""
        return self.arn.rsplit("/", 1)[-1]

    @property
    def is_open(self) -> bool:
        """Whether it is not decided."""
        return self.status in ("PENDING", "IN_PROGRESS", "STOP_REQUESTED", "ROLLBACK_REQUESTED", "ROLLBACK_IN_PROGRESS")


@dataclass(frozen=True, slots=True)
class Event:
    """A line of a service's history."""

    at: datetime
    text: str


@dataclass(frozen=True, slots=True)
class ServiceState:
    """A service.

    Attributes:
        name: Its name.
        arn: Its ARN.
        cluster: Its cluster's name.
        status: ACTIVE, DRAINING or INACTIVE.
        desired: Tasks that it should have.
        running: Tasks that run.
        pending: Tasks that start.
        task_definition: What it runs, as `family:revision`.
        target_groups: The target groups that it fills.
        events: Its last events, newest first.
    """

    name: str
    arn: str
    cluster: str
    status: str
    desired: int
    running: int
    pending: int
    task_definition: str
    target_groups: tuple[str, ...]
    events: tuple[Event, ...]


def read_services(account: Account, cluster: str, names: Sequence[str]) -> dict[str, ServiceState]:
    """The services that are there, by name; those that were deleted are left out."""
    ecs = account.client("ecs")
    found: dict[str, ServiceState] = {}
    for start in range(0, len(names), 10):
        try:
            answer = ecs.describe_services(cluster=cluster, services=list(names[start : start + 10]))
        except ecs.exceptions.ClusterNotFoundException:
            return {}
        for item in answer["services"]:
            if item.get("status") != "INACTIVE":
                found[item["serviceName"]] = _service(item, cluster)
    return found


def read_service(account: Account, cluster: str, name: str) -> ServiceState:
    """A service that must be there.

    Raises:
        InputError: It is not.
    """
    found = read_services(account, cluster, [name])
    if name not in found:
        raise InputError(
            f"there is no service {name} in cluster {cluster} ({account.region}); `inferfleet deploy` makes it, "
            "`inferfleet status` shows what is there"
        )
    return found[name]


def read_tasks(
    account: Account, cluster: str, *, service: str = "", family: str = "", stopped: bool = False
) -> list[TaskState]:
    """The tasks of a service or of a family, with `stopped` those that ended in the last hour as well."""
    ecs = account.client("ecs")
    which = {"serviceName": service} if service else {"family": family}
    arns: list[str] = []
    for status in ("RUNNING", "STOPPED") if stopped else ("RUNNING",):
        arns += account.pages("ecs", "list_tasks", "taskArns", cluster=cluster, desiredStatus=status, **which)
    arns = list(dict.fromkeys(arns))
    tasks = []
    for start in range(0, len(arns), _AT_ONCE):
        answer = ecs.describe_tasks(cluster=cluster, tasks=arns[start : start + _AT_ONCE])
        tasks += [_task(item) for item in answer["tasks"]]
    return tasks


def read_deployments(
    account: Account, service: ServiceState, limit: int = _RECENT_DEPLOYMENTS
) -> list[DeploymentState]:
    """The last deployments of a service, newest first."""
    ecs = account.client("ecs")
    briefs = ecs.list_service_deployments(cluster=service.cluster, service=service.arn, maxResults=_AT_ONCE)
    newest = sorted(briefs["serviceDeployments"], key=lambda item: _time(item, "createdAt"), reverse=True)[:limit]
    arns = [item["serviceDeploymentArn"] for item in newest]
    found: list[DeploymentState] = []
    for start in range(0, len(arns), 20):
        answer = ecs.describe_service_deployments(serviceDeploymentArns=arns[start : start + 20])
        found += [_deployment(item) for item in answer["serviceDeployments"]]
    return sorted(found, key=lambda item: item.created_at, reverse=True)


def read_revisions(account: Account, arns: Sequence[str]) -> dict[str, str]:
    """The task definition (`family:revision`) of each service revision."""
    wanted = [arn for arn in dict.fromkeys(arns) if arn]
    found: dict[str, str] = {}
    for start in range(0, len(wanted), 20):
        answer = account.client("ecs").describe_service_revisions(serviceRevisionArns=wanted[start : start + 20])
        found |= {item["serviceRevisionArn"]: last_part(item["taskDefinition"]) for item in answer["serviceRevisions"]}
    return found


def read_limits(account: Account, cluster: str, service: str) -> tuple[int, int] | None:
    """The least and most tasks that autoscaling keeps; None where nothing scales."""
    try:
        answer = account.client("application-autoscaling").describe_scalable_targets(
            ServiceNamespace="ecs",
            ResourceIds=[f"service/{cluster}/{service}"],
            ScalableDimension="ecs:service:DesiredCount",
        )
    except Exception as error:
        if code(error) in ("AccessDenied", "AccessDeniedException"):
            return None
        raise
    targets = answer["ScalableTargets"]
    return (int(targets[0]["MinCapacity"]), int(targets[0]["MaxCapacity"])) if targets else None


def last_part(arn: str) -> str:
    """What follows the last slash."""
    return arn.rsplit("/", 1)[-1]


def _service(item: dict[str, Any], cluster: str) -> ServiceState:
    events = [Event(_time(event, "createdAt"), event["message"]) for event in item.get("events", [])]
    groups = [balancer["targetGroupArn"] for balancer in item.get("loadBalancers", []) if "targetGroupArn" in balancer]
    groups += [
        balancer["advancedConfiguration"]["alternateTargetGroupArn"]
        for balancer in item.get("loadBalancers", [])
        if "alternateTargetGroupArn" in balancer.get("advancedConfiguration", {})
    ]
    return ServiceState(
        name=item["serviceName"], arn=item["serviceArn"], cluster=cluster, status=item.get("status", ""),
        desired=item.get("desiredCount", 0), running=item.get("runningCount", 0), pending=item.get("pendingCount", 0),
        task_definition=last_part(item.get("taskDefinition", "")), target_groups=tuple(groups),
        events=tuple(sorted(events, key=lambda event: event.at, reverse=True)[:_EVENTS]),
    )  # fmt: skip


def _task(item: dict[str, Any]) -> TaskState:
    details = {d["name"]: d.get("value", "") for a in item.get("attachments", []) for d in a.get("details", [])}
    return TaskState(
        arn=item["taskArn"], task_definition=last_part(item.get("taskDefinitionArn", "")),
        status=item.get("lastStatus", ""), wanted=item.get("desiredStatus", ""),
        health=item.get("healthStatus", "UNKNOWN"), reason=item.get("stoppedReason", ""),
        stop_code=item.get("stopCode", ""), started_at=_time(item, "startedAt"),
        stopped_at=_time(item, "stoppedAt"), on=item.get("capacityProviderName") or item.get("launchType", ""),
        zone=item.get("availabilityZone", ""), address=details.get("privateIPv4Address", ""),
        containers=tuple(_container(container) for container in item.get("containers", [])),
    )  # fmt: skip


def _container(item: dict[str, Any]) -> ContainerState:
    return ContainerState(
        name=item.get("name", ""), status=item.get("lastStatus", ""), health=item.get("healthStatus", "UNKNOWN"),
        exit_code=item.get("exitCode"), reason=item.get("reason", ""),
        gpus=tuple(item.get("gpuIds", ())), digest=item.get("imageDigest", ""),
    )  # fmt: skip


def _deployment(item: dict[str, Any]) -> DeploymentState:
    target, settings = item.get("targetServiceRevision", {}), item.get("deploymentConfiguration", {})
    breaker, alarms = item.get("deploymentCircuitBreaker", {}), item.get("alarms", {})
    return DeploymentState(
        arn=item["serviceDeploymentArn"], status=item.get("status", ""), reason=item.get("statusReason", ""),
        stage=item.get("lifecycleStage", ""), strategy=settings.get("strategy", "ROLLING"),
        created_at=_time(item, "createdAt"), finished_at=_time(item, "finishedAt"), revision=target.get("arn", ""),
        requested=target.get("requestedTaskCount", 0), running=target.get("runningTaskCount", 0),
        pending=target.get("pendingTaskCount", 0), traffic=target.get("requestedProductionTrafficWeight"),
        rollback_reason=item.get("rollback", {}).get("reason", ""), breaker=breaker.get("status", ""),
        failures=breaker.get("failureCount", 0), threshold=breaker.get("threshold", 0),
        alarms=tuple(alarms.get("triggeredAlarmNames", ())), bake_minutes=settings.get("bakeTimeInMinutes", 0),
    )  # fmt: skip


def _time(item: dict[str, Any], key: str) -> datetime:
    value = item.get(key)
    return value if isinstance(value, datetime) else NEVER
