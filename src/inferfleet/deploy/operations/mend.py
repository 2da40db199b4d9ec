"""What an earlier attempt, or a hand, left otherwise than the file says, and how it is put right."""

from __future__ import annotations

import time
from enum import StrEnum

from inferfleet.deploy.operations import stacks
from inferfleet.deploy.operations.account import Account
from inferfleet.deploy.operations.names import service_stack
from inferfleet.deploy.operations.service import last_part, read_services
from inferfleet.deploy.operations.teller import Teller
from inferfleet.deploy.resolve import ResolvedFleet
from inferfleet.errors import OutsideError


class Remedy(StrEnum):
    """What a stack needs before it can be deployed."""

    NONE = "none"
    DELETE = "delete"
    CONTINUE = "continue the rollback"
    PERSON = "a person"


_REMEDIES = {
    "ROLLBACK_COMPLETE": Remedy.DELETE,
    "ROLLBACK_FAILED": Remedy.DELETE,
    "CREATE_FAILED": Remedy.DELETE,
    "REVIEW_IN_PROGRESS": Remedy.DELETE,
    "UPDATE_ROLLBACK_FAILED": Remedy.CONTINUE,
    "DELETE_FAILED": Remedy.PERSON,
}


def remedy(status: str) -> Remedy:
    """What a stack in this status needs; one that was never created has nothing that could be lost."""
    return _REMEDIES.get(status, Remedy.NONE)


def clear(account: Account, name: str, status: str, teller: Teller) -> None:
    """Makes a stack deployable.

    Raises:
        OutsideError: Only a person can.
    """
    needed = remedy(status)
    client = account.client("cloudformation")
    if needed is Remedy.DELETE:
        teller.note(f"{name} is {status}: an attempt to create it failed; it is deleted and made anew")
        client.delete_stack(StackName=name)
    elif needed is Remedy.CONTINUE:
        teller.note(f"{name} is {status}: the rollback is continued")
        client.continue_update_rollback(StackName=name)
    elif needed is Remedy.PERSON:
        raise OutsideError(f"stack {name} is {status}; `inferfleet destroy` says what keeps it, then deploy again")
    if needed is not Remedy.NONE:
        time.sleep(1.0)  # CloudFormation takes a moment to say that it is busy
        stacks.wait_idle(account, [name], teller.note)


def bring_back(account: Account, fleet: ResolvedFleet, teller: Teller) -> list[str]:
    """Gives services that run another version than their stack says that version; returns their names.

    A rollback by hand changes the service and not its stack, so CloudFormation sees nothing to do.
    """
    on_ecs = [service for service in fleet.services if service.target != "eks"]
    named = {service.names.service: service_stack(fleet, service.key) for service in on_ecs}
    states = read_services(account, fleet.cluster, list(named))
    there = stacks.read(account, named.values())
    mended = []
    for name, state in states.items():
        if named[name] not in there:
            continue
        wanted = next(
            (item.name for item in stacks.resources(account, named[name]) if item.type == "AWS::ECS::TaskDefinition"),
            "",
        )
        if wanted and last_part(wanted) != state.task_definition:
            teller.note(f"{name} runs {state.task_definition}, its stack says {last_part(wanted)}: deploying that")
            account.client("ecs").update_service(cluster=fleet.cluster, service=name, taskDefinition=wanted)
            mended.append(name)
    return mended
