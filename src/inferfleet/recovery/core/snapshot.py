"""Turns a listing of the world into observations: with every event lost, this alone makes recovery converge."""

from collections.abc import Iterable, Iterator

from inferfleet.recovery.core.model import Node, Task
from inferfleet.recovery.core.observations import NodeGone, Observation, Snapshot, TaskGone
from inferfleet.recovery.core.terms import NodePhase

SETTLE = 90.0
"""Seconds that ECS's listings may lag behind its own answers; what is younger is not declared gone."""


def expand(
    snapshot: Snapshot, known_nodes: Iterable[Node], live_tasks: Iterable[Task], *, settle: float = SETTLE
) -> Iterator[Observation]:
    """Yields what a listing says, evidence and tasks first, then what is missing from it.

    Args:
        snapshot: The listing.
        known_nodes: Nodes of the state.
        live_tasks: Tasks of the state that have not stopped.
        settle: See `SETTLE`.
    """
    yield from snapshot.evidence
    yield from snapshot.tasks
    yield from snapshot.nodes
    yield from snapshot.diagnosed
    present = {node.node for node in snapshot.nodes}
    for node in known_nodes:
        if node.phase is not NodePhase.RETIRED and node.id not in present and node.since < snapshot.began - settle:
            yield NodeGone(node.id)
    listed = {task.id for task in snapshot.tasks}
    for task in live_tasks:
        if task.id not in listed and task.seen_at < snapshot.began - settle:
            yield TaskGone(task.id)
