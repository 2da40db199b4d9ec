"""Changing what runs of one service: going back, more or fewer tasks, new tasks. Each is followed to its end."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime

from inferfleet.deploy.operations import versions
from inferfleet.deploy.operations.account import Account
from inferfleet.deploy.operations.follow import Follower
from inferfleet.deploy.operations.service import NEVER, ServiceState, read_deployments, read_limits, read_service
from inferfleet.deploy.operations.teller import Teller
from inferfleet.deploy.operations.verdict import Verdict
from inferfleet.errors import InputError


@dataclass(frozen=True, slots=True)
class Order:
    """What is to be done with a service.

    Attributes:
        service: Its name.
        text: What, in words.
        stops: The ARN of the deployment that is stopped and rolled back; empty for none.
        began_at: When that deployment began.
        version: The version that is deployed; None for the one that runs.
        notes: What a reader should know.
    """

    service: str
    text: str
    stops: str = ""
    began_at: datetime = NEVER
    version: versions.Version | None = None
    notes: tuple[str, ...] = ()


def plan_rollback(account: Account, service: ServiceState, wanted: str) -> Order:
    """Decides how a service goes back: a deployment that is not decided is stopped, otherwise a version is deployed.

    Raises:
        InputError: There is no version to go back to, or its image is gone.
    """
    running = next((item for item in read_deployments(account, service) if item.is_open), None)
    if running is not None and not wanted:
        way = "its traffic goes back at once" if running.stage == "BAKE_TIME" else "ECS rolls it back"
        return Order(
            service.name, f"stop deployment {running.id}; {way}", stops=running.arn, began_at=running.created_at
        )
    family = service.task_definition.partition(":")[0]
    version = versions.choose(versions.history(account, service), wanted, family)
    gone = versions.missing_images(account, version.task_definition)
    if gone:
        raise InputError(f"{version.task_definition} runs {gone[0]}, which the registry does not hold any more")
    notes = [] if version.succeeded else [f"no deployment of {version.task_definition} is known to have succeeded"]
    notes.append("fleet.yaml still says the newer version: the next `inferfleet deploy` brings it again")
    text = f"deploy {version.task_definition} instead of {service.task_definition}"
    return Order(service.name, text, version=version, notes=tuple(notes))


def roll_back(account: Account, cluster: str, order: Order) -> datetime:
    """Carries a rollback out; returns from when on its deployment counts."""
    ecs = account.client("ecs")
    began = datetime.now(UTC)
    if order.stops:
        ecs.stop_service_deployment(serviceDeploymentArn=order.stops, stopType="ROLLBACK")
        return order.began_at
    if order.version is not None:
        definition = versions.usable(account, order.version)
        ecs.update_service(cluster=cluster, service=order.service, taskDefinition=definition)
    return began


def restart(account: Account, cluster: str, service: str) -> datetime:
    """Replaces all tasks by new ones of the same version; returns from when on its deployment counts."""
    began = datetime.now(UTC)
    account.client("ecs").update_service(cluster=cluster, service=service, forceNewDeployment=True)
    return began


@dataclass(frozen=True, slots=True)
class Scale:
    """How far a service is to be scaled.

    Attributes:
        service: Its name.
        count: Tasks that it should have; None leaves that.
        limits: What autoscaling keeps to; None leaves that.
        notes: What a reader should know.
    """

    service: str
    count: int | None
    limits: tuple[int, int] | None
    notes: tuple[str, ...]


def plan_scale(
    account: Account, service: ServiceState, count: int | None, least: int | None, most: int | None
) -> Scale:
    """Decides what is changed, against what autoscaling does meanwhile.

    Raises:
        InputError: The numbers contradict each other, or nothing scales the service.
    """
    return decide_scale(service, read_limits(account, service.cluster, service.name), count, least, most)


def decide_scale(
    service: ServiceState, limits: tuple[int, int] | None, count: int | None, least: int | None, most: int | None
) -> Scale:
    """See `plan_scale`; `limits` is what autoscaling keeps to, None where nothing scales."""
    if limits is None and (least is not None or most is not None):
        raise InputError(f"nothing scales {service.name}; write `scaling` in fleet.yaml, or give a number of tasks")
    wanted = None
    if limits is not None and (least is not None or most is not None):
        wanted = (limits[0] if least is None else least, limits[1] if most is None else most)
        if wanted[0] > wanted[1]:
            raise InputError(f"the least, {wanted[0]}, is above the most, {wanted[1]}; give --min and --max together")
    within = wanted or limits
    notes = []
    if count is not None and within is not None and not within[0] <= count <= within[1]:
        raise InputError(
            f"autoscaling keeps {service.name} between {within[0]} and {within[1]} tasks and would undo {count}; "
            "move the limits with --min and --max"
        )
    if count is not None and within is not None:
        notes.append(f"autoscaling goes on between {within[0]} and {within[1]}")
    notes.append("fleet.yaml says otherwise until you write it there: the next deployment may bring its numbers back")
    return Scale(service.name, count, wanted, tuple(notes))


def scale(account: Account, cluster: str, order: Scale) -> None:
    """Carries it out."""
    if order.limits is not None:
        account.client("application-autoscaling").register_scalable_target(
            ServiceNamespace="ecs", ResourceId=f"service/{cluster}/{order.service}",
            ScalableDimension="ecs:service:DesiredCount", MinCapacity=order.limits[0], MaxCapacity=order.limits[1],
        )  # fmt: skip
    if order.count is not None:
        account.client("ecs").update_service(cluster=cluster, service=order.service, desiredCount=order.count)


def follow_one(
    account: Account, cluster: str, service: str, teller: Teller, *, since: datetime, timeout: float
) -> Verdict:
    """Follows what was begun with a service until it is decided."""
    found = Follower(account, cluster, [service], teller.progress, since).follow(timeout)
    if found:
        return found[0]
    read_service(account, cluster, service)
    raise AssertionError("a service that can be read has a verdict")
