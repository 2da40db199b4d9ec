"""The fence of a node: asked for, asked for again where ECS shows another one, and kept up until a person says."""

from inferfleet.recovery.core import occupancy
from inferfleet.recovery.core.model import Node, evolve
from inferfleet.recovery.core.state import Draft
from inferfleet.recovery.core.terms import SETTLED, IntentKind, NodePhase


def ask(draft: Draft, node: Node, kind: IntentKind, reason: str) -> Node:
    """Asks for a node's fence to be set or cleared; the last one asked for counts."""
    request = draft.ask(kind, draft.node(node.id) or node, reason)
    return draft.put_node(evolve(draft.node(node.id) or node, fence_request=request))


def ask_again(draft: Draft, node: Node) -> None:
    """Sets or clears the fence again where ECS shows another one than we decided, unless that is under way."""
    last = draft.intent(node.fence_request)
    if last is not None and last.status not in SETTLED:
        return
    kind = IntentKind.FENCE if node.fenced else IntentKind.UNFENCE
    ask(draft, node, kind, "ECS shows another state than was decided")


def set_aside(draft: Draft, node: Node, why: str, *, by_hand: bool = False) -> Node:
    """Fences a node until a person returns it; services' tasks move away, unless automatic action is paused."""
    empty = by_hand or draft.fleet.acting
    was_fenced = node.fenced
    node = draft.put_node(
        evolve(
            node,
            phase=NodePhase.QUARANTINED,
            since=draft.now,
            deadline=None,
            request="",
            reason=why,
            emptied=node.emptied or empty,
        )
    )
    return ask(draft, node, IntentKind.FENCE, why) if empty or not was_fenced else node


def move_services(draft: Draft, node: Node) -> None:
    """Asks ECS to move services' tasks off a node that has to be empty; others it would not move."""
    if node.emptied or not node.connected:
        return
    names = ", ".join(occupancy.services(draft, node.id))
    if names:
        node = draft.put_node(evolve(node, emptied=True))
        ask(draft, node, IntentKind.FENCE, f"tasks of {names} have to move")
        draft.note(node.incident, f"draining: tasks of {names} run there")
