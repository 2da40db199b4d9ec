"""A decision together with everything it was based on, so that it can be explained and taken again, to the same end."""

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any, TypeVar

from inferfleet.recovery.core import observations
from inferfleet.recovery.core.codec import decode, encode
from inferfleet.recovery.core.model import Fleet, Incident, Intent, Job, Node, Task
from inferfleet.recovery.core.observations import Observation
from inferfleet.recovery.core.policy import Policy
from inferfleet.recovery.core.reducer import decide
from inferfleet.recovery.core.state import Decision, State, View

R = TypeVar("R")
_KINDS: dict[str, type] = {"node": Node, "job": Job, "task": Task, "intent": Intent, "incident": Incident}


@dataclass(frozen=True, slots=True)
class Recorded:
    """One decision: its inputs as JSON values, and its outcome."""

    now: float
    observation: str
    given: dict[str, Any]
    outcome: dict[str, Any]
    reasons: tuple[str, ...]


@dataclass(slots=True)
class _Reads:
    records: dict[str, dict[str, Any]] = field(default_factory=dict)
    lists: dict[str, list[Any]] = field(default_factory=dict)


class RecordingView:
    """A view that remembers what was read through it."""

    def __init__(self, view: View) -> None:
        self._view = view
        self.reads = _Reads()

    @property
    def fleet(self) -> Fleet:
        """Budgets and the brake."""
        return self._view.fleet

    def node(self, key: str) -> Node | None:
        """A node by its id."""
        return self._keep("node", key, self._view.node(key))

    def job(self, key: str) -> Job | None:
        """A job by its id."""
        return self._keep("job", key, self._view.job(key))

    def task(self, key: str) -> Task | None:
        """A task by its id."""
        return self._keep("task", key, self._view.task(key))

    def intent(self, key: str) -> Intent | None:
        """An intent by its id."""
        return self._keep("intent", key, self._view.intent(key))

    def incident(self, key: str) -> Incident | None:
        """An incident by its id."""
        return self._keep("incident", key, self._view.incident(key))

    def live_tasks_on(self, node: str) -> Iterable[str]:
        """Ids of live tasks on a node."""
        return self._list(f"live:{node}", self._view.live_tasks_on(node))

    def nodes_in_service(self) -> Iterable[str]:
        """Ids of nodes in service."""
        return self._list("in-service", self._view.nodes_in_service())

    def waiting_jobs(self) -> Iterable[str]:
        """Ids of jobs that wait for nodes."""
        return self._list("waiting", self._view.waiting_jobs())

    def starting_jobs(self) -> Iterable[str]:
        """Ids of jobs that are being started."""
        return self._list("starting", self._view.starting_jobs())

    def due(self, now: float) -> Iterable[tuple[str, str]]:
        """All whose time has come."""
        return [(kind, key) for kind, key in self._list("due", self._view.due(now))]

    def _keep(self, kind: str, key: str, value: R | None) -> R | None:
        if value is not None:
            self.reads.records.setdefault(kind, {}).setdefault(key, value)
        return value

    def _list(self, name: str, values: Iterable[Any]) -> list[Any]:
        return self.reads.lists.setdefault(name, list(values))


class _GivenView(State):
    """The recorded inputs, as a view."""

    def __init__(self, policy: Policy, lists: dict[str, list[Any]]) -> None:
        super().__init__(policy)
        self._lists = lists

    def live_tasks_on(self, node: str) -> Iterable[str]:
        return list(self._lists.get(f"live:{node}", []))

    def nodes_in_service(self) -> Any:
        return iter(self._lists.get("in-service", []))

    def waiting_jobs(self) -> Iterable[str]:
        return tuple(self._lists.get("waiting", []))

    def starting_jobs(self) -> Iterable[str]:
        return tuple(self._lists.get("starting", []))

    def due(self, now: float) -> list[tuple[str, str]]:
        return [(kind, key) for kind, key in self._lists.get("due", [])]


def decide_and_record(view: View, seen: Observation, now: float, policy: Policy) -> tuple[Decision, Recorded]:
    """Decides, and keeps what the decision was based on."""
    watching = RecordingView(view)
    fleet = view.fleet
    decision = decide(watching, seen, now, policy)
    given = {
        "observation": encode(seen),
        "policy": encode(policy),
        "fleet": encode(fleet),
        "records": {kind: encode(records) for kind, records in watching.reads.records.items()},
        "lists": encode(watching.reads.lists),
    }
    return decision, Recorded(now, type(seen).__name__, given, encode(_outcome(decision)), decision.reasons)


def replay(recorded: Recorded) -> tuple[Decision, bool]:
    """Takes a recorded decision again.

    Returns:
        The decision, and whether it is the one that was recorded; it is not, if the rules have changed since.
    """
    policy = decode(Policy, recorded.given["policy"])
    view = _GivenView(policy, recorded.given["lists"])
    view.fleet = decode(Fleet, recorded.given["fleet"])
    for kind, records in recorded.given["records"].items():
        store = getattr(view, f"{kind}s")
        for key, raw in records.items():
            store[key] = decode(_KINDS[kind], raw)
    seen = decode(getattr(observations, recorded.observation), recorded.given["observation"])
    decision = decide(view, seen, recorded.now, policy)
    return decision, encode(_outcome(decision)) == recorded.outcome


def _outcome(decision: Decision) -> dict[str, Any]:
    changes = decision.changes
    return {
        "nodes": changes.nodes,
        "jobs": changes.jobs,
        "tasks": changes.tasks,
        "intents": changes.intents,
        "incidents": changes.incidents,
        "fleet": changes.fleet,
        "asked": list(decision.intents),
    }
