"""Turns a listing of the world into observations: with every event lost, this alone makes recovery converge."""

from collections.abc import Iterable, Iterator

from inferfleet.recovery.core.model import Node, Task
from inferfleet.recovery.core.observations import NodeGone, Observation, Snapshot, TaskGone
from inferfleet.recovery.core.reducer import is_news
from inferfleet.recovery.core.tasks import is_old_news
from inferfleet.recovery.core.terms import NodePhase

SETTLE = 90.0
"""Seconds that ECS's listings may lag behind its own answers; what is younger is not declared gone."""


def expand(
    snapshot: Snapshot, known_nodes: Iterable[Node], live_tasks: Iterable[Task], *, settle: float = SETTLE
) -> Iterator[Observation]:
    """Yields what a listing says that is not known yet, evidence and tasks first, then what is missing from it.

    Most of a large fleet is as it was a minute ago: what says nothing new would only cost reads.

    Args:
        snapshot: The listing.
        known_nodes: Nodes of the state.
        live_tasks: Tasks of the state that have not stopped.
        settle: See `SETTLE`.
    """
    nodes = {node.id: node for node in known_nodes}
    tasks = {task.id: task for task in live_tasks}
    yield from snapshot.evidence
    yield from (seen for seen in snapshot.tasks if not is_old_news(tasks.get(seen.id), seen))
    for sight in snapshot.nodes:
        known = nodes.get(sight.node)
        if known is None or is_news(known, sight, snapshot.began):
            yield sight
    yield from snapshot.diagnosed
    present = {sight.node for sight in snapshot.nodes}
    for node in nodes.values():
        if node.phase is not NodePhase.RETIRED and node.id not in present and node.since < snapshot.began - settle:
            yield NodeGone(node.id)
    listed = {task.id for task in snapshot.tasks}
    for task in tasks.values():
        if task.id not in listed and task.seen_at < snapshot.began - settle:
            yield TaskGone(task.id)
