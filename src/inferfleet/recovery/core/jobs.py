"""A gang's way through recovery: it fails as one, stops as one, and starts again as one, on nodes that are in service.

    submitted ─► waiting ─► starting ─► running ─► completed
                    ▲          │           │
                    └──── stopping ◄───────┘  (held while automatic action is paused)

One live gang a job: a generation starts only when every task of the one before is known to have stopped, and the
intent that started it can start no more, and a listing made after that moment found nothing alive.
"""

from inferfleet.recovery.core import incidents, placement
from inferfleet.recovery.core.model import Job, evolve
from inferfleet.recovery.core.observations import IntentResult, JobSubmitted
from inferfleet.recovery.core.state import Draft
from inferfleet.recovery.core.terms import (
    FINAL_JOB_PHASES,
    REPAIR_PHASES,
    SETTLED,
    IntentKind,
    IntentStatus,
    JobPhase,
    NodePhase,
)

_STOP_TRIES = 3
"""Stops asked for in vain before a person is called; asking goes on."""


def submit(draft: Draft, seen: JobSubmitted) -> None:
    """Takes a new job in. One that is known already is left alone, so a submission may be repeated."""
    if draft.job(seen.job) is not None:
        return
    job = Job(
        id=seen.job,
        size=seen.size,
        gpus_per_task=seen.gpus_per_task,
        launch=seen.launch,
        phase=JobPhase.WAITING,
        since=draft.now,
        deadline=draft.now + draft.policy.capacity_deadline,
    )
    try_start(draft, draft.put_job(job))


def fail(draft: Draft, job: Job, reason: str, at: float, *, excused: bool = False) -> None:
    """The gang has failed: stop what is left of it, so that it can start again.

    Args:
        draft: The draft to write.
        job: The gang.
        reason: What ended it.
        at: When, as ECS or the node dates it.
        excused: A fault of a node did, so the attempt does not count against the job.
    """
    job = _now(draft, job)
    if job.phase not in (JobPhase.STARTING, JobPhase.RUNNING, JobPhase.HELD):
        return
    now, policy = draft.now, draft.policy
    failed_at = at or now
    if job.phase is JobPhase.RUNNING and now - job.since >= policy.stable_after:
        job = evolve(job, attempts=0, excused=0)
    if excused and job.phase is not JobPhase.HELD:
        job = evolve(job, excused=min(job.excused + 1, job.attempts))
    job = evolve(job, failed_at=failed_at, reason=reason, since=now)
    job = incidents.go_on(draft, job, reason)
    if policy.dry_run:
        draft.put_job(evolve(job, phase=JobPhase.FAILED, deadline=None))
        draft.note(job.incident, "dry run: would stop the gang and start it again", outcome="dry run")
    elif not draft.fleet.acting:
        draft.put_job(evolve(job, phase=JobPhase.HELD, deadline=None))
        _cancel_start(draft, job)
        draft.note(job.incident, "held: automatic action is paused")
    else:
        job = draft.put_job(evolve(job, phase=JobPhase.STOPPING, deadline=now + policy.stop_deadline, tries=0))
        _cancel_start(draft, job)
        if job.live or not start_is_over(draft, job):
            stop(draft, job, reason)
        finish_stop(draft, _now(draft, job))


def release_hold(draft: Draft, job: Job) -> None:
    """Goes on with a job that failed while automatic action was paused."""
    if draft.fleet.acting:
        fail(draft, job, job.reason, job.failed_at or draft.now)


def user_stop(draft: Draft, job: Job, at: float, reason: str) -> None:
    """A user's stop is final: the rest of the gang is stopped too, and nothing is restarted."""
    stopped_at = min(at or draft.now, job.user_stopped_at or float("inf"))
    if job.phase in FINAL_JOB_PHASES:
        draft.put_job(evolve(job, user_stopped_at=stopped_at))
        return
    job = draft.put_job(
        evolve(
            job,
            phase=JobPhase.STOPPED,
            user_stopped_at=stopped_at,
            since=draft.now,
            deadline=draft.now + draft.policy.stop_deadline,
            reason=reason,
            missing=(),
        )
    )
    draft.note(job.incident, reason, outcome="stopped by its user")
    _cancel_start(draft, job)
    if job.live or not start_is_over(draft, job):
        stop(draft, job, reason)


def give_up(draft: Draft, job: Job, why: str) -> None:
    """Stops trying, and calls a person."""
    job = incidents.begin(draft, job, why)
    job = draft.put_job(
        evolve(
            job,
            phase=JobPhase.FAILED,
            since=draft.now,
            deadline=draft.now + draft.policy.stop_deadline,
            reason=why,
            missing=(),
        )
    )
    _cancel_start(draft, job)
    if job.live or not start_is_over(draft, job):
        stop(draft, job, why)
    incidents.call_person(
        draft,
        _now(draft, job),
        what=f"job {job.id} was given up: {why}",
        todo=f"read `inferfleet recovery explain {job.incident}`; then `inferfleet jobs retry {job.id}`, or leave it",
    )


def try_start(draft: Draft, job: Job) -> None:
    """Starts the next generation if there are attempts left and nodes for every rank."""
    job = _now(draft, job)
    first = job.generation == 0
    if job.phase is not JobPhase.WAITING or not (first or draft.fleet.acting):
        return
    policy = draft.policy
    if not first and (job.attempts - job.excused >= policy.job_attempts or job.attempts >= policy.job_restarts):
        give_up(draft, job, f"{job.attempts} restarts in a row did not last; the last trouble: {job.reason}")
        return
    if draft.fleet.capacity < job.size * job.gpus_per_task:
        return
    placed = placement.place(draft, job, tuple(range(job.size)), {})
    if placed is None:
        return
    assignment = tuple(placed[rank] for rank in range(job.size))
    generation = job.generation + 1
    job = draft.put_job(
        evolve(
            job,
            phase=JobPhase.STARTING,
            generation=generation,
            assignment=assignment,
            launched=0,
            running=0,
            ended=0,
            succeeded=0,
            attempts=job.attempts + (not first),
            tries=0,
            missing=(),
            since=draft.now,
            deadline=draft.now + draft.policy.start_deadline,
            failed_at=None,
            user_stopped_at=None,
            stop_request="",
        )
    )
    why = "submitted" if first else f"restart {job.attempts}: {job.reason}"
    request = draft.ask(IntentKind.START_GANG, job, why, ranks=tuple(enumerate(assignment)))
    draft.put_job(evolve(_now(draft, job), start_request=request))
    draft.note(job.incident, f"generation {generation} asked for on {len(set(assignment))} nodes")


def on_started(draft: Draft, job: Job, result: IntentResult) -> None:
    """Takes in what a start achieved: ranks without a place are tried again; a gang is up only when all of it is."""
    if job.phase is not JobPhase.STARTING:
        if job.phase is JobPhase.STOPPING:
            finish_stop(draft, job)
        return
    known = {task.rank for task in result.tasks}
    intent = draft.intent(result.intent)
    asked = intent.ranks if intent is not None else ()
    missing = tuple(rank for rank, _ in asked if rank not in known)
    if not missing:
        return
    why = "; ".join(sorted({reason for _, reason in result.failures})) or result.detail or "no reason given"
    if job.tries + 1 >= draft.policy.start_tries:
        fail(draft, job, f"{len(missing)} ranks could not be placed in {job.tries + 1} tries: {why}", draft.now)
        return
    draft.put_job(evolve(job, missing=missing, tries=job.tries + 1, deadline=draft.now + draft.policy.retry_after))
    draft.note(job.incident, f"{len(missing)} ranks could not be placed: {why}")


def retry_missing(draft: Draft, job: Job) -> None:
    """Places the ranks that found no room, on other nodes if their own are no longer in service."""
    keep = {rank: node for rank, node in enumerate(job.assignment) if rank not in job.missing}
    placed = placement.place(draft, job, job.missing, keep)
    if placed is None:
        fail(draft, job, f"no nodes for {len(job.missing)} ranks", draft.now)
        return
    ranks = tuple((rank, placed[rank]) for rank in job.missing)
    assignment = tuple(placed[rank] for rank in range(job.size))
    job = draft.put_job(
        evolve(job, assignment=assignment, missing=(), deadline=draft.now + draft.policy.start_deadline)
    )
    request = draft.ask(IntentKind.START_GANG, job, f"try {job.tries + 1} for {len(ranks)} ranks", ranks=ranks)
    draft.put_job(evolve(_now(draft, job), start_request=request))


def on_stop_result(draft: Draft, job: Job) -> None:
    """A listing and stopping of a gang's tasks is over."""
    if job.phase is JobPhase.STOPPING:
        finish_stop(draft, job)


def on_deadline(draft: Draft, job: Job) -> None:
    """A phase that waits has taken too long, or its pause is over."""
    match job.phase:
        case JobPhase.HELD:
            release_hold(draft, job)
        case JobPhase.WAITING:
            if job.deadline is not None and draft.now >= job.deadline:
                draft.put_job(evolve(job, deadline=None))
                _waited_long(draft, _now(draft, job))
            try_start(draft, _now(draft, job))
        case JobPhase.STARTING if job.missing:
            retry_missing(draft, job)
        case JobPhase.STARTING:
            fail(draft, job, f"only {job.running} of {job.size} tasks came up in time", draft.now)
        case JobPhase.STOPPING | JobPhase.STOPPED | JobPhase.FAILED | JobPhase.COMPLETED:
            _chase(draft, job)
        case _:
            pass


def _waited_long(draft: Draft, job: Job) -> None:
    job = incidents.begin(draft, job, "no nodes")
    incidents.call_person(
        draft,
        job,
        what=f"job {job.id} has waited {draft.policy.capacity_deadline / 3600:.1f} hours for {job.size} places of "
        f"{job.gpus_per_task} GPUs",
        todo="return nodes from quarantine, add capacity, or stop the job; it starts by itself when there are nodes",
    )


def _chase(draft: Draft, job: Job) -> None:
    """Asks again for a stop that has not come to its end."""
    if not draft.fleet.acting and job.phase is JobPhase.STOPPING:
        return
    if not job.live and start_is_over(draft, job):
        draft.put_job(evolve(job, deadline=None))
        if job.phase is JobPhase.STOPPING:
            finish_stop(draft, job)
        return
    job = draft.put_job(evolve(job, tries=job.tries + 1, deadline=draft.now + draft.policy.stop_deadline))
    stop(draft, job, "its tasks have not stopped")
    if job.tries >= _STOP_TRIES and not _stuck_on_repairs(draft, job):
        draft.put_job(evolve(_now(draft, job), deadline=draft.now + draft.policy.capacity_deadline))
        incidents.call_person(
            draft,
            _now(draft, job),
            what=f"{job.live} tasks of job {job.id} do not stop",
            todo="look at their instances; terminate them if they are lost: the job restarts when its tasks are gone",
        )


def _stuck_on_repairs(draft: Draft, job: Job) -> bool:
    """Whether all that is still alive of a gang sits on nodes whose repair will end it: nobody else needs to."""
    for key in set(job.assignment):
        node = draft.node(key)
        mine = any(task.owner == job.id and task.generation == job.generation for task in draft.live_on(key))
        if mine and (node is None or node.phase not in REPAIR_PHASES | {NodePhase.CONDEMNED}):
            return False
    return True


def finish_stop(draft: Draft, job: Job) -> None:
    """Goes on to the restart once nothing of the gang can be alive."""
    job = _now(draft, job)
    if job.phase is not JobPhase.STOPPING or job.live:
        return
    asked = draft.intent(job.stop_request)
    if asked is not None and asked.status not in SETTLED:
        return
    start = draft.intent(job.start_request)
    if start is not None and not start_is_over(draft, job):
        draft.put_job(evolve(job, deadline=start.lease_until))
        return
    if start is not None and start.status is IntentStatus.CANCELLED and start.lease_until:
        looked_at = asked.at if asked is not None and asked.status is IntentStatus.DONE else 0.0
        if looked_at < start.lease_until:
            stop(draft, job, "a start of it may have gone on until now")
            return
    wait(draft, job)


def wait(draft: Draft, job: Job) -> None:
    """All its tasks have stopped: it starts again as soon as there are nodes."""
    job = draft.put_job(
        evolve(
            job,
            phase=JobPhase.WAITING,
            since=draft.now,
            deadline=draft.now + draft.policy.capacity_deadline,
            tries=0,
        )
    )
    draft.note(job.incident, "all its tasks have stopped")
    try_start(draft, job)


def _cancel_start(draft: Draft, job: Job) -> None:
    start = draft.intent(job.start_request)
    if start is not None and start.status not in SETTLED:
        draft.put_intent(evolve(start, status=IntentStatus.CANCELLED))


def start_is_over(draft: Draft, job: Job) -> bool:
    """Whether the intent that started this generation can start nothing more."""
    start = draft.intent(job.start_request)
    if start is None:
        return True
    if start.status is IntentStatus.CANCELLED:
        return draft.now >= start.lease_until
    return start.status in SETTLED


def stop(draft: Draft, job: Job, reason: str) -> None:
    """Asks for all tasks of this generation to be stopped."""
    request = draft.ask(IntentKind.STOP_GANG, _now(draft, job), reason)
    draft.put_job(evolve(_now(draft, job), stop_request=request))


def _now(draft: Draft, job: Job) -> Job:
    return draft.job(job.id) or job
