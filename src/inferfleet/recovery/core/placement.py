"""Which node each rank of a gang gets: its former one, unless that is in doubt; nodes in doubt are chosen last."""

from collections import Counter

from inferfleet.recovery.core.ladder import recent
from inferfleet.recovery.core.model import Job, Task
from inferfleet.recovery.core.policy import DAY
from inferfleet.recovery.core.state import Draft, in_the_way
from inferfleet.recovery.core.terms import JobPhase, NodePhase


def place(draft: Draft, job: Job, ranks: tuple[int, ...], keep: dict[int, str]) -> dict[int, str] | None:
    """Chooses a node in service for each rank, its former one unless it is in doubt; None if there are too few.

    Args:
        draft: The draft to read.
        job: The gang.
        ranks: Ranks that need a node.
        keep: Ranks that have one already.
    """
    used: Counter[str] = Counter()
    for node in keep.values():
        used[node] += job.gpus_per_task
    for key in draft.view.starting_jobs():
        other = draft.job(key)
        if other is not None and other.id != job.id:
            for node in other.assignment:
                used[node] += other.gpus_per_task
    placed = dict(keep)
    homeless = []
    for rank in ranks:
        former = job.assignment[rank] if rank < len(job.assignment) else ""
        if former and not _doubtful(draft, former) and _room(draft, former, used) >= job.gpus_per_task:
            placed[rank] = former
            used[former] += job.gpus_per_task
        else:
            homeless.append(rank)
    if not homeless:
        return placed
    candidates = list(draft.view.nodes_in_service())
    for key in sorted(candidates, key=lambda node: _doubtful(draft, node)):
        while homeless and _room(draft, key, used) >= job.gpus_per_task:
            placed[homeless.pop(0)] = key
            used[key] += job.gpus_per_task
        if not homeless:
            return placed
    return None


def _doubtful(draft: Draft, key: str) -> bool:
    """Whether trouble began on a node within the last day without a finding: such nodes are chosen last."""
    node = draft.node(key)
    return node is not None and bool(recent(node.suspicions, draft.now, DAY))


def _room(draft: Draft, key: str, used: Counter[str]) -> int:
    """GPUs of a node that nothing uses or has been promised; the tasks of gangs being started are promised ones."""
    node = draft.node(key)
    if node is None or node.phase is not NodePhase.IN_SERVICE or not node.connected or node.draining:
        return 0
    taken = used[key]
    for task in draft.live_on(key):
        if in_the_way(task) and not _is_promised(draft, task):
            taken += task.gpus
    return node.gpus - taken


def _is_promised(draft: Draft, task: Task) -> bool:
    job = draft.job(task.owner)
    return job is not None and job.phase is JobPhase.STARTING and task.generation == job.generation
