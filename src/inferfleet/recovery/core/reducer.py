"""The reducer: one observation in, one decision out; the same view, observation, policy and time decide the same."""

from collections.abc import Callable

from inferfleet.recovery.core import fence, incidents, jobs, nodes, occupancy, orders, tasks
from inferfleet.recovery.core.model import Boot, Job, Node, evolve
from inferfleet.recovery.core.observations import (
    CapacityWarning,
    Command,
    Diagnosed,
    Evidence,
    IntentResult,
    JobSubmitted,
    Maintenance,
    NodeGone,
    NodeSeen,
    Observation,
    TaskGone,
    TaskSeen,
    Tick,
)
from inferfleet.recovery.core.policy import HOUR, MINUTE, Policy
from inferfleet.recovery.core.state import LOSABLE_PHASES, Changes, Decision, Draft, State, View
from inferfleet.recovery.core.terms import IntentKind, IntentStatus, NodePhase, Rung, StopCause, TaskRole, TaskStatus

_REBOOT_CODES = frozenset({"system-reboot", "instance-reboot"})
"""Scheduled events of EC2 that an earlier reboot of ours takes care of; stops and retirements need a new instance."""


_NOTHING = Decision(Changes(), (), ())


def decide(view: View, seen: Observation, now: float, policy: Policy) -> Decision:
    """Decides what one observation leads to, without touching the view.

    Args:
        view: What is known.
        seen: What was observed.
        now: Seconds since the epoch.
        policy: The limits.
    """
    if isinstance(seen, TaskSeen) and tasks.is_old_news(view.task(seen.id), seen):
        return _NOTHING
    draft = Draft(view, policy, now)
    more = False
    if isinstance(seen, Tick):
        more = _on_tick(draft)
    else:
        _HANDLERS[type(seen)](draft, seen)
    if draft.freed:
        for key in view.waiting_jobs():
            job = draft.job(key)
            if job is not None:
                jobs.try_start(draft, job)
    return draft.decision(more=more)


def reduce(state: State, seen: Observation, now: float) -> tuple[State, Decision]:
    """The reducer in its textbook form: a new state and the decision, the given state untouched."""
    decision = decide(state, seen, now, state.policy)
    after = state.copy()
    after.apply(decision.changes)
    return after, decision


def _on_node_seen(draft: Draft, seen: NodeSeen) -> None:
    node = draft.node(seen.node)
    if node is None:
        _join(draft, seen)
        return
    if node.phase is NodePhase.RETIRED or (seen.version and seen.version < node.version):
        return
    was_away = not node.connected
    changed = _as_seen(node, seen, draft.now)
    if changed != node:
        draft.put_node(changed)
    if was_away and seen.connected and changed.phase is NodePhase.CONDEMNED:
        nodes.advance_condemned(draft, changed)
        return
    nodes.on_boot(draft, changed, seen.boot, connected=seen.connected, was_away=was_away)
    after = draft.node(node.id)
    if after is not None and after.phase is changed.phase and _differs(after, seen):
        fence.ask_again(draft, after)
    if seen.connected and (was_away or (node.draining and not changed.draining)):
        draft.freed = True


def is_news(node: Node, seen: NodeSeen, now: float) -> bool:
    """Whether a sight of a node may say or lead to anything; one in service that is as it was known does not."""
    return node.phase is not NodePhase.IN_SERVICE or _as_seen(node, seen, now) != node or _differs(node, seen)


def _as_seen(node: Node, seen: NodeSeen, now: float) -> Node:
    return evolve(
        node,
        version=max(node.version, seen.version),
        container_instance=seen.container_instance or node.container_instance,
        gpus=seen.gpus or node.gpus,
        connected=seen.connected,
        disconnected_at=None if seen.connected else node.disconnected_at or now,
        impaired=node.impaired if seen.impaired is None else seen.impaired,
        boot=_later_boot(node, seen),
        draining=node.draining if seen.draining is None else seen.draining,
        replaceable=node.replaceable if seen.replaceable is None else seen.replaceable,
    )


def _differs(node: Node, seen: NodeSeen) -> bool:
    """Whether ECS shows another fence than was decided. DRAINING that others have set is theirs to take back."""
    return (seen.fence is not None and seen.fence != node.fenced) or (seen.draining is False and node.emptied)


def _join(draft: Draft, seen: NodeSeen) -> None:
    """Takes in a node seen for the first time. One found fenced, for no reason on record, is examined first."""
    node = Node(
        id=seen.node,
        container_instance=seen.container_instance,
        gpus=seen.gpus,
        phase=NodePhase.QUARANTINED if seen.fence else NodePhase.IN_SERVICE,
        reason="found fenced, with no record of the reason" if seen.fence else "",
        since=draft.now,
        version=seen.version,
        connected=seen.connected,
        disconnected_at=None if seen.connected else draft.now,
        boot=seen.boot,
        impaired=bool(seen.impaired),
        draining=bool(seen.draining),
        replaceable=seen.replaceable is not False,
    )
    draft.put_node(node)
    if seen.fence:
        orders.return_node(draft, node, "recovery: it was found fenced, with no record of the reason")
    draft.freed = True


def _later_boot(node: Node, seen: NodeSeen) -> Boot | None:
    """The later of the boot known and the one seen; one that began earlier is a stale report."""
    if seen.boot is None or node.boot is None:
        return seen.boot or node.boot
    if seen.boot.at and node.boot.at and seen.boot.at < node.boot.at:
        return node.boot
    return seen.boot


def _on_node_gone(draft: Draft, seen: NodeGone) -> None:
    node = draft.node(seen.node)
    if node is None or node.phase is NodePhase.RETIRED:
        return
    nodes.retire(draft, node, "the instance is gone")
    for task in draft.live_on(seen.node):
        stopped = evolve(task, status=TaskStatus.STOPPED, cause=StopCause.CAPACITY, stopped_at=draft.now)
        tasks.record_task(draft, stopped, task)


def _on_evidence(draft: Draft, seen: Evidence) -> None:
    node = draft.node(seen.node)
    rung = Rung(seen.rung)
    if node is None or rung is Rung.NONE or _is_stale(node, seen):
        return
    if rung >= Rung.RESET_GPU and node.phase in (NodePhase.IN_SERVICE, NodePhase.SUSPECT, NodePhase.LEAVING):
        fail_jobs_on(draft, node.id, seen.reason, seen.at, gpu=seen.gpu)
    nodes.suspect(draft, seen.node, rung, seen.reason)


def _is_stale(node: Node, seen: Evidence) -> bool:
    """Whether the report is about a time that a later diagnosis or boot has settled."""
    if seen.at <= max(node.certified_at, node.acted_at):
        return True
    if node.boot is None or not seen.boot_id or seen.boot_id == node.boot.id:
        return False
    return seen.boot_id == node.boot_before or seen.at <= node.boot.at


def fail_jobs_on(draft: Draft, key: str, reason: str, at: float, *, gpu: str = "") -> None:
    """Fails the gangs that use a node, or one GPU of it, before their tasks notice."""
    gangs = [task for task in draft.live_on(key) if task.role is TaskRole.GANG]
    hit = [task for task in gangs if gpu and gpu in task.gpu_ids]
    if not hit:
        owners = {task.owner for task in gangs}
        hit = [task for task in gangs if not gpu or not task.gpu_ids or len(owners) == 1]
    for owner in dict.fromkeys(task.owner for task in hit):
        job = draft.job(owner)
        if job is not None and any(task.generation == job.generation for task in hit if task.owner == owner):
            jobs.fail(draft, job, f"{reason} on {key}", at, excused=True)


def _on_capacity_warning(draft: Draft, seen: CapacityWarning) -> None:
    node = draft.node(seen.node)
    if node is None or node.phase is not NodePhase.IN_SERVICE:
        return
    nodes.leave(draft, node, Rung.NONE, seen.reason, draft.now + HOUR)
    if not draft.policy.dry_run:
        fail_jobs_on(draft, seen.node, seen.reason, draft.now)


def _on_maintenance(draft: Draft, seen: Maintenance) -> None:
    node = draft.node(seen.node)
    if node is None:
        return
    rung = Rung.REBOOT if seen.code in _REBOOT_CODES else Rung.REPLACE
    deadline = seen.not_before - draft.policy.maintenance_lead
    nodes.leave(draft, node, rung, f"EC2 has scheduled {seen.code}", deadline)
    after = draft.node(seen.node)
    if after is not None and after.phase is NodePhase.LEAVING:
        nodes.leave_when_idle(draft, after)


def _on_intent_result(draft: Draft, seen: IntentResult) -> None:
    intent = draft.intent(seen.intent)
    if intent is None or intent.status in (IntentStatus.DONE, IntentStatus.FAILED):
        return
    cancelled = intent.status is IntentStatus.CANCELLED
    for task in seen.seen:
        tasks.on_task_seen(draft, task)
    status = IntentStatus.DONE if seen.ok else IntentStatus.FAILED
    draft.put_intent(evolve(intent, status=status, outcome=seen.detail))
    if intent.job:
        job = draft.job(intent.job)
        if job is not None:
            _on_job_result(draft, job, intent.kind, intent.generation, seen)
    elif intent.node and not cancelled:
        node = draft.node(intent.node)
        if node is not None and node.request == intent.id:
            _on_node_result(draft, node, intent.kind, seen)


def _on_job_result(draft: Draft, job: Job, kind: IntentKind, generation: int, seen: IntentResult) -> None:
    if generation != job.generation:
        return
    for started in seen.tasks:
        if draft.task(started.id) is None:
            task = evolve(tasks.started_as_seen(job, started), seen_at=draft.now)
            tasks.record_task(draft, task, None)
    job = draft.job(job.id) or job
    if kind is IntentKind.START_GANG:
        jobs.on_started(draft, job, seen)
    elif kind is IntentKind.STOP_GANG:
        jobs.on_stop_result(draft, job)


def _on_node_result(draft: Draft, node: Node, kind: IntentKind, seen: IntentResult) -> None:
    match kind:
        case IntentKind.DIAGNOSE if not seen.ok and node.phase is NodePhase.EXAMINING:
            nodes.on_diagnose_failed(draft, node, seen.detail)
        case IntentKind.REBOOT | IntentKind.RESET_GPU | IntentKind.REPLACE if not seen.ok:
            draft.note(node.incident, f"{kind} was not carried out: {seen.detail}")
            nodes.stand_back(draft, node)
        case _:
            pass


def _on_diagnosed(draft: Draft, seen: Diagnosed) -> None:
    nodes.on_diagnosed(draft, seen)


def _on_tick(draft: Draft) -> bool:
    """Advances all whose time has come; True if the decision grew too large for all of them."""
    for kind, key in draft.view.due(draft.now):
        if kind == "node":
            node = draft.node(key)
            if node is not None:
                _node_deadline(draft, node)
        else:
            job = draft.job(key)
            if job is not None:
                jobs.on_deadline(draft, job)
        if len(draft.changes.nodes) + len(draft.changes.jobs) >= draft.policy.max_changes:
            return True
    return False


def _node_deadline(draft: Draft, node: Node) -> None:
    if _lost(draft, node):
        why = f"its ECS agent has been away for {(draft.now - (node.disconnected_at or 0)) / MINUTE:.0f} minutes"
        if node.impaired:
            why += " and EC2's status checks fail"
        fail_jobs_on(draft, node.id, why, draft.now)
        lost = draft.put_node(evolve(draft.node(node.id) or node, lost=True))
        rung = Rung.REPLACE if node.impaired and node.replaceable and draft.policy.allow_replace else Rung.REBOOT
        if node.phase is NodePhase.EXAMINING:
            nodes.condemn(draft, lost, rung, why)
        else:
            nodes.suspect(draft, node.id, rung, why)
        return
    late = node.deadline is not None and draft.now >= node.deadline
    match node.phase:
        case NodePhase.SUSPECT:
            _suspect_deadline(draft, node, late=late)
        case NodePhase.CONDEMNED:
            _condemned_deadline(draft, node, late=late)
        case NodePhase.EXAMINING if late:
            nodes.retry_examination(draft, node)
        case NodePhase.RESETTING | NodePhase.REBOOTING | NodePhase.REPLACING if late:
            nodes.escalate(draft, node, f"it did not come back from {node.phase} in time")
        case NodePhase.LEAVING if late:
            _leaving_deadline(draft, node)
        case _:
            pass


def _lost(draft: Draft, node: Node) -> bool:
    if node.disconnected_at is None or node.phase not in LOSABLE_PHASES or node.rung >= Rung.RESET_GPU:
        return False
    policy = draft.policy
    wait = policy.agent_lost_after_impaired if node.impaired else policy.agent_lost_after
    return draft.now >= node.disconnected_at + wait and not policy.dry_run


def _suspect_deadline(draft: Draft, node: Node, *, late: bool) -> None:
    if late and node.rung < Rung.RESET_GPU and draft.fleet.acting:
        nodes.dismiss(draft, node, "let go: it was never idle for a diagnosis, and nothing speaks against its GPUs")
        return
    if late:
        draft.put_node(evolve(node, deadline=draft.now + draft.policy.suspect_deadline))
        what = f"node {node.id} is at fault but cannot be fenced: {draft.fleet.fenced} nodes are fenced already"
        incidents.call_person(
            draft, node, what=what, todo="return or terminate quarantined nodes, or raise max_fenced_share"
        )
    nodes.advance_suspect(draft, draft.node(node.id) or node)


def _condemned_deadline(draft: Draft, node: Node, *, late: bool) -> None:
    nodes.advance_condemned(draft, node)
    after = draft.node(node.id) or node
    if late and after.phase is NodePhase.CONDEMNED:
        draft.put_node(evolve(after, deadline=None))
        what = f"node {node.id} waits for {node.rung.name.lower()}: it is not empty, or budgets are used up"
        incidents.call_person(
            draft, draft.node(node.id) or after, what=what, todo="stop what runs there, or raise the limits"
        )


def _leaving_deadline(draft: Draft, node: Node) -> None:
    """Before maintenance, work is moved away; an instance that was to be taken and still stands is examined."""
    if not draft.fleet.acting:
        return
    if node.rung is Rung.NONE:
        nodes.suspect(draft, node.id, Rung.EXAMINE, f"{node.reason}, yet the instance is still there")
    elif occupancy.busy(draft, node.id):
        draft.put_node(evolve(node, deadline=draft.now + draft.policy.stop_deadline))
        fail_jobs_on(draft, node.id, node.reason, draft.now)
    else:
        nodes.leave_when_idle(draft, node)


_HANDLERS: dict[type, Callable[..., None]] = {
    JobSubmitted: jobs.submit,
    TaskSeen: tasks.on_task_seen,
    TaskGone: tasks.on_task_gone,
    NodeSeen: _on_node_seen,
    NodeGone: _on_node_gone,
    Diagnosed: _on_diagnosed,
    Evidence: _on_evidence,
    CapacityWarning: _on_capacity_warning,
    Maintenance: _on_maintenance,
    IntentResult: _on_intent_result,
    Command: orders.on_command,
}
