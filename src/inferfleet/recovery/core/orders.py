"""What a person orders: drain, return, pause, resume, stop a job, retry it."""

from inferfleet.recovery.core import fence, incidents, jobs, nodes
from inferfleet.recovery.core.model import Job, Node, evolve
from inferfleet.recovery.core.observations import Command, Verb
from inferfleet.recovery.core.state import Draft
from inferfleet.recovery.core.terms import JobPhase, NodePhase, Rung


def on_command(draft: Draft, seen: Command) -> None:
    """Carries an order out."""
    match seen.verb:
        case Verb.PAUSE:
            draft.set_fleet(paused=f"by {seen.who or 'a person'}")
        case Verb.RESUME:
            draft.set_fleet(paused="", breaker="", faults=())
        case Verb.DRAIN | Verb.RETURN:
            node = draft.node(seen.target)
            if node is not None and node.phase is not NodePhase.RETIRED:
                by_hand = _drain if seen.verb is Verb.DRAIN else return_node
                by_hand(draft, node, seen.who)
        case Verb.STOP_JOB:
            job = draft.job(seen.target)
            if job is not None:
                jobs.user_stop(draft, job, draft.now, f"stopped by {seen.who or 'a person'}")
        case Verb.RETRY_JOB:
            job = draft.job(seen.target)
            if job is not None:
                _retry(draft, job)


def _drain(draft: Draft, node: Node, who: str) -> None:
    """`recovery drain`: nothing new starts there, and no repair begins, until a person returns it."""
    node = evolve(node, keep_out=True)
    if node.phase in (NodePhase.IN_SERVICE, NodePhase.SUSPECT, NodePhase.LEAVING, NodePhase.CONDEMNED):
        reason = f"drained by {who or 'a person'}"
        node = incidents.begin(draft, node, reason)
        node = fence.set_aside(draft, node, reason, by_hand=True)
        draft.note(node.incident, reason)
    else:
        draft.put_node(node)


def return_node(draft: Draft, node: Node, who: str) -> None:
    """`recovery return`: back to service by way of a passing diagnosis."""
    reason = f"returned by {who or 'a person'}"
    node = evolve(node, keep_out=False, reason=reason, offences=(), reboots=(), suspicions=(), repaired=Rung.NONE)
    if node.phase is NodePhase.QUARANTINED:
        node = incidents.begin(draft, node, reason)
        nodes.examine(draft, draft.put_node(node))
    else:
        draft.put_node(node)


def _retry(draft: Draft, job: Job) -> None:
    """`jobs retry`: a given-up or stopped job starts again with its attempts at 0."""
    if job.phase not in (JobPhase.FAILED, JobPhase.STOPPED) or job.live or not jobs.start_is_over(draft, job):
        return
    job = evolve(job, attempts=0, excused=0, failed_at=None, user_stopped_at=None)
    jobs.wait(draft, job)
