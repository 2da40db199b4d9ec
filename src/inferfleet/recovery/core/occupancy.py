"""What runs on a node, and which of it may be harmed."""

from inferfleet.recovery.core.model import Node, Task
from inferfleet.recovery.core.state import Draft, in_the_way
from inferfleet.recovery.core.terms import FINAL_JOB_PHASES, JobPhase, TaskRole


def busy(draft: Draft, key: str) -> bool:
    """Whether anything but daemons and our own diagnoses runs on a node."""
    return any(in_the_way(task) for task in draft.live_on(key))


def tasks_that_may_die(draft: Draft, node: Node) -> tuple[str, ...] | None:
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


def services(draft: Draft, key: str) -> tuple[str, ...]:
    """Names of the services that have tasks on a node: ECS moves those away, and no others."""
    return tuple(sorted({task.owner for task in draft.live_on(key) if task.role is TaskRole.SERVICE}))
