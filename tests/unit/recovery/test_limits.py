"""Limits at every rung, and what is done about nodes that are lost, leaving, drained or often at fault."""

from __future__ import annotations

from dataclasses import replace

from inferfleet.recovery.core.intents import claimable
from inferfleet.recovery.core.observations import (
    CapacityWarning,
    Command,
    Evidence,
    IntentResult,
    Maintenance,
    NodeGone,
    TaskGone,
    TaskSeen,
    Verb,
    Verdict,
)
from inferfleet.recovery.core.terms import (
    IntentKind,
    IntentStatus,
    JobPhase,
    NodePhase,
    Rung,
    StopCause,
    TaskRole,
    TaskStatus,
)


def _xid(fleet, node: str, rung: Rung = Rung.REBOOT) -> None:
    fleet.tell(Evidence(node, rung, "Xid", at=fleet.now))


def test_no_more_nodes_are_fenced_than_the_limit_allows(stage):
    fleet = stage(nodes=8, max_fenced_share=0.25, max_repair_share=1.0, breaker_min=50)
    for name in "ABCDE":
        _xid(fleet, name)
    assert fleet.state.fleet.fenced == 2
    waiting = [node for node in fleet.state.nodes.values() if node.phase is NodePhase.SUSPECT]
    assert len(waiting) == 3, "the others take no new work, and wait"
    fleet.reboots("A")
    fleet.diagnosed("A", Verdict.PASS, boot=2)
    fleet.wait(60)
    assert fleet.state.fleet.fenced == 2
    assert len(fleet.asked(IntentKind.REBOOT)) == 3


def test_reboots_an_hour_are_limited(stage):
    fleet = stage(nodes=8, min_reboots_per_hour=2, reboots_per_hour=0.01, breaker_min=50)
    for name in "ABC":
        _xid(fleet, name)
    assert len(fleet.asked(IntentKind.REBOOT)) == 2
    fleet.wait(3601)
    assert len(fleet.asked(IntentKind.REBOOT)) == 3


def test_the_breaker_stops_everything_says_so_and_waits_for_a_person(stage):
    fleet = stage(nodes=8, breaker_min=3, breaker_share=0.01)
    for name in "ABCD":
        _xid(fleet, name)
    assert fleet.state.fleet.breaker
    assert len(fleet.asked(IntentKind.REBOOT)) == 2, "the third confirmed fault opens the breaker"
    notices = fleet.asked(IntentKind.NOTIFY)
    assert len(notices) == 1
    assert "recovery resume" in notices[0].notice.todo
    fleet.wait(7200)
    assert not [item for item in fleet.asked(IntentKind.REBOOT) if item.node in "CD"]
    fleet.tell(Command(Verb.RESUME))
    fleet.wait(60)
    assert fleet.asked(IntentKind.REBOOT, "C")


def test_while_paused_a_failing_job_is_held_and_recovered_on_resume(stage):
    fleet = stage()
    fleet.run_job(1)
    fleet.tell(Command(Verb.PAUSE, who="ann"))
    fleet.fails(0)
    fleet.wait(600)
    assert fleet.job().phase is JobPhase.HELD
    assert not fleet.asked(IntentKind.FENCE)
    fleet.tell(Command(Verb.RESUME))
    fleet.wait(1)
    fleet.carry_out_start()
    assert fleet.job().phase is JobPhase.RUNNING
    assert fleet.node("A").phase is NodePhase.EXAMINING


def test_a_dry_run_decides_and_records_but_asks_for_nothing(stage):
    fleet = stage(dry_run=True)
    fleet.run_job(1)
    before = len(fleet.log)
    fleet.fails(0)
    _xid(fleet, "B")
    fleet.wait(3600)
    assert fleet.log[before:] == []
    assert {item.outcome for item in fleet.state.incidents.values()} == {"dry run"}


def test_a_repeat_offender_is_replaced_at_once(stage):
    fleet = stage(nodes=2, node_reboots=9, node_offences=3)
    for boot in (2, 3):
        _xid(fleet, "A")
        fleet.reboots("A", boot)
        fleet.diagnosed("A", Verdict.PASS, boot)
        fleet.now += 10
    _xid(fleet, "A")
    assert fleet.node("A").phase is NodePhase.REPLACING


def test_a_replaced_node_is_forgotten_when_it_is_gone(stage):
    fleet = stage(nodes=2)
    _xid(fleet, "A", Rung.REPLACE)
    fleet.tell(IntentResult(fleet.node("A").request, True))
    fleet.tell(NodeGone("A"))
    assert fleet.node("A").phase is NodePhase.RETIRED
    assert (fleet.state.fleet.nodes, fleet.state.fleet.fenced, fleet.state.fleet.repairing) == (1, 0, 0)


def test_a_node_without_an_auto_scaling_group_goes_to_a_person(stage):
    fleet = stage(nodes=2)
    fleet.node_seen("A", replaceable=False)
    _xid(fleet, "A", Rung.REPLACE)
    assert fleet.node("A").phase is NodePhase.QUARANTINED
    assert "Auto Scaling" in fleet.asked(IntentKind.NOTIFY)[0].notice.what


def test_an_agent_that_flaps_is_no_lost_node(stage):
    fleet = stage()
    fleet.run_job(1)
    for _ in range(5):
        fleet.node_seen("A", connected=False)
        fleet.wait(60)
        fleet.node_seen("A", connected=True)
        fleet.wait(600)
    assert fleet.node("A").phase is NodePhase.IN_SERVICE
    assert fleet.job().phase is JobPhase.RUNNING


def test_a_lost_node_is_rebooted_and_its_job_waits_for_certainty(stage):
    fleet = stage()
    fleet.run_job(1)
    fleet.node_seen("A", connected=False)
    fleet.wait(601)
    assert fleet.node("A").phase is NodePhase.REBOOTING
    assert fleet.job().phase is JobPhase.STOPPING, "its task may still be alive behind a broken network"
    fleet.carry_out_stop_listing()
    assert fleet.job().phase is JobPhase.STOPPING
    fleet.stopped_by_us(0)
    assert fleet.job().phase is JobPhase.STARTING


def test_a_lost_node_whose_status_checks_fail_is_replaced_sooner(stage):
    fleet = stage()
    fleet.run_job(1)
    fleet.node_seen("A", connected=False, impaired=True)
    fleet.wait(121)
    assert fleet.node("A").phase is NodePhase.REPLACING
    fleet.carry_out_stop_listing()
    fleet.tell(NodeGone("A"))
    fleet.carry_out_start()
    assert fleet.job().phase is JobPhase.RUNNING


def test_a_spot_warning_moves_the_job_before_the_instance_goes(stage):
    fleet = stage()
    fleet.run_job(1)
    fleet.tell(CapacityWarning("A", "Spot interruption"))
    fleet.carry_out_stop()
    fleet.carry_out_start()
    assert fleet.job().assignment != ("A",)
    assert not fleet.asked(IntentKind.DIAGNOSE)


def test_scheduled_maintenance_waits_for_idleness_until_shortly_before(stage):
    fleet = stage()
    fleet.run_job(1)
    fleet.tell(Maintenance("A", "instance-retirement", fleet.now + 7200))
    fleet.wait(60)
    assert fleet.job().phase is JobPhase.RUNNING
    fleet.wait(5400)
    fleet.carry_out_stop()
    fleet.carry_out_start()
    fleet.wait(1)
    assert fleet.job().assignment != ("A",)
    assert fleet.node("A").phase is NodePhase.REPLACING


def test_a_service_task_that_fails_has_its_node_examined_and_nothing_restarted(stage):
    fleet = stage()
    seen = TaskSeen("s1", "A", TaskStatus.RUNNING, 1, TaskRole.SERVICE, "web")
    fleet.tell(seen)
    stopped = TaskSeen(
        "s1",
        "A",
        TaskStatus.STOPPED,
        2,
        TaskRole.SERVICE,
        "web",
        cause=StopCause.FAILED,
        exit_code=1,
        stopped_at=fleet.now,
    )
    fleet.tell(stopped)
    assert fleet.node("A").phase is NodePhase.EXAMINING
    assert not fleet.asked(IntentKind.START_GANG)


def test_a_suspect_that_is_never_idle_is_let_go_when_nothing_speaks_against_its_gpus(stage):
    fleet = stage(nodes=1)
    fleet.run_job(1, job="long", gpus=4)
    fleet.run_job(1, job="short", gpus=4)
    fleet.fails(0, job="short")
    assert fleet.node("A").phase is NodePhase.SUSPECT
    assert fleet.job("long").phase is JobPhase.RUNNING
    fleet.wait(6 * 3600 + 1)
    assert fleet.node("A").phase is NodePhase.IN_SERVICE


def test_out_of_memory_blames_no_gpu(stage):
    fleet = stage()
    fleet.run_job(1)
    fleet.task("train", 0, TaskStatus.STOPPED, StopCause.OUT_OF_MEMORY, exit_code=137)
    assert fleet.node("A").phase is NodePhase.IN_SERVICE
    assert fleet.job().phase is JobPhase.STARTING


def test_a_task_that_vanished_is_never_guessed_to_have_failed(stage):
    fleet = stage()
    fleet.run_job(1)
    fleet.tell(TaskGone("train/1/0"))
    assert fleet.job().phase is JobPhase.FAILED
    assert "vanished" in fleet.asked(IntentKind.NOTIFY)[0].notice.what


def test_attempts_begin_anew_after_a_stable_run(stage):
    fleet = stage(nodes=8, job_attempts=1)
    fleet.run_job(1)
    for _ in range(4):
        fleet.now += 3600
        fleet.fails(0)
        fleet.carry_out_start()
    assert fleet.job().phase is JobPhase.RUNNING
    assert fleet.job().generation == 5


def test_faults_of_nodes_in_a_row_do_not_use_up_a_jobs_attempts(stage):
    fleet = stage(nodes=12, job_attempts=2, breaker_min=50)
    fleet.run_job(1)
    for _ in range(5):
        _xid(fleet, fleet.job().assignment[0])
        fleet.carry_out_stop()
        fleet.carry_out_start()
    assert fleet.job().phase is JobPhase.RUNNING
    assert (fleet.job().attempts, fleet.job().excused) == (5, 4)
    for _ in range(2):
        fleet.fails(0)
        fleet.carry_out_start()
    assert fleet.job().phase is JobPhase.FAILED, "failures that nothing explains do"


def test_even_faults_of_nodes_end_a_jobs_restarts_at_last(stage):
    fleet = stage(nodes=12, job_restarts=3, breaker_min=50)
    fleet.run_job(1)
    for _ in range(4):
        _xid(fleet, fleet.job().assignment[0])
        fleet.carry_out_stop()
        fleet.carry_out_start()
    assert fleet.job().phase is JobPhase.FAILED
    assert "3 restarts in a row" in fleet.asked(IntentKind.NOTIFY)[-1].notice.what


def test_a_start_that_a_pause_overtook_is_looked_for_before_the_gang_starts_again(stage):
    fleet = stage(nodes=3)
    fleet.submit(1)
    (start,) = fleet.open(IntentKind.START_GANG)
    claimed = replace(start, status=IntentStatus.CLAIMED, lease_until=fleet.now + 120)
    fleet.state.intents[start.id] = claimed  # its executor dies after the task has started, before it could say so
    fleet.tell(Command(Verb.PAUSE))
    fleet.wait(3600)
    assert fleet.job().phase is JobPhase.HELD
    assert not claimable(fleet.state.intents[start.id], fleet.now, at_most_once=False)
    fleet.tell(Command(Verb.RESUME))
    fleet.wait(60)
    assert fleet.job().phase is JobPhase.STOPPING
    assert [item.generation for item in fleet.asked(IntentKind.START_GANG)] == [1]
    (stop,) = fleet.open(IntentKind.STOP_GANG)
    found = fleet.seen("train", 0, TaskStatus.RUNNING)
    fleet.tell(IntentResult(stop.id, True, seen=(found,)))
    assert fleet.job().phase is JobPhase.STOPPING, "the task that it found has not stopped yet"
    fleet.stopped_by_us(0)
    assert [item.generation for item in fleet.asked(IntentKind.START_GANG)] == [1, 2]


def test_nothing_is_moved_off_a_node_that_is_quarantined_while_automatic_action_is_paused(stage):
    fleet = stage(nodes=3)
    fleet.run_job(1)
    fleet.fails(0)
    fleet.tell(Command(Verb.PAUSE))
    fences = len(fleet.asked(IntentKind.FENCE, "A"))
    for _ in range(12):
        fleet.diagnosed("A", Verdict.INCONCLUSIVE)
        fleet.wait(60)
    assert len(fleet.asked(IntentKind.FENCE, "A")) == fences
    assert not fleet.node("A").emptied
