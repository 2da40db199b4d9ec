"""The exhaustive search, to the depth that a test run has time for; `make prove-recovery` goes further."""

from __future__ import annotations

from dataclasses import replace

import pytest

from inferfleet.recovery.core import jobs, nodes, occupancy, tasks
from inferfleet.recovery.core.terms import JobPhase, StopCause
from inferfleet.recovery.prove.__main__ import main
from inferfleet.recovery.prove.fleets import FLEETS
from inferfleet.recovery.prove.search import explore, walk
from inferfleet.recovery.prove.things import Violation


@pytest.mark.parametrize("name", FLEETS)
def test_no_interleaving_breaks_an_invariant(name):
    fleet = FLEETS[name]
    found = explore(fleet.make, depth=6)
    assert found.violations == []
    assert found.complete
    assert found.states > 800
    assert found.settled > 10


@pytest.mark.parametrize("name", FLEETS)
def test_long_random_walks_break_no_invariant_and_come_to_rest(name):
    found = walk(FLEETS[name].make, walks=15, length=120, seed=7)
    assert found.violations == []
    assert found.settled == 15


def test_the_search_prints_its_states_and_violations(capsys):
    assert main(["--depth", "4", "--walks", "2", "--fleet", "one"]) == 0
    out = capsys.readouterr().out
    assert "states explored" in out
    assert "violations: 0" in out


# A proof that cannot fail proves nothing: each of these breaks a rule on purpose, and the search has to notice.


def test_the_search_notices_a_gang_started_before_the_old_one_has_stopped(monkeypatch):
    def hasty(draft, job):
        job = draft.job(job.id)
        if job.phase is JobPhase.STOPPING:
            jobs.wait(draft, job)

    monkeypatch.setattr(jobs, "finish_stop", hasty)
    found = walk(FLEETS["gang"].make, walks=60, length=60, seed=1)
    assert any("two gangs" in text for text, _ in found.violations)


def test_the_search_notices_a_users_stop_that_is_ignored(monkeypatch):
    real = tasks._on_stopped

    def deaf(draft, job, task):
        real(draft, job, replace(task, cause=StopCause.FAILED) if task.cause is StopCause.USER else task)

    monkeypatch.setattr(tasks, "_on_stopped", deaf)
    found = walk(FLEETS["user"].make, walks=40, length=60, seed=1)
    assert any("stopped by its user" in text for text, _ in found.violations)


def test_the_search_notices_a_node_returned_without_a_diagnosis_of_its_boot(monkeypatch):
    def trusting(draft, node, boot, *, connected, was_away):
        if node.phase == "rebooting" and connected:
            nodes._release(draft, node, "it is ACTIVE")

    monkeypatch.setattr(nodes, "on_boot", trusting)
    found = walk(FLEETS["one"].make, walks=40, length=80, seed=1)
    assert any("without a passing diagnosis" in text for text, _ in found.violations)


def test_the_search_notices_a_reboot_under_a_running_job(monkeypatch):
    everything = lambda draft, node: tuple(task.id for task in draft.live_on(node.id))  # noqa: E731
    monkeypatch.setattr(occupancy, "tasks_that_may_die", everything)
    world = FLEETS["shared"].make()
    for job in ("a", "b"):
        for step in (("claim", f"start-gang:{job}:1"), ("work", "0"), ("work", "0")):
            world.take(step)
    world.reconcile()
    world.take(("report", "a/1/0"))
    world.take(("deliver", str(len(world.events) - 1)))
    world.take(("claim", world.state.nodes["n0"].request))
    with pytest.raises(Violation, match="rebooted under b/1/0"):
        world.take(("work", "0"))


def test_the_search_notices_a_budget_that_is_not_charged(monkeypatch):
    monkeypatch.setattr(nodes, "budget_refusal", lambda *given: "")
    found = walk(FLEETS["tight"].make, walks=150, length=120, seed=5)
    assert any("in repair" in text or "reboots" in text for text, _ in found.violations)


def test_the_search_notices_recovery_that_hangs_when_events_are_lost(monkeypatch):
    monkeypatch.setattr(nodes, "retry_examination", lambda draft, node: None)
    monkeypatch.setattr(nodes, "_inconclusive", lambda draft, node, why: None)
    found = explore(FLEETS["one"].make, depth=8, settle_every=5)
    found.violations += walk(FLEETS["one"].make, walks=40, length=80, seed=2).violations
    assert any("not at rest" in text for text, _ in found.violations)
