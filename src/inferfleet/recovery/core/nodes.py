"""A node's way through recovery: suspected, fenced, examined, repaired, examined again, and back in service.

in service ─► suspect ─► examining ─► in service
                 │           │
                 └► condemned ◄┘ ─► resetting / rebooting ─► examining
                        │  └─────► replacing ─► retired
                        └────────► quarantined (a person)
"""

from inferfleet.recovery.core import breaker, fence, incidents, occupancy
from inferfleet.recovery.core.ladder import budget_refusal, choose_rung, recent
from inferfleet.recovery.core.model import Boot, Node, evolve
from inferfleet.recovery.core.observations import Diagnosed, Verdict
from inferfleet.recovery.core.policy import DAY, HOUR
from inferfleet.recovery.core.state import Draft
from inferfleet.recovery.core.terms import IntentKind, NodePhase, Rung

_LEVEL_BY_SUSPICION = 3
"""Deepest level that unexplained failures alone lead to; level 4 takes hours."""


def suspect(draft: Draft, key: str, rung: Rung, reason: str, *, primary: bool = False) -> None:
    """Takes evidence against a node into account, and goes as far as the node's state allows.

    Args:
        draft: The draft to write.
        key: The node.
        rung: What the evidence asks for.
        reason: The evidence, in words.
        primary: The trouble began on this node; if nothing is found, its next examination goes deeper.
    """
    node = draft.node(key)
    if node is None:
        return
    match node.phase:
        case NodePhase.IN_SERVICE | NodePhase.LEAVING:
            if draft.policy.dry_run:
                incidents.would(draft, node, rung, reason)
                return
            node = incidents.go_on(draft, node, reason)
            node = draft.put_node(
                evolve(
                    node,
                    phase=NodePhase.SUSPECT,
                    rung=max(rung, Rung.EXAMINE),
                    reason=reason,
                    since=draft.now,
                    deadline=draft.now + draft.policy.suspect_deadline,
                    tries=0,
                    repaired=Rung.NONE,
                    suspicions=(*recent(node.suspicions, draft.now, draft.policy.node_window), draft.now)
                    if primary
                    else node.suspicions,
                )
            )
            advance_suspect(draft, node)
        case NodePhase.SUSPECT:
            if rung > node.rung:
                node = draft.put_node(evolve(node, rung=rung, reason=reason))
                draft.note(node.incident, reason)
                advance_suspect(draft, node)
        case NodePhase.EXAMINING:
            if rung >= Rung.RESET_GPU and rung > node.rung:
                draft.put_node(evolve(node, rung=rung, reason=reason))
                draft.note(node.incident, f"{reason}; the diagnosis under way cannot clear it")
        case NodePhase.CONDEMNED:
            if node.lost:
                draft.put_node(evolve(node, lost=False))
                draft.note(node.incident, reason)
        case _:
            pass


def advance_suspect(draft: Draft, node: Node) -> None:
    """Fences a suspect when budgets allow: for a diagnosis once it is idle, for a repair at once."""
    if not draft.fleet.acting or node.phase is not NodePhase.SUSPECT:
        return
    certain = node.rung >= Rung.RESET_GPU
    if not certain and (node.draining or occupancy.busy(draft, node.id)):
        return
    if draft.fleet.fenced >= draft.policy.fence_limit(draft.fleet.nodes):
        return
    if certain:
        condemn(draft, node, node.rung, node.reason)
    else:
        examine(draft, node)


def examine(draft: Draft, node: Node, *, repaired: Rung = Rung.NONE) -> None:
    """Fences a node, if it is not, and asks for a diagnosis of it."""
    again = node.phase is NodePhase.EXAMINING
    repaired = node.repaired if again else repaired
    level = _level(draft, node, repaired)
    was_fenced = node.fenced
    node = draft.put_node(
        evolve(
            node,
            phase=NodePhase.EXAMINING,
            rung=node.rung if again else Rung.EXAMINE,
            since=node.since if again else draft.now,
            deadline=draft.now + draft.policy.examine_time(level),
            repaired=repaired,
            lost=False,
            emptied=False,
            tries=node.tries if again else 0,
        )
    )
    if not was_fenced:
        fence.ask(draft, node, IntentKind.FENCE, f"to examine it: {node.reason}")
    when = "after its repair" if repaired else node.reason
    request = draft.ask(IntentKind.DIAGNOSE, _now(draft, node), f"level {level}: {when}", level=level)
    draft.put_node(evolve(_now(draft, node), request=request))
    draft.note(node.incident, f"fenced; diagnosis at level {level} asked for ({when})")


def on_diagnosed(draft: Draft, seen: Diagnosed) -> None:
    """Acts on a verdict, if it answers the question that is open."""
    node = draft.node(seen.node)
    if node is None or seen.request != node.request:
        return
    if node.phase is NodePhase.RESETTING:
        _on_reset(draft, node, seen)
    if node.phase is not NodePhase.EXAMINING:
        return
    if seen.boot is not None:
        node = draft.put_node(evolve(node, boot=seen.boot))
    if seen.verdict is not Verdict.INCONCLUSIVE and node.repaired and not _new_boot(node, node.boot):
        _inconclusive(draft, node, "nothing proves that the node has booted since it was repaired")
        return
    match seen.verdict:
        case Verdict.INCONCLUSIVE:
            _inconclusive(draft, node, seen.detail or "the diagnosis was inconclusive")
        case Verdict.FAIL:
            condemn(draft, node, max(Rung(seen.rung), node.rung, Rung.RESET_GPU), f"diagnosis failed: {seen.detail}")
        case Verdict.PASS:
            if node.rung >= Rung.RESET_GPU:
                condemn(
                    draft, node, node.rung, f"{node.reason} (the diagnosis passed, but this came in after it began)"
                )
            else:
                _release(draft, node, seen.detail)


def condemn(draft: Draft, node: Node, rung: Rung, reason: str) -> None:
    """Confirms a fault, chooses the rung and begins it as soon as the node is empty and budgets allow.

    A fault that outlives its repair is the same fault: it is counted once.
    """
    policy, now = draft.policy, draft.now
    was_fenced = node.fenced
    if node.repaired is Rung.NONE:
        node = evolve(node, offences=(*recent(node.offences, now, policy.node_window), now))
        breaker.count_fault(draft)
    choice = choose_rung(node, rung, policy, now)
    if choice.rung is Rung.PERSON:
        node = draft.put_node(evolve(node, reason=reason))
        quarantine(draft, node, f"{reason}; {choice.why}")
        return
    node = draft.put_node(
        evolve(
            node,
            phase=NodePhase.CONDEMNED,
            rung=choice.rung,
            reason=reason,
            since=now,
            deadline=now + policy.condemned_deadline,
            request="",
            tries=0,
        )
    )
    if not was_fenced:
        fence.ask(draft, node, IntentKind.FENCE, reason)
    draft.note(node.incident, f"{reason}; next is {choice.rung.name.lower()}: {choice.why}")
    advance_condemned(draft, _now(draft, node))


def advance_condemned(draft: Draft, node: Node) -> None:
    """Begins the repair of a condemned node if nothing runs there and the budgets allow it."""
    if not draft.fleet.acting or node.phase is not NodePhase.CONDEMNED or node.keep_out:
        return
    dying = occupancy.tasks_that_may_die(draft, node)
    if node.lost and node.connected:
        if dying == ():
            draft.note(node.incident, "its agent is back; a diagnosis decides")
            examine(draft, node)
        return
    if dying is None:
        fence.move_services(draft, node)
        return
    if budget_refusal(draft.fleet, node.rung, draft.policy, draft.now):
        return
    match node.rung:
        case Rung.RESET_GPU:
            _begin_repair(draft, node, NodePhase.RESETTING, IntentKind.RESET_GPU, dying)
        case Rung.REPLACE:
            _begin_repair(draft, node, NodePhase.REPLACING, IntentKind.REPLACE, dying)
        case _:
            _begin_repair(draft, node, NodePhase.REBOOTING, IntentKind.REBOOT, dying)


def _begin_repair(draft: Draft, node: Node, phase: NodePhase, kind: IntentKind, dying: tuple[str, ...]) -> None:
    """Charges the budgets and records the intent, both in the one transaction that this decision becomes."""
    policy, now, fleet = draft.policy, draft.now, draft.fleet
    deadline = now + (policy.replace_deadline if phase is NodePhase.REPLACING else policy.reboot_deadline)
    if phase is NodePhase.REPLACING:
        draft.set_fleet(replacements=(*recent(fleet.replacements, now, DAY), now))
    else:
        draft.set_fleet(reboots=(*recent(fleet.reboots, now, HOUR), now))
        node = evolve(node, reboots=(*recent(node.reboots, now, policy.node_window), now))
    before = node.boot.id if node.boot else ""
    node = draft.put_node(
        evolve(
            node,
            phase=phase,
            since=now,
            deadline=deadline,
            boot_before=before,
            acted_at=now,
            tries=0,
            emptied=node.emptied and phase is NodePhase.REPLACING,
        )
    )
    request = draft.ask(kind, node, node.reason, tasks=dying, boot_before=before)
    draft.put_node(evolve(_now(draft, node), request=request))
    draft.note(node.incident, f"{kind} asked for")


def on_boot(draft: Draft, node: Node, boot: Boot | None, *, connected: bool, was_away: bool) -> None:
    """Examines a node that has come back from its reboot. ACTIVE alone proves nothing: the boot must be a new one."""
    if node.phase is not NodePhase.REBOOTING or not connected:
        return
    if _new_boot(node, boot if boot is not None else node.boot) or (boot is None and node.boot is None and was_away):
        draft.note(node.incident, "the node is back from its reboot")
        examine(draft, _now(draft, node), repaired=Rung.REBOOT)


def _on_reset(draft: Draft, node: Node, seen: Diagnosed) -> None:
    """Examines a node whose GPUs were reset; the boot stays the same one, so there is no new one to wait for."""
    if seen.verdict is Verdict.PASS:
        examine(draft, evolve(node, boot_before="", acted_at=0.0), repaired=Rung.RESET_GPU)
    else:
        escalate(draft, node, f"the GPU reset failed: {seen.detail or 'no reason given'}")


def stand_back(draft: Draft, node: Node) -> None:
    """A repair was refused or failed at once: the attempt stays charged, and the node waits for the next one."""
    if node.phase is NodePhase.REPLACING:
        quarantine(draft, node, "it could not be replaced")
        return
    draft.put_node(
        evolve(
            node,
            phase=NodePhase.CONDEMNED,
            deadline=draft.now + draft.policy.condemned_deadline,
            since=draft.now,
            request="",
            rung=_after_refusal(draft, node),
        )
    )


def _after_refusal(draft: Draft, node: Node) -> Rung:
    """The rung to try next: a further reboot within the node's own limit, else replacement."""
    if len(recent(node.reboots, draft.now, draft.policy.node_window)) < draft.policy.node_reboots:
        return Rung.REBOOT
    return Rung.REPLACE


def escalate(draft: Draft, node: Node, why: str) -> None:
    """A repair did not work: the next rung, or a person where none is left."""
    if node.phase is NodePhase.REPLACING:
        quarantine(draft, node, why)
        return
    if node.phase is NodePhase.REBOOTING and node.connected and node.boot and node.boot.id == node.boot_before:
        draft.note(node.incident, "it is up, and has not booted since: the reboot did not happen")
        stand_back(draft, node)
        return
    done = Rung.RESET_GPU if node.phase is NodePhase.RESETTING else Rung.REBOOT
    condemn(draft, evolve(node, repaired=done), Rung.REBOOT, why)


def quarantine(draft: Draft, node: Node, why: str) -> None:
    """Keeps a node fenced and calls a person."""
    node = incidents.begin(draft, node, why)
    node = fence.set_aside(draft, node, why)
    incidents.call_person(
        draft,
        _now(draft, node),
        what=f"node {node.id} is quarantined: {why}",
        todo=f"look at the instance; then `inferfleet recovery return {node.id}` (diagnoses it), or terminate it",
    )


def retire(draft: Draft, node: Node, why: str) -> None:
    """The instance is gone."""
    draft.put_node(
        evolve(node, phase=NodePhase.RETIRED, deadline=None, since=draft.now, disconnected_at=None, request="")
    )
    draft.note(node.incident, why, outcome="replaced" if node.phase is NodePhase.REPLACING else "gone")


def leave(draft: Draft, node: Node, rung: Rung, reason: str, deadline: float) -> None:
    """Keeps new gangs off a node that will be taken away or must be repaired at a set time."""
    if node.phase is not NodePhase.IN_SERVICE or draft.policy.dry_run:
        return
    node = incidents.go_on(draft, node, reason)
    draft.put_node(evolve(node, phase=NodePhase.LEAVING, rung=rung, reason=reason, since=draft.now, deadline=deadline))


def retry_examination(draft: Draft, node: Node) -> None:
    """Asks again after a pause, or counts a diagnosis that never answered."""
    if node.request:
        _inconclusive(draft, node, "the diagnosis did not answer in time")
    elif draft.fleet.acting:
        examine(draft, node)


def on_diagnose_failed(draft: Draft, node: Node, why: str) -> None:
    """The diagnostic task could not be started."""
    _inconclusive(draft, node, why)


def dismiss(draft: Draft, node: Node, why: str) -> None:
    """Lets a suspect go that was never fenced."""
    draft.put_node(
        evolve(node, phase=NodePhase.IN_SERVICE, rung=Rung.NONE, reason="", since=draft.now, deadline=None, incident="")
    )
    draft.note(node.incident, why, outcome="dismissed")
    draft.freed = True


def _release(draft: Draft, node: Node, detail: str) -> None:
    incident = node.incident
    certified = evolve(
        node,
        since=draft.now,
        deadline=None,
        request="",
        tries=0,
        certified_boot=node.boot.id if node.boot else "",
        certified_at=draft.now,
    )
    if node.keep_out:
        fence.set_aside(draft, certified, "drained by a person")
        draft.note(incident, "diagnosis passed; it stays fenced, as a person asked")
        return
    healed = node.repaired is not Rung.NONE
    node = draft.put_node(
        evolve(
            certified,
            phase=NodePhase.IN_SERVICE,
            rung=Rung.NONE,
            reason="",
            repaired=Rung.NONE,
            lost=False,
            incident="",
            suspicions=() if healed else node.suspicions,
        )
    )
    request = draft.ask(IntentKind.UNFENCE, node, f"diagnosis passed {detail}".strip(), incident=incident)
    draft.put_node(evolve(_now(draft, node), fence_request=request))
    draft.note(incident, "diagnosis passed; back in service", outcome="repaired" if healed else "healthy")
    draft.freed = True


def _inconclusive(draft: Draft, node: Node, why: str) -> None:
    tries = node.tries + 1
    if tries >= draft.policy.diagnose_tries:
        if node.rung >= Rung.RESET_GPU:
            condemn(draft, node, node.rung, f"{node.reason}; and {tries} diagnoses were inconclusive: {why}")
        else:
            quarantine(draft, evolve(node, tries=tries), f"{tries} diagnoses were inconclusive, the last: {why}")
        return
    draft.put_node(evolve(node, tries=tries, request="", deadline=draft.now + draft.policy.retry_after))
    draft.note(node.incident, f"diagnosis {tries} was inconclusive: {why}")


def _new_boot(node: Node, boot: Boot | None) -> bool:
    """Whether a boot is a later one than the one that was to be ended. After a reset there is none to wait for."""
    if not node.acted_at:
        return True
    if boot is None:
        return False
    if node.boot_before:
        return boot.id != node.boot_before
    return boot.at > node.acted_at


def _level(draft: Draft, node: Node, repaired: Rung) -> int:
    policy = draft.policy
    if repaired:
        return policy.diagnose_level_after_repair
    deeper = len(recent(node.suspicions, draft.now, policy.node_window))
    return max(policy.diagnose_level, min(_LEVEL_BY_SUSPICION, deeper))


def _now(draft: Draft, node: Node) -> Node:
    return draft.node(node.id) or node


def leave_when_idle(draft: Draft, node: Node) -> None:
    """Repairs a leaving node ahead of time, once it is empty."""
    if node.rung is Rung.NONE or occupancy.busy(draft, node.id) or not draft.fleet.acting:
        return
    suspect(draft, node.id, node.rung, node.reason)
