"""Failures that users of another recovery system have reported: ours must not have them."""

from __future__ import annotations

import pytest

from inferfleet.recovery.core.codec import decode, encode
from inferfleet.recovery.core.model import Fleet, Node
from inferfleet.recovery.core.observations import Evidence, IntentResult, Verdict
from inferfleet.recovery.core.terms import IntentKind, JobPhase, NodePhase, Rung, StopCause, TaskStatus


def _xid_79(fleet, node: str, boot: int = 1) -> Evidence:
    return Evidence(node, Rung.REBOOT, "Xid 79", at=fleet.now, boot_id=f"{node}-boot-{boot}")


def test_1280_a_stale_replay_does_not_reboot_a_node_that_was_healed(stage):
    fleet = stage()
    report = _xid_79(fleet, "A")
    fleet.tell(report)
    fleet.reboots("A")
    fleet.diagnosed("A", Verdict.PASS, boot=2)
    fleet.now += 60
    fleet.tell(report)
    assert fleet.node("A").phase is NodePhase.IN_SERVICE
    assert len(fleet.asked(IntentKind.REBOOT)) == 1


def test_1280_a_replay_from_an_older_boot_is_stale_even_with_a_wrong_clock(stage):
    fleet = stage()
    fleet.tell(_xid_79(fleet, "A"))
    fleet.reboots("A")
    fleet.diagnosed("A", Verdict.PASS, boot=2)
    fleet.tell(Evidence("A", Rung.REBOOT, "Xid 79", at=fleet.now + 3600, boot_id="A-boot-1"))
    assert fleet.node("A").phase is NodePhase.IN_SERVICE


def test_1536_an_event_that_arrives_after_the_reboot_is_not_stranded(stage):
    fleet = stage(nodes=1)
    fleet.run_job(1)
    failure = fleet.seen("train", 0, TaskStatus.STOPPED, StopCause.FAILED, exit_code=134)
    fleet.tell(_xid_79(fleet, "A"))
    fleet.node_seen("A", connected=False)
    fleet.carry_out_stop()
    fleet.reboots("A")
    fleet.tell(failure)
    fleet.diagnosed("A", Verdict.PASS, boot=2)
    fleet.carry_out_start()
    assert fleet.node("A").phase is NodePhase.IN_SERVICE
    assert fleet.job().phase is JobPhase.RUNNING


def test_1536_a_lost_boot_event_is_made_good_by_the_next_sight_of_the_node(stage):
    fleet = stage()
    fleet.tell(_xid_79(fleet, "A"))
    fleet.tell(IntentResult(fleet.node("A").request, True))
    fleet.now += 300
    fleet.node_seen("A", boot=2)
    assert fleet.node("A").phase is NodePhase.EXAMINING


def test_1543_attempts_of_a_node_are_limited(stage):
    fleet = stage(nodes=1, node_offences=10, node_reboots=2)
    for boot in (2, 3):
        fleet.tell(_xid_79(fleet, "A", boot - 1))
        fleet.reboots("A", boot)
        fleet.diagnosed("A", Verdict.PASS, boot)
        fleet.now += 60
    fleet.tell(_xid_79(fleet, "A", 3))
    assert len(fleet.asked(IntentKind.REBOOT)) == 2
    assert len(fleet.asked(IntentKind.REPLACE)) == 1


def test_1543_attempts_of_a_job_are_limited(stage):
    fleet = stage(nodes=8, job_attempts=3)
    fleet.run_job(1)
    for _ in range(6):
        if fleet.job().phase is JobPhase.RUNNING:
            fleet.fails(0)
            fleet.carry_out_start()
    assert fleet.job().phase is JobPhase.FAILED
    assert len(fleet.asked(IntentKind.START_GANG)) == 4
    assert len(fleet.asked(IntentKind.NOTIFY)) == 1


def test_adr_056_the_attempt_is_charged_in_the_decision_that_asks_for_the_effect(stage):
    fleet = stage()
    decision = fleet.tell(_xid_79(fleet, "A"))
    assert any(key.startswith("reboot:") for key in decision.intents)
    assert decision.changes.fleet.reboots == (fleet.now,)
    assert decision.changes.nodes["A"].reboots == (fleet.now,)


def test_adr_056_an_ambiguous_reboot_is_not_repeated_and_its_attempt_is_not_given_back(stage):
    fleet = stage()
    fleet.tell(_xid_79(fleet, "A"))
    fleet.tell(IntentResult(fleet.node("A").request, False, detail="the call timed out"))
    assert len(fleet.node("A").reboots) >= 1
    assert len({item.id for item in fleet.asked(IntentKind.REBOOT)}) == len(fleet.asked(IntentKind.REBOOT))


@pytest.mark.parametrize(
    "broken",
    [
        {"nodes": "many"},
        {"reboots": 3},
        {"reboots": ["never"]},
        {"paused": None},
        [],
    ],
)
def test_adr_056_a_malformed_budget_is_refused_not_reset(broken):
    with pytest.raises(ValueError, match="Fleet"):
        decode(Fleet, broken)


def test_records_survive_the_codec():
    node = Node("i-1", phase=NodePhase.REBOOTING, rung=Rung.REBOOT, reboots=(1.5, 2.5), deadline=7.0)
    assert decode(Node, encode(node)) == node
