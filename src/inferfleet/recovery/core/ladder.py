"""Which rung comes next for a node at fault. Pure arithmetic over its history, the evidence and the policy's limits."""

from dataclasses import dataclass

from inferfleet.recovery.core.model import Fleet, Node
from inferfleet.recovery.core.policy import DAY, HOUR, Policy
from inferfleet.recovery.core.terms import Rung


@dataclass(frozen=True, slots=True)
class Choice:
    """A rung, and why this one."""

    rung: Rung
    why: str


def recent(times: tuple[float, ...], now: float, window: float) -> tuple[float, ...]:
    """Those of `times` that lie within the last `window` seconds."""
    return tuple(at for at in times if at > now - window)


def choose_rung(node: Node, wanted: Rung, policy: Policy, now: float) -> Choice:
    """Chooses the rung for a node whose fault is confirmed.

    Args:
        node: With its history; this fault is already among its offences.
        wanted: What the evidence asks for; at least a reset.
        policy: The limits.
        now: Seconds since the epoch.
    """
    if wanted is Rung.PERSON:
        return Choice(Rung.PERSON, "the evidence asks for a person")
    if node.repaired is Rung.RESET_GPU:
        return Choice(Rung.REBOOT, "the reset did not help")
    beyond = _beyond_reboot(node, wanted, policy, now)
    if beyond:
        return _replace_or_person(node, policy, beyond)
    if wanted is Rung.RESET_GPU and policy.allow_reset:
        return Choice(Rung.RESET_GPU, "a GPU reset may do")
    return Choice(Rung.REBOOT, "a reboot may do")


def _beyond_reboot(node: Node, wanted: Rung, policy: Policy, now: float) -> str:
    """Why a reboot will not do; "" if it may."""
    if node.repaired >= Rung.REBOOT:
        return "it failed again after a reboot"
    if wanted is Rung.REPLACE:
        return "the evidence asks for a replacement"
    if len(recent(node.offences, now, policy.node_window)) >= policy.node_offences:
        return f"it is a repeat offender ({policy.node_offences} faults)"
    if len(recent(node.reboots, now, policy.node_window)) >= policy.node_reboots:
        return f"it was repaired {policy.node_reboots} times already"
    return ""


def _replace_or_person(node: Node, policy: Policy, why: str) -> Choice:
    if not policy.allow_replace:
        return Choice(Rung.PERSON, f"{why}, and replacement is not allowed")
    if not node.replaceable:
        return Choice(Rung.PERSON, f"{why}, and it belongs to no Auto Scaling group")
    return Choice(Rung.REPLACE, why)


def budget_refusal(fleet: Fleet, rung: Rung, policy: Policy, now: float) -> str:
    """Why the fleet's budgets forbid one more repair of this kind now; "" if they allow it."""
    if fleet.repairing >= policy.repair_limit(fleet.nodes):
        return f"{fleet.repairing} of {fleet.nodes} nodes are in repair, the limit"
    if rung in (Rung.RESET_GPU, Rung.REBOOT):
        count = len(recent(fleet.reboots, now, HOUR))
        if count >= policy.reboot_limit(fleet.nodes):
            return f"{count} reboots in the last hour, the limit"
    if rung is Rung.REPLACE:
        count = len(recent(fleet.replacements, now, DAY))
        if count >= policy.replacement_limit(fleet.nodes):
            return f"{count} replacements in the last day, the limit"
    return ""
