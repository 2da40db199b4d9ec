"""A node's way through recovery: suspected, fenced, examined, repaired, examined again, and back in service.

in service ─► suspect ─► examining ─► in service
                 │           │
                 └► condemned ◄┘ ─► resetting / rebooting ─► examining
                        │  └─────► replacing ─► retired
                        └────────► quarantined (a person)
"""

from inferfleet.recovery.core.ladder import budget_refusal, choose_rung, recent
from inferfleet.recovery.core.model import (
    FINAL_JOB_PHASES,
    SETTLED,
    Boot,
    IntentKind,
    JobPhase,
    Node,
    NodePhase,
    Notice,
    Rung,
    Severity,
    Task,
    TaskRole,
    evolve,
)
from inferfleet.recovery.core.observations import Diagnosed, Verdict
from inferfleet.recovery.core.policy import DAY, HOUR, MINUTE
from inferfleet.recovery.core.state import Draft, in_the_way

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
                _would(draft, node, rung, reason)
                return
            node = _open(draft, node, reason)
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
    if not certain and (node.draining or busy(draft, node.id)):
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
        _fence(draft, node, IntentKind.FENCE, f"to examine it: {node.reason}")
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
        _count_fault(draft)
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
        _fence(draft, node, IntentKind.FENCE, reason)
    draft.note(node.incident, f"{reason}; next is {choice.rung.name.lower()}: {choice.why}")
    advance_condemned(draft, _now(draft, node))


def advance_condemned(draft: Draft, node: Node) -> None:
    """Begins the repair of a condemned node if nothing runs there and the budgets allow it."""
    if not draft.fleet.acting or node.phase is not NodePhase.CONDEMNED or node.keep_out:
        return
    dying = _tasks_that_may_die(draft, node)
    if node.lost and node.connected:
        if dying == ():
            draft.note(node.incident, "its agent is back; a diagnosis decides")
            examine(draft, node)
        return
    if dying is None:
        _move_services(draft, node)
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


def _move_services(draft: Draft, node: Node) -> None:
    """Asks ECS to move services' tasks off a node that has to be empty; others it would not move."""
    if node.emptied or not node.connected:
        return
    services = {task.owner for task in draft.live_on(node.id) if task.role is TaskRole.SERVICE}
    if not services:
        return
    node = draft.put_node(evolve(node, emptied=True))
    _fence(draft, node, IntentKind.FENCE, f"tasks of {', '.join(sorted(services))} have to move")
    draft.note(node.incident, f"draining: tasks of {', '.join(sorted(services))} run there")


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
    if not node.incident:
        node = _open(draft, node, why)
    node = _set_aside(draft, node, why)
    call_person(
        draft,
        _now(draft, node),
        what=f"node {node.id} is quarantined: {why}",
        todo=f"look at the instance; then `inferfleet recovery return {node.id}` (diagnoses it), or terminate it",
    )


def _set_aside(draft: Draft, node: Node, why: str) -> Node:
    """Fences a node until a person returns it; services' tasks move away."""
    node = draft.put_node(
        evolve(
            node,
            phase=NodePhase.QUARANTINED,
            since=draft.now,
            deadline=None,
            request="",
            reason=why,
            emptied=True,
        )
    )
    _fence(draft, node, IntentKind.FENCE, why)
    return _now(draft, node)


def call_person(draft: Draft, node: Node, *, what: str, todo: str) -> None:
    """Tells a person about a node, with all that was tried."""
    found = draft.changes.incidents.get(node.incident) or draft.view.incident(node.incident)
    tried = "; ".join(step.text for step in found.steps[-6:]) if found else "nothing yet"
    notice = Notice(
        Severity.PERSON, what, f"node {node.id}, {node.container_instance or 'not registered'}", tried, todo
    )
    draft.ask(IntentKind.NOTIFY, node, what, notice=notice)
    draft.note(node.incident, f"a person was called: {what}", person=True)


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
    node = _open(draft, node, reason)
    draft.put_node(evolve(node, phase=NodePhase.LEAVING, rung=rung, reason=reason, since=draft.now, deadline=deadline))


def fence_by_hand(draft: Draft, node: Node, who: str) -> None:
    """`recovery drain`: nothing new starts there, and no repair begins, until a person returns it."""
    node = evolve(node, keep_out=True)
    if node.phase in (NodePhase.IN_SERVICE, NodePhase.SUSPECT, NodePhase.LEAVING, NodePhase.CONDEMNED):
        reason = f"drained by {who or 'a person'}"
        if not node.incident:
            node = _open(draft, node, reason)
        node = _set_aside(draft, node, reason)
        draft.note(node.incident, reason)
    else:
        draft.put_node(node)


def return_by_hand(draft: Draft, node: Node, who: str) -> None:
    """`recovery return`: back to service by way of a passing diagnosis."""
    reason = f"returned by {who or 'a person'}"
    node = evolve(node, keep_out=False, reason=reason, offences=(), reboots=(), suspicions=(), repaired=Rung.NONE)
    if node.phase is NodePhase.QUARANTINED:
        if not node.incident:
            node = _open(draft, node, reason)
        examine(draft, draft.put_node(node))
    else:
        draft.put_node(node)


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


def refence(draft: Draft, node: Node) -> None:
    """Sets or clears the fence again where ECS shows another one than we decided, unless that is under way."""
    last = draft.intent(node.fence_request)
    if last is not None and last.status not in SETTLED:
        return
    kind = IntentKind.FENCE if node.fenced else IntentKind.UNFENCE
    _fence(draft, node, kind, "ECS shows another state than was decided")


def busy(draft: Draft, key: str) -> bool:
    """Whether anything but daemons and our own diagnoses runs on a node."""
    return any(in_the_way(task) for task in draft.live_on(key))


def _tasks_that_may_die(draft: Draft, node: Node) -> tuple[str, ...] | None:
    """Tasks that go down with the node; None if one of them must not.

    On a node that answers, everything has to have stopped. On a lost node nothing can be confirmed: there, tasks of
    gangs that are being stopped anyway may die, tasks of others may not, unless EC2 too says that the node is broken.
    """
    blockers = [task for task in draft.live_on(node.id) if in_the_way(task)]
    if not blockers:
        return ()
    if node.connected or not all(_is_lost(draft, node, task) for task in blockers):
        return None
    return tuple(task.id for task in blockers)


def _is_lost(draft: Draft, node: Node, task: Task) -> bool:
    if task.role is not TaskRole.GANG:
        return node.impaired
    job = draft.job(task.owner)
    if job is None:
        return node.impaired
    return job.phase is JobPhase.STOPPING or job.phase in FINAL_JOB_PHASES or task.generation != job.generation


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
        _set_aside(draft, certified, "drained by a person")
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


def _count_fault(draft: Draft) -> None:
    """Counts a confirmed fault, and opens the breaker when too many nodes fail at once."""
    policy, fleet, now = draft.policy, draft.fleet, draft.now
    faults = (*recent(fleet.faults, now, policy.breaker_window), now)
    draft.set_fleet(faults=faults)
    if len(faults) >= policy.breaker_limit(fleet.nodes) and not fleet.breaker:
        why = f"{len(faults)} nodes were found faulty within {policy.breaker_window / MINUTE:.0f} minutes"
        draft.set_fleet(breaker=why, breaker_at=now)
        notice = Notice(
            Severity.PERSON,
            f"automatic recovery has stopped: {why}",
            f"the fleet of {fleet.nodes} nodes",
            "nodes already fenced stay fenced; nothing more is examined, repaired or restarted",
            "look for a common cause (driver, image, rack, DCGM); then `inferfleet recovery resume`",
        )
        draft.ask(IntentKind.NOTIFY, None, why, notice=notice)


def _open(draft: Draft, node: Node, cause: str) -> Node:
    """Opens an incident for a node, or goes on with the one that is open."""
    if node.incident:
        draft.note(node.incident, cause)
        return node
    key = f"{node.id}.{node.seq + 1}"
    draft.open_incident(key, f"node {node.id}", cause)
    return draft.put_node(evolve(node, incident=key, seq=node.seq + 1))


def _would(draft: Draft, node: Node, rung: Rung, reason: str) -> None:
    """Dry run: records what would be done, and does nothing."""
    key = f"{node.id}.{node.seq + 1}"
    draft.put_node(evolve(node, seq=node.seq + 1))
    draft.open_incident(key, f"node {node.id}", reason)
    step = "examine it" if rung < Rung.RESET_GPU else f"fence it and {rung.name.lower()}"
    draft.note(key, f"dry run: would {step}", outcome="dry run")


def _fence(draft: Draft, node: Node, kind: IntentKind, reason: str) -> None:
    request = draft.ask(kind, _now(draft, node), reason)
    draft.put_node(evolve(_now(draft, node), fence_request=request))


def _now(draft: Draft, node: Node) -> Node:
    return draft.node(node.id) or node
