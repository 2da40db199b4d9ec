"""Whether an intent is still wanted, and what its effect must find true: read by whoever carries intents out."""

from inferfleet.recovery.core.model import Intent
from inferfleet.recovery.core.state import View
from inferfleet.recovery.core.terms import FINAL_JOB_PHASES, SETTLED, IntentKind, IntentStatus, JobPhase

_REPAIRS = frozenset({IntentKind.REBOOT, IntentKind.RESET_GPU, IntentKind.REPLACE})


def obsolete(view: View, intent: Intent) -> str:
    """Why an intent must not be carried out any more; "" if it is still wanted.

    An intent can outlive its reason: its executor crashed, a person paused recovery, the gang failed while it started.
    """
    if intent.status in SETTLED:
        return f"it is {intent.status}"
    if intent.kind in (IntentKind.START_GANG, IntentKind.STOP_GANG):
        return _obsolete_for_job(view, intent)
    if intent.node and intent.kind is not IntentKind.NOTIFY:
        return _obsolete_for_node(view, intent)
    return ""


def _obsolete_for_job(view: View, intent: Intent) -> str:
    job = view.job(intent.job)
    if job is None or job.generation != intent.generation:
        return "the job has moved on"
    starting = job.phase is JobPhase.STARTING
    over = job.phase is JobPhase.STOPPING or job.phase in FINAL_JOB_PHASES
    wanted = starting if intent.kind is IntentKind.START_GANG else over
    return "" if wanted else f"the job is {job.phase}"


def _obsolete_for_node(view: View, intent: Intent) -> str:
    node = view.node(intent.node)
    if node is None:
        return "the node is not known"
    if intent.kind in (IntentKind.FENCE, IntentKind.UNFENCE):
        return "" if node.fence_request == intent.id else "a later decision about the fence was taken"
    if node.request != intent.id:
        return "the node has moved on"
    if intent.kind in _REPAIRS and not view.fleet.acting:
        return "automatic action is paused"
    return ""


def claimable(intent: Intent, now: float, *, at_most_once: bool) -> bool:
    """Whether an executor may take an intent: it is new, or an earlier executor's lease on it has run out.

    An intent whose effect cannot be repeated is taken once only: what became of it is learnt from the world.
    """
    if intent.status is IntentStatus.PENDING:
        return True
    return intent.status is IntentStatus.CLAIMED and not at_most_once and now >= intent.lease_until
