"""What the former system got wrong, each a scenario that ours must get right."""

from __future__ import annotations

from inferfleet.recovery.core.observations import IntentResult, Started, Verdict
from inferfleet.recovery.core.terms import (
    IntentKind,
    IntentStatus,
    JobPhase,
    NodePhase,
    Severity,
    StopCause,
    TaskStatus,
)


def test_s1_every_node_whose_task_failed_is_diagnosed_not_only_the_first(stage):
    fleet = stage(nodes=4)
    fleet.run_job(2)
    fleet.fails(1)
    fleet.fails(0)
    assert {item.node for item in fleet.asked(IntentKind.DIAGNOSE)} == {"A", "B"}


def test_s1_the_failing_node_is_diagnosed_even_if_it_is_not_the_first_of_the_job(stage):
    fleet = stage(nodes=5)
    fleet.run_job(3)
    fleet.fails(2)
    assert [item.node for item in fleet.asked(IntentKind.DIAGNOSE)] == ["C"]


def test_s2_exit_code_134_is_diagnosed_and_the_node_stays_out_of_service_until_it_passes(stage):
    fleet = stage()
    fleet.run_job(1)
    fleet.fails(0, exit_code=134)
    assert fleet.node("A").phase is NodePhase.EXAMINING
    assert fleet.asked(IntentKind.FENCE, "A")
    fleet.diagnosed("A", Verdict.PASS)
    assert fleet.node("A").phase is NodePhase.IN_SERVICE


def test_s3_a_node_that_passes_neither_fails_the_job_nor_frees_its_rebooting_peer(stage):
    fleet = stage(nodes=2)
    fleet.run_job(2)
    fleet.fails(0)
    fleet.fails(1)
    fleet.carry_out_stop()
    fleet.diagnosed("B", Verdict.FAIL)
    fleet.diagnosed("A", Verdict.PASS)
    assert fleet.node("A").phase is NodePhase.IN_SERVICE
    assert fleet.node("B").phase is NodePhase.REBOOTING
    assert fleet.job().phase is JobPhase.WAITING, "it waits for B, which is the only other node"
    fleet.reboots("B")
    fleet.diagnosed("B", Verdict.PASS, boot=2)
    fleet.carry_out_start()
    assert fleet.job().phase is JobPhase.RUNNING


def test_s3b_a_duplicate_event_does_not_reboot_twice(stage):
    fleet = stage()
    fleet.run_job(1)
    failure = fleet.fails(0)
    fleet.diagnosed("A", Verdict.FAIL)
    request = fleet.node("A").request
    fleet.tell(failure)
    fleet.diagnosed("A", Verdict.FAIL)
    fleet.tell(IntentResult(request, True))
    fleet.tell(failure)
    assert len(fleet.asked(IntentKind.REBOOT)) == 1


def test_s3c_an_undocumented_end_of_dcgmi_is_tried_again_and_then_given_to_a_person(stage):
    fleet = stage()
    fleet.run_job(1)
    fleet.fails(0)
    for _ in range(3):
        fleet.diagnosed("A", Verdict.INCONCLUSIVE)
        fleet.wait(60)
    assert fleet.node("A").phase is NodePhase.QUARANTINED
    assert len(fleet.asked(IntentKind.DIAGNOSE)) == 3
    assert [item.notice.severity for item in fleet.asked(IntentKind.NOTIFY)] == [Severity.PERSON]


def test_s4_active_without_a_new_boot_does_not_end_a_reboot(stage):
    fleet = stage(nodes=1)
    fleet.run_job(1)
    fleet.fails(0)
    fleet.diagnosed("A", Verdict.FAIL)
    fleet.tell(IntentResult(fleet.node("A").request, True))
    fleet.node_seen("A", connected=True, boot=1)
    fleet.node_seen("A", connected=False)
    assert fleet.node("A").phase is NodePhase.REBOOTING
    assert fleet.job().phase is JobPhase.WAITING
    fleet.node_seen("A", connected=True, boot=2)
    assert fleet.node("A").phase is NodePhase.EXAMINING
    assert fleet.job().phase is JobPhase.WAITING, "the job waits for the diagnosis, too"


def test_s4b_a_restarted_gang_is_recovered_again_when_it_fails_again(stage):
    fleet = stage(nodes=4)
    fleet.run_job(1)
    fleet.fails(0)
    fleet.carry_out_start()
    assert fleet.job().generation == 2
    fleet.fails(0)
    fleet.carry_out_start()
    assert fleet.job().generation == 3
    assert fleet.job().phase is JobPhase.RUNNING


def test_s5_overlapping_duplicates_never_start_more_tasks_than_the_job_has(stage):
    fleet = stage(nodes=4)
    fleet.run_job(2)
    first = fleet.fails(0)
    second = fleet.stopped_by_us(1)
    for seen in (first, second, first, second):
        fleet.tell(seen)
    starts = [item for item in fleet.asked(IntentKind.START_GANG) if item.generation == 2]
    assert [len(item.ranks) for item in starts] == []
    fleet.carry_out_stop()
    starts = [item for item in fleet.asked(IntentKind.START_GANG) if item.generation == 2]
    assert [sorted(rank for rank, _ in item.ranks) for item in starts] == [[0, 1]]


def test_s6_our_own_stop_is_not_taken_for_a_users_stop(stage):
    fleet = stage(nodes=4)
    fleet.run_job(2)
    fleet.fails(0)
    fleet.task("train", 1, TaskStatus.STOPPED, StopCause.OURS, exit_code=137)
    fleet.carry_out_stop()
    assert fleet.job().phase is JobPhase.STARTING
    assert fleet.node("A").phase is NodePhase.EXAMINING


def test_s6_a_users_stop_never_triggers_recovery(stage):
    fleet = stage(nodes=3)
    fleet.run_job(2)
    fleet.task("train", 0, TaskStatus.STOPPED, StopCause.USER, exit_code=143)
    fleet.now += 1
    fleet.fails(1, exit_code=1)
    fleet.carry_out_stop()
    fleet.wait(3600)
    assert fleet.job().phase is JobPhase.STOPPED
    assert not fleet.asked(IntentKind.DIAGNOSE)
    assert [item.generation for item in fleet.asked(IntentKind.START_GANG)] == [1]


def test_s7_a_throttled_start_is_tried_again_until_the_gang_is_whole(stage):
    fleet = stage(nodes=3)
    fleet.submit(2)
    intent = fleet.open(IntentKind.START_GANG)[0]
    started = (Started("train/1/0", 0, "A"),)
    fleet.tell(IntentResult(intent.id, False, tasks=started, failures=((1, "ThrottlingException"),)))
    fleet.task("train", 0, TaskStatus.RUNNING)
    assert fleet.job().phase is JobPhase.STARTING, "half a gang is no success"
    fleet.wait(31)
    again = fleet.open(IntentKind.START_GANG)
    assert [item.ranks for item in again] == [((1, "B"),)]
    fleet.carry_out_start()
    assert fleet.job().phase is JobPhase.RUNNING


def test_s7_a_start_that_stays_throttled_ends_with_a_person_and_nothing_left_running(stage):
    fleet = stage(nodes=3, job_attempts=1, start_tries=2)
    fleet.submit(1)
    for _ in range(10):
        for intent in fleet.open(IntentKind.START_GANG):
            fleet.tell(IntentResult(intent.id, False, failures=((0, "ThrottlingException"),)))
        fleet.wait(31)
    assert fleet.job().phase is JobPhase.FAILED
    assert len(fleet.asked(IntentKind.START_GANG)) == 4
    notice = fleet.asked(IntentKind.NOTIFY)[0].notice
    assert "ThrottlingException" in notice.what
    assert "jobs retry train" in notice.todo


def test_a_state_that_waits_always_has_a_deadline(stage):
    fleet = stage(nodes=2)
    fleet.run_job(2)
    fleet.fails(0)
    for phase in (JobPhase.STOPPING, JobPhase.WAITING):
        assert fleet.job().phase is phase
        assert fleet.job().deadline is not None
        fleet.carry_out_stop()
    assert fleet.node("A").deadline is not None
    fleet.diagnosed("A", Verdict.FAIL)
    assert fleet.node("A").deadline is not None


def test_a_reboot_that_never_comes_back_is_replaced(stage):
    fleet = stage(nodes=3)
    fleet.run_job(1)
    fleet.fails(0)
    fleet.diagnosed("A", Verdict.FAIL)
    fleet.tell(IntentResult(fleet.node("A").request, True))
    fleet.node_seen("A", connected=False)
    fleet.wait(3600)
    assert fleet.asked(IntentKind.REPLACE, "A")


def test_a_claimed_intent_is_not_undone_by_the_result_of_a_cancelled_one(stage):
    fleet = stage(nodes=3)
    fleet.submit(1)
    intent = fleet.open(IntentKind.START_GANG)[0]
    fleet.tell(IntentResult(intent.id, True, tasks=(Started("train/1/0", 0, "A"),)))
    fleet.tell(IntentResult(intent.id, False, detail="late"))
    assert fleet.state.intents[intent.id].status is IntentStatus.DONE
