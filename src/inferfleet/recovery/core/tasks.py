"""What is learnt from a task: its gang is counted and may fail, its node may come under suspicion."""

from inferfleet.recovery.core import jobs, nodes
from inferfleet.recovery.core.model import Job, Task, evolve
from inferfleet.recovery.core.observations import Started, TaskGone, TaskSeen, as_task
from inferfleet.recovery.core.policy import HOUR
from inferfleet.recovery.core.state import Draft
from inferfleet.recovery.core.terms import (
    FINAL_JOB_PHASES,
    IntentKind,
    JobPhase,
    NodePhase,
    Rung,
    StopCause,
    TaskRole,
    TaskStatus,
)

_NO_SUSPECT = {
    StopCause.OUT_OF_MEMORY: "ran out of memory",
    StopCause.NOT_STARTED: "could not start",
    StopCause.CAPACITY: "lost its instance",
    StopCause.SCHEDULER: "was stopped by ECS",
    StopCause.OURS: "was stopped by recovery",
}
"""Causes that fail a gang but say nothing about a GPU."""


def on_task_seen(draft: Draft, seen: TaskSeen) -> None:
    """A task, by event or by listing."""
    before = draft.task(seen.id)
    if is_old_news(before, seen):
        return
    if before is None and seen.status is TaskStatus.STOPPED and _is_history(draft, seen):
        return
    task = as_task(seen, draft.now) if before is None else _merge(before, seen)
    if task == before:
        return
    record_task(draft, task, before)


def is_old_news(before: Task | None, seen: TaskSeen) -> bool:
    """Whether a sight of a task says nothing that is not known: a duplicate, or one overtaken by a later one."""
    return before is not None and (
        seen.status < before.status
        or (seen.status is before.status and seen.status is TaskStatus.STOPPED)
        or bool(seen.version and before.version and seen.version <= before.version)
    )


def _is_history(draft: Draft, seen: TaskSeen) -> bool:
    """A stopped task of an earlier generation, or of no job of ours, seen again long after: nothing to learn."""
    if seen.role in (TaskRole.DIAGNOSTIC, TaskRole.DAEMON):
        return True
    if seen.role is not TaskRole.GANG:
        node = draft.node(seen.node)
        return node is None or (seen.stopped_at > 0 and seen.stopped_at <= max(node.certified_at, draft.now - HOUR))
    job = draft.job(seen.owner)
    return job is None or seen.generation != job.generation


def _merge(before: Task, seen: TaskSeen) -> Task:
    """What was known of a task stays known when a later sight of it says less."""
    known = before.role is not TaskRole.STANDALONE
    return Task(
        id=before.id,
        node=before.node or seen.node,
        role=before.role if known else seen.role,
        owner=before.owner or seen.owner,
        generation=before.generation or seen.generation,
        rank=before.rank or seen.rank,
        status=seen.status,
        version=max(seen.version, before.version),
        gpus=seen.gpus or before.gpus,
        gpu_ids=seen.gpu_ids or before.gpu_ids,
        seen_at=before.seen_at,
        cause=seen.cause,
        exit_code=seen.exit_code,
        stopped_at=seen.stopped_at,
    )


def record_task(draft: Draft, task: Task, before: Task | None) -> None:
    """Writes a task, and acts on a change of its status."""
    draft.put_task(task)
    if before is not None and before.status is task.status:
        return
    if task.role is TaskRole.GANG:
        _on_gang_task(draft, task, before)
    elif not task.live and task.role in (TaskRole.SERVICE, TaskRole.STANDALONE) and task.cause is StopCause.FAILED:
        what = f"task {task.id} of {task.owner or 'no service'} failed here with exit code {task.exit_code}"
        nodes.suspect(draft, task.node, Rung.EXAMINE, what, primary=True)
    if not task.live:
        _advance_node(draft, task.node)


def _advance_node(draft: Draft, key: str) -> None:
    """A task has left a node: what waited for the node to be idle may go on."""
    node = draft.node(key)
    if node is None:
        return
    if node.phase is NodePhase.SUSPECT:
        nodes.advance_suspect(draft, node)
    elif node.phase is NodePhase.CONDEMNED:
        nodes.advance_condemned(draft, node)
    elif node.phase is NodePhase.LEAVING:
        nodes.leave_when_idle(draft, node)


def on_task_gone(draft: Draft, seen: TaskGone) -> None:
    """A task that ECS has forgotten: it has stopped, and what is known of its node says why."""
    task = draft.task(seen.id)
    if task is None or not task.live:
        return
    node = draft.node(task.node)
    lost_with_node = node is None or node.phase is NodePhase.RETIRED or node.acted_at > task.seen_at
    job = draft.job(task.owner)
    ours = job is not None and (job.phase is JobPhase.STOPPING or job.generation != task.generation)
    cause = StopCause.CAPACITY if lost_with_node else StopCause.OURS if ours else StopCause.UNKNOWN
    record_task(draft, evolve(task, status=TaskStatus.STOPPED, cause=cause, stopped_at=draft.now), task)


def _on_gang_task(draft: Draft, task: Task, before: Task | None) -> None:
    """Counts a change of one of a gang's tasks, and acts if it ends the gang."""
    job = draft.job(task.owner)
    if job is None:
        return
    if task.generation != job.generation:
        if task.live and before is None and task.generation < job.generation:
            draft.ask(IntentKind.STOP_TASKS, job, "left over from an earlier start of the gang", tasks=(task.id,))
        return
    job = _count(draft, job, task, before)
    if task.live:
        _on_live(draft, job, task, new=before is None)
        return
    _on_stopped(draft, job, task)


def _on_live(draft: Draft, job: Job, task: Task, *, new: bool) -> None:
    node = draft.node(task.node)
    if new and job.phase in FINAL_JOB_PHASES:
        jobs.stop(draft, job, "the job is over")
    elif new and node is not None and node.fenced and draft.fleet.acting:
        jobs.fail(draft, job, f"rank {task.rank} came up on {task.node}, which had been fenced meanwhile", draft.now)
    elif task.status is TaskStatus.RUNNING:
        _maybe_up(draft, job)


def _count(draft: Draft, job: Job, task: Task, before: Task | None) -> Job:
    up = task.status is TaskStatus.RUNNING or task.cause is StopCause.COMPLETED
    was_up = before is not None and before.status is TaskStatus.RUNNING
    return draft.put_job(
        evolve(
            job,
            launched=job.launched + (before is None),
            running=job.running + (up and not was_up),
            ended=job.ended + (not task.live),
            succeeded=job.succeeded + (task.cause is StopCause.COMPLETED),
        )
    )


def _maybe_up(draft: Draft, job: Job) -> None:
    if job.phase is not JobPhase.STARTING or job.running < job.size:
        return
    draft.put_job(evolve(job, phase=JobPhase.RUNNING, since=draft.now, deadline=None, tries=0, incident="", missing=()))
    draft.note(job.incident, f"generation {job.generation} is up", outcome="restarted")


def _on_stopped(draft: Draft, job: Job, task: Task) -> None:
    cause = task.cause or StopCause.UNKNOWN
    if cause is StopCause.USER:
        jobs.user_stop(draft, job, task.stopped_at, f"a user stopped rank {task.rank}")
        return
    if cause is StopCause.FAILED and _is_suspect(draft, job, task):
        _suspect_node(draft, job, task)
        job = draft.job(job.id) or job
    if job.phase in (JobPhase.STARTING, JobPhase.RUNNING, JobPhase.HELD):
        if cause is StopCause.COMPLETED:
            _on_completed(draft, job)
        elif cause is StopCause.UNKNOWN and job.phase is not JobPhase.HELD:
            jobs.give_up(draft, job, f"rank {task.rank} vanished, and nothing says whether a user stopped it")
        elif job.phase is not JobPhase.HELD:
            text = _NO_SUSPECT.get(cause, f"failed with exit code {task.exit_code}")
            lost = cause is StopCause.CAPACITY
            jobs.fail(draft, job, f"rank {task.rank} on {task.node} {text}", task.stopped_at, excused=lost)
    elif job.phase is JobPhase.STOPPING:
        jobs.finish_stop(draft, job)


def _is_suspect(draft: Draft, job: Job, task: Task) -> bool:
    """Whether a task that failed by itself speaks against its node: not if it died of the gang's end."""
    if job.user_stopped_at is not None and task.stopped_at >= job.user_stopped_at:
        return False
    return job.failed_at is None or task.stopped_at <= job.failed_at + draft.policy.cascade_window


def _suspect_node(draft: Draft, job: Job, task: Task) -> None:
    first = job.failed_at is None
    reason = f"rank {task.rank} of job {job.id} failed here with exit code {task.exit_code}"
    nodes.suspect(draft, task.node, Rung.EXAMINE, reason, primary=first)


def _on_completed(draft: Draft, job: Job) -> None:
    if job.succeeded == job.size:
        draft.put_job(evolve(job, phase=JobPhase.COMPLETED, since=draft.now, deadline=None))
        draft.note(job.incident, "completed", outcome="completed")
    else:
        _maybe_up(draft, job)


def started_as_seen(job: Job, started: Started) -> Task:
    """The record of a task that an effect reports, before ECS has shown it."""
    return Task(
        id=started.id,
        node=started.node,
        role=TaskRole.GANG,
        owner=job.id,
        generation=job.generation,
        rank=started.rank,
        gpus=job.gpus_per_task,
    )
