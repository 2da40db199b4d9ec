"""Removing a fleet: services, capacity, load balancers, stacks, log groups, images, and data where that is asked for.

A plan says what goes and what stays. Carrying it out never stops at the first thing that will not go: it takes what
it can, and tells what is left and why. It reads everything from AWS, so it can be run again at any time.
"""

from __future__ import annotations

import time
from collections.abc import Collection, Sequence
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime
from typing import Any

from inferfleet.deploy.operations import stacks, sweep
from inferfleet.deploy.operations.account import Account, is_missing
from inferfleet.deploy.operations.balancers import read_balancers
from inferfleet.deploy.operations.names import stack_names
from inferfleet.deploy.operations.service import last_part, read_services
from inferfleet.deploy.operations.stacks import StackState
from inferfleet.deploy.operations.sweep import Leftover
from inferfleet.deploy.operations.teller import Teller
from inferfleet.deploy.resolve import ResolvedFleet, capacity_provider
from inferfleet.errors import OutsideError

_POLL_S, _LOCAL_POLL_S = 5.0, 0.3
_STACK_S = 3600.0
_HOLDING = ("AWS::DynamoDB::Table", "AWS::S3::Bucket", "AWS::Kinesis::Stream")


@dataclass(frozen=True, slots=True)
class Left:
    """Something that stays.

    Attributes:
        what: Its kind and name.
        why: Why.
    """

    what: str
    why: str


@dataclass(frozen=True)
class Removal:
    """What removing a fleet does.

    Attributes:
        fleet: Its name.
        account: The account.
        region: The region.
        stacks: The stacks that are deleted, in order.
        leftovers: What is deleted after them, in order, where it is still there.
        within: Names of what goes with its stack.
        kept: What stays, and why.
    """

    fleet: str
    account: str
    region: str
    stacks: tuple[StackState, ...]
    leftovers: tuple[Leftover, ...]
    kept: tuple[Left, ...]
    within: frozenset[str] = frozenset()

    @property
    def is_empty(self) -> bool:
        """Whether there is nothing to remove."""
        return not self.stacks and not self.leftovers


@dataclass(frozen=True)
class Removed:
    """What removing a fleet did.

    Attributes:
        fleet: Its name.
        gone: What is gone.
        left: What is left, and why.
        seconds: How long it took.
    """

    fleet: str
    gone: tuple[str, ...]
    left: tuple[Left, ...]
    seconds: float

    def as_data(self) -> dict[str, Any]:
        """The result for a program."""
        return asdict(self)


def plan(account: Account, fleet: ResolvedFleet, *, data: bool) -> Removal:
    """Reads what is there of a fleet and decides what goes.

    Args:
        account: Where.
        fleet: The fleet.
        data: Whether tables, buckets and streams go too.
    """
    there = stacks.read(account, stack_names(fleet))
    ordered = [there[name] for name in reversed(stack_names(fleet)) if name in there]
    found = sweep.existing(account, fleet, [*sweep.named(fleet), *sweep.tagged(account, fleet.file.name)])
    going = {name for state in ordered for kind in _HOLDING for name in stacks.going_with(account, state.name, kind)}
    decided = decide(
        account.id, account.region, fleet, ordered, found, strangers=_strangers(account, fleet), going=going, data=data
    )
    inside = [one.name for item in decided.stacks for one in stacks.resources(account, item.name)]
    names = {name for one in inside for name in (one, *one.split("/"), last_part(one).partition(":")[0])}
    return replace(decided, within=frozenset(names))


def decide(
    account: str,
    region: str,
    fleet: ResolvedFleet,
    ordered: Sequence[StackState],
    found: Sequence[Leftover],
    *,
    strangers: Sequence[str],
    going: Collection[str],
    data: bool,
) -> Removal:
    """Decides what goes and what stays.

    Args:
        account: The account.
        region: The region.
        fleet: The fleet.
        ordered: The stacks that are there, in the order in which they can be deleted.
        found: What else is there.
        strangers: Services in the cluster that are not the fleet's.
        going: Names of what holds data and is deleted with its stack, as the stack says.
        data: Whether tables, buckets and streams go too.
    """
    kept = [
        Left(f"stack {item.name}", "it is protected: aws cloudformation update-termination-protection "
             f"--no-enable-termination-protection --stack-name {item.name}")
        for item in ordered
        if item.protected
    ]  # fmt: skip
    held = {item.name for item in ordered if item.protected}
    if strangers:
        why = f"the cluster runs services that are not the fleet's: {', '.join(strangers)}"
        kept.append(Left(f"cluster {fleet.cluster}", why))
        held |= {f"{fleet.file.name}-cluster", f"{fleet.file.name}-network"}
    leaving = []
    for item in found:
        if item.holds_data and not data and item.name not in going:
            kept.append(Left(f"{item.kind} {item.name}", "it holds data; `--data` deletes it too"))
        elif not (item.kind in ("cluster", "capacity provider") and strangers):
            leaving.append(item)
    return Removal(
        fleet.file.name, account, region, tuple(item for item in ordered if item.name not in held), tuple(leaving),
        tuple(kept),
    )  # fmt: skip


def carry_out(account: Account, fleet: ResolvedFleet, removal: Removal, teller: Teller) -> Removed:
    """Does what a plan says; what will not go is told, and the rest goes on."""
    began, gone, left = datetime.now(UTC), list[str](), list(removal.kept)
    _prepare(account, fleet, teller)
    for state in removal.stacks:
        teller.step(f"deleting stack {state.name}")
        why = _delete_stack(account, state.name, teller)
        if why:
            left.append(Left(f"stack {state.name}", why))
        else:
            gone.append(f"stack {state.name}")
    _release(account, fleet)
    for item in sweep.existing(account, fleet, [*removal.leftovers, *sweep.on_this_machine(account, fleet)]):
        teller.step(f"deleting {item.kind} {item.name}")
        try:
            sweep.delete(account, fleet, item)
            gone.append(f"{item.kind} {item.name}")
        except OutsideError as error:
            left.append(Left(f"{item.kind} {item.name}", str(error)))
    still = sweep.existing(account, fleet, removal.leftovers)
    told = {item.what for item in left}
    left += [
        Left(f"{item.kind} {item.name}", "AWS is still removing it")
        for item in still
        if f"{item.kind} {item.name}" not in told
    ]
    seconds = round((datetime.now(UTC) - began).total_seconds(), 1)
    return Removed(fleet.file.name, tuple(gone), tuple(left), seconds)


def _strangers(account: Account, fleet: ResolvedFleet) -> list[str]:
    own = {service.names.service for service in fleet.services}
    try:
        arns = account.pages("ecs", "list_services", "serviceArns", cluster=fleet.cluster)
    except Exception as error:
        if is_missing(error):
            return []
        raise
    return sorted({arn.rsplit("/", 1)[-1] for arn in arns} - own)


def _prepare(account: Account, fleet: ResolvedFleet, teller: Teller) -> None:
    """Lifts what would keep stacks: protected balancers, and protected instances."""
    states = read_services(account, fleet.cluster, [service.names.service for service in fleet.services])
    for state in states.values():
        for balancer in read_balancers(account, state.target_groups):
            teller.detail(f"{balancer.name}: lifting its protection")
            sweep.unprotect(account, balancer.arn)
    _release(account, fleet)


def _release(account: Account, fleet: ResolvedFleet) -> None:
    from inferfleet.config.fleet_capacity import Ec2Capacity

    for name, item in fleet.file.capacity.items():
        if isinstance(item, Ec2Capacity):
            sweep.release_instances(account, capacity_provider(fleet.file.name, name))


def _delete_stack(account: Account, name: str, teller: Teller) -> str:
    """Deletes a stack and waits for its end; why it is still there, empty when it is gone."""
    client = account.client("cloudformation")
    stacks.wait_idle(account, [name], teller.note)
    for bucket in stacks.going_with(account, name, "AWS::S3::Bucket"):
        teller.detail(f"{name}: emptying bucket {bucket}, which goes with it")
        sweep.empty_bucket(account, bucket)
    began = datetime.now(UTC)
    client.delete_stack(StackName=name)
    until = time.monotonic() + _STACK_S
    while time.monotonic() < until:
        state = stacks.read(account, [name]).get(name)
        if state is None:
            return ""
        if not state.is_busy and state.status == "DELETE_FAILED":
            reasons = stacks.failures(account, name, began)
            return "; ".join(reasons) or state.reason or state.status
        teller.detail(f"{name}: {state.status}")
        time.sleep(_LOCAL_POLL_S if account.is_local else _POLL_S)
    return f"CloudFormation has not deleted it within {_STACK_S / 60:.0f} min"
