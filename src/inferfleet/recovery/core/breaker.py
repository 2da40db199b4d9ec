"""The breaker: so many confirmed faults at once are a driver, an image or a rack, and recovery stops to ask."""

from inferfleet.recovery.core.ladder import recent
from inferfleet.recovery.core.model import Notice
from inferfleet.recovery.core.policy import MINUTE
from inferfleet.recovery.core.state import Draft
from inferfleet.recovery.core.terms import IntentKind, Severity


def count_fault(draft: Draft) -> None:
    """Counts a confirmed fault, and opens the breaker when too many nodes fail at once."""
    policy, fleet, now = draft.policy, draft.fleet, draft.now
    faults = (*recent(fleet.faults, now, policy.breaker_window), now)
    draft.set_fleet(faults=faults)
    if len(faults) >= policy.breaker_limit(fleet.nodes) and not fleet.breaker:
        why = f"{len(faults)} nodes were found faulty within {policy.breaker_window / MINUTE:.0f} minutes"
        draft.set_fleet(breaker=why, breaker_at=now)
        notice = Notice(
            Severity.PERSON,
            f"automatic recovery has stopped: {why}",
            f"the fleet of {fleet.nodes} nodes",
            "nodes already fenced stay fenced; nothing more is examined, repaired or restarted",
            "look for a common cause (driver, image, rack, DCGM); then `inferfleet recovery resume`",
        )
        draft.ask(IntentKind.NOTIFY, None, why, notice=notice)
