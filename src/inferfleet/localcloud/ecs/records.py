"""What the controller keeps of each service, and how AWS shows it: service, deployments, revisions, events."""

from __future__ import annotations

import uuid
from collections.abc import Iterable
from dataclasses import dataclass, field

from inferfleet.localcloud.ecs import shifting
from inferfleet.localcloud.ecs.launch import Json
from inferfleet.localcloud.ecs.model import Deployment, Service, Stage, Status, Strategy

_EVENTS = 100
"""DescribeServices shows the latest 100 events."""
_PERCENT = 100.0


@dataclass(frozen=True, slots=True)
class Revision:
    """A service revision: all that a deployment deploys.

    Attributes:
        arn: Its name.
        created: When it was made.
        task_definition: ARN of the task definition.
        settings: The settings of CreateService that belong to a revision, in its spelling.
        groups: The target groups that its tasks are registered with, one for each load balancer of the settings.
    """

    arn: str
    created: float
    task_definition: str
    settings: Json
    groups: tuple[str, ...]


@dataclass(slots=True)
class Kept:
    """A service, as the controller keeps it.

    Attributes:
        account: Number of its account.
        region: Its region.
        cluster: Name of its cluster.
        record: The service as AWS shows it, which MiniStack's own calls read.
        service: The service as the controller decides on it.
        revisions: By ARN.
        deployments: By ARN, the oldest first.
        good: ARN of the last revision whose deployment succeeded.
        registered: Tasks that have been registered with their target groups.
        healthy: Tasks that have been seen healthy.
        failures_told: Failures in a row when that was last looked at.
    """

    account: str
    region: str
    cluster: str
    record: Json
    service: Service
    revisions: dict[str, Revision] = field(default_factory=dict)
    deployments: dict[str, Deployment] = field(default_factory=dict)
    good: str | None = None
    registered: set[str] = field(default_factory=set)
    healthy: set[str] = field(default_factory=set)
    failures_told: int = 0

    @property
    def name(self) -> str:
        """The service's name."""
        return self.service.name

    @property
    def group(self) -> str:
        """What its tasks' records call it."""
        return f"service:{self.name}"

    def update(self, service: Service, now: float) -> None:
        """Takes over what was decided."""
        before, after = self.service.deployment, service.deployment
        self.service = service
        self.deployments[after.arn] = after
        if after.status in (Status.SUCCESSFUL, Status.ROLLBACK_SUCCESSFUL) and before.status is not after.status:
            self.good = after.wanted
        if after is not before:
            self.record["taskDefinition"] = self.revisions[after.wanted or after.target].task_definition
            self.record["_updated"] = now

    def tell(self, message: str, now: float) -> None:
        """Adds an event."""
        self.record["events"].insert(0, {"id": str(uuid.uuid4()), "createdAt": now, "message": message})
        del self.record["events"][_EVENTS:]


def counts(tasks: Iterable[Json], revision: str | None = None) -> tuple[int, int]:
    """How many tasks run, and how many are on their way to it."""
    mine = [task for task in tasks if revision is None or task.get("_deployment_id") == revision]
    going_up = ("PROVISIONING", "PENDING", "ACTIVATING")
    return (
        sum(task["lastStatus"] == "RUNNING" for task in mine),
        sum(task["lastStatus"] in going_up for task in mine),
    )


def refresh(kept: Kept, tasks: list[Json]) -> None:
    """Brings the record that AWS shows up to date with what is known."""
    running, pending = counts(tasks)
    deployment = kept.service.deployment
    kept.record.update(
        desiredCount=kept.service.desired,
        runningCount=running,
        pendingCount=pending,
        deployments=_deployments(kept, tasks),
        currentServiceDeployment=None if deployment.is_over else deployment.arn,
        currentServiceRevisions=[_revision_counts(kept, arn, tasks) for arn in _current(kept, tasks)],
    )


def service_deployment(kept: Kept, deployment: Deployment, tasks: list[Json]) -> Json:
    """A deployment, as DescribeServiceDeployments shows it."""
    rules, breaker = deployment.rules, deployment.rules.breaker
    threshold = breaker.threshold(kept.service.desired)
    watching = "MONITORING" if not deployment.is_over else "MONITORING_COMPLETE"
    tripped = breaker.enabled and deployment.failures >= threshold
    shown: Json = {
        **_brief(kept, deployment),
        "updatedAt": deployment.updated,
        "targetServiceRevision": _weighted(kept, deployment.target, tasks, deployment),
        "sourceServiceRevisions": [_weighted(kept, deployment.source, tasks, deployment)] if deployment.source else [],
        "lifecycleStage": deployment.stage,
        "deploymentConfiguration": kept.record["deploymentConfiguration"],
        "deploymentCircuitBreaker": {
            "status": ("TRIGGERED" if tripped else watching) if breaker.enabled else "DISABLED",
            "failureCount": deployment.failures,
            "threshold": threshold,
        },
        "alarms": {
            "status": ("TRIGGERED" if deployment.fired else watching) if rules.alarms else "DISABLED",
            "alarmNames": list(rules.alarms),
            "triggeredAlarmNames": list(deployment.fired),
        },
        "rollback": deployment.rollback
        and {
            "reason": deployment.rollback.reason,
            "startedAt": deployment.rollback.started,
            "serviceRevisionArn": deployment.rollback.revision,
        },
        "stoppedAt": deployment.finished if deployment.status is Status.STOPPED else None,
    }
    shown.pop("targetServiceRevisionArn")
    return _without_nothing(shown)


def service_deployment_brief(kept: Kept, deployment: Deployment) -> Json:
    """A deployment, as ListServiceDeployments shows it."""
    return _without_nothing(_brief(kept, deployment))


def service_revision(kept: Kept, revision: Revision, images: list[Json]) -> Json:
    """A revision, as DescribeServiceRevisions shows it."""
    balancers = [
        {
            "targetGroupArn": group,
            "productionListenerRule": (entry.get("advancedConfiguration") or {}).get("productionListenerRule"),
        }
        for entry, group in zip(revision.settings.get("loadBalancers") or (), revision.groups, strict=True)
    ]
    return _without_nothing(
        {
            **revision.settings,
            "serviceRevisionArn": revision.arn,
            "serviceArn": kept.record["serviceArn"],
            "clusterArn": kept.record["clusterArn"],
            "taskDefinition": revision.task_definition,
            "containerImages": images,
            "guardDutyEnabled": False,
            "createdAt": revision.created,
            "resolvedConfiguration": {"loadBalancers": [_without_nothing(entry) for entry in balancers]},
        }
    )


def deployment_of(kept: Kept, revision: str) -> Deployment:
    """The latest deployment that was to bring a revision."""
    found = [deployment for deployment in kept.deployments.values() if deployment.target == revision]
    return found[-1] if found else kept.service.deployment


def _brief(kept: Kept, deployment: Deployment) -> Json:
    return {
        "serviceDeploymentArn": deployment.arn,
        "serviceArn": kept.record["serviceArn"],
        "clusterArn": kept.record["clusterArn"],
        "createdAt": deployment.created,
        "startedAt": deployment.started,
        "finishedAt": deployment.finished,
        "targetServiceRevisionArn": deployment.target,
        "status": deployment.status,
        "statusReason": deployment.reason or None,
    }


def _deployments(kept: Kept, tasks: list[Json]) -> list[Json]:
    """Deployments as DescribeServices shows them: the primary one, and each other whose tasks are still there."""
    deployment = kept.service.deployment
    primary = deployment.wanted or deployment.target
    shown = [_deployment(kept, deployment_of(kept, primary), primary, tasks, status="PRIMARY")]
    for arn in _current(kept, tasks):
        if arn != primary:
            shown.append(_deployment(kept, deployment_of(kept, arn), arn, tasks, status="ACTIVE"))
    return shown


def _deployment(kept: Kept, deployment: Deployment, revision: str, tasks: list[Json], status: str) -> Json:
    running, pending = counts(tasks, revision)
    is_primary = status == "PRIMARY"
    state, reason = _rollout(kept, deployment, revision)
    settings = kept.revisions[revision].settings
    return _without_nothing(
        {
            "id": shifting.short_id(deployment),
            "status": status,
            "taskDefinition": kept.revisions[revision].task_definition,
            "desiredCount": kept.service.desired if is_primary and state != "FAILED" else 0,
            "runningCount": running,
            "pendingCount": pending,
            "failedTasks": deployment.failures,
            "createdAt": deployment.created,
            "updatedAt": deployment.updated or deployment.created,
            "launchType": settings.get("launchType"),
            "capacityProviderStrategy": settings.get("capacityProviderStrategy"),
            "platformVersion": settings.get("platformVersion"),
            "networkConfiguration": settings.get("networkConfiguration"),
            "rolloutState": state,
            "rolloutStateReason": reason,
        }
    )


def _rollout(kept: Kept, deployment: Deployment, revision: str) -> tuple[str, str]:
    """State and reason of a deployment, as DescribeServices puts them."""
    name = shifting.short_id(deployment)
    latest = kept.service.deployment
    if latest.rollback and revision == latest.rollback.revision and not latest.is_over:
        return "IN_PROGRESS", f"{latest.rollback.reason} Rolling back to deploymentId {name}."
    if deployment.rollback or deployment.wanted is None:
        return "FAILED", deployment.reason
    if deployment.is_forward:
        return "IN_PROGRESS", f"ECS deployment {name} in progress."
    return "COMPLETED", f"ECS deployment {name} completed."


def _current(kept: Kept, tasks: list[Json]) -> list[str]:
    """Revisions that are wanted or have tasks, the newest first."""
    there = {task.get("_deployment_id") for task in tasks if task["lastStatus"] != "STOPPED"}
    deployment = kept.service.deployment
    there |= {deployment.wanted or deployment.target}
    return [arn for arn in reversed(kept.revisions) if arn in there]


def _revision_counts(kept: Kept, arn: str, tasks: list[Json]) -> Json:
    running, pending = counts(tasks, arn)
    deployment = kept.service.deployment
    keeps_source = deployment.shifts_traffic and not deployment.is_over and deployment.stage is not Stage.CLEAN_UP
    wanted = {deployment.wanted} | ({deployment.source} if keeps_source else set())
    return {
        "arn": arn,
        "requestedTaskCount": kept.service.desired if arn in wanted else 0,
        "runningTaskCount": running,
        "pendingTaskCount": pending,
    }


def _weighted(kept: Kept, arn: str, tasks: list[Json], deployment: Deployment) -> Json:
    shown = _revision_counts(kept, arn, tasks)
    if deployment.rules.strategy is not Strategy.ROLLING:
        is_target = arn == deployment.target
        shown["requestedProductionTrafficWeight"] = deployment.weight if is_target else _PERCENT - deployment.weight
        if deployment.rules.has_test_traffic:
            test = deployment.test_weight
            shown["requestedTestTrafficWeight"] = test if is_target else _PERCENT - test
    return shown


def _without_nothing(shape: Json) -> Json:
    return {key: value for key, value in shape.items() if value is not None}
