"""The story of a trouble, kept with the node or the job that it is about, and calls to a person with that story."""

from typing import TypeVar

from inferfleet.recovery.core.model import Incident, Job, Node, Notice, evolve
from inferfleet.recovery.core.state import Draft
from inferfleet.recovery.core.terms import IntentKind, Rung, Severity

_STEPS_TOLD = 6
"""Steps of the story that a call tells; `recovery explain` has all of them."""
Subject = TypeVar("Subject", Node, Job)


def begin(draft: Draft, subject: Subject, cause: str) -> Subject:
    """Opens an incident for a node or a job, unless one is open."""
    if subject.incident:
        return subject
    key = f"{subject.id}.{subject.seq + 1}"
    draft.open_incident(key, _title(subject), cause)
    changed = evolve(subject, incident=key, seq=subject.seq + 1)
    if isinstance(changed, Node):
        draft.put_node(changed)
    else:
        draft.put_job(changed)
    return changed


def go_on(draft: Draft, subject: Subject, cause: str) -> Subject:
    """Opens an incident, or adds a further cause to the one that is open."""
    if subject.incident:
        draft.note(subject.incident, cause)
    return begin(draft, subject, cause)


def would(draft: Draft, node: Node, rung: Rung, reason: str) -> None:
    """Dry run: records what would be done, and does nothing."""
    key = f"{node.id}.{node.seq + 1}"
    draft.put_node(evolve(node, seq=node.seq + 1))
    draft.open_incident(key, _title(node), reason)
    step = "examine it" if rung < Rung.RESET_GPU else f"fence it and {rung.name.lower()}"
    draft.note(key, f"dry run: would {step}", outcome="dry run")


def call_person(draft: Draft, subject: Node | Job, *, what: str, todo: str) -> None:
    """Tells a person about a node or a job, with what was tried."""
    found = _story(draft, subject)
    tried = "; ".join(step.text for step in found.steps[-_STEPS_TOLD:]) if found else "nothing yet"
    notice = Notice(Severity.PERSON, what, _place(subject), tried, todo)
    draft.ask(IntentKind.NOTIFY, subject, what, notice=notice)
    draft.note(subject.incident, f"a person was called: {what}", person=True)


def _story(draft: Draft, subject: Node | Job) -> Incident | None:
    return draft.changes.incidents.get(subject.incident) or draft.view.incident(subject.incident)


def _title(subject: Node | Job) -> str:
    return f"node {subject.id}" if isinstance(subject, Node) else f"job {subject.id}"


def _place(subject: Node | Job) -> str:
    if isinstance(subject, Node):
        return f"node {subject.id}, {subject.container_instance or 'not registered'}"
    return f"job {subject.id}, generation {subject.generation}"
