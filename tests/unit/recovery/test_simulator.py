"""The simulator: what it promises for a small fleet, that it repeats itself, and that its judge can find fault."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest

from inferfleet.recovery.core.policy import Policy
from inferfleet.recovery.simulator import profile as profiles
from inferfleet.recovery.simulator.brain import Brain
from inferfleet.recovery.simulator.html import page
from inferfleet.recovery.simulator.run import Settings, simulate


@pytest.fixture
def hectic(monkeypatch):
    """Llama 3's causes at twenty times the rate, with spare nodes to match, so that a small fleet sees all of them."""
    base = profiles.PROFILES["llama3"]
    monkeypatch.setitem(profiles.PROFILES, "hectic", replace(base, name="hectic", rate=20.0, spare_share=0.25))
    return "hectic"


@pytest.mark.parametrize("lost", [0.0, 0.3, 1.0])
def test_no_limit_is_broken_whatever_share_of_the_events_is_lost(hectic, lost):
    outcome = simulate(Settings(nodes=48, days=6, seed=3, profile=hectic, events_lost=lost))
    assert outcome.faults > 20
    assert outcome.broken == {}
    assert outcome.false_reboots == 0
    assert outcome.effective_share > 0.9
    assert (outcome.events_lost == outcome.events) is (lost == 1.0)


def test_the_same_seed_gives_the_same_run_and_another_seed_another(hectic):
    def run(seed: int) -> dict:
        summary = simulate(Settings(nodes=24, days=2, seed=seed, profile=hectic)).summary()
        del summary["wall_seconds"], summary["settings"]
        return summary

    assert run(1) == run(1)
    assert run(1) != run(2)


def test_without_budgets_a_storm_is_stopped_by_the_breaker_and_people_are_told():
    outcome = simulate(Settings(nodes=64, days=8, seed=2, profile="storm", policy=Policy(breaker_share=0.03)))
    assert outcome.broken == {}
    assert any("automatic recovery has stopped" in call for call in outcome.calls)


def test_the_judge_notices_a_false_reboot(hectic, monkeypatch):
    def careless(self, intent):
        item = self.cloud.instances[intent.node]
        item.sick = item.sick.__class__(0)
        return real(self, intent)

    real = Brain._reboot
    monkeypatch.setattr(Brain, "_reboot", careless)
    assert simulate(Settings(nodes=32, days=4, seed=3, profile=hectic)).false_reboots > 0


def test_the_report_is_one_page_with_its_figures_and_plots(hectic):
    outcome = simulate(Settings(nodes=24, days=3, seed=1, profile=hectic))
    html = page(outcome)
    assert f"{outcome.effective_share:.2%}" in html
    assert html.count("<svg") >= 2
    assert "http" not in html.split("</style>")[1], "it needs nothing from elsewhere"
    assert json.dumps(outcome.summary())


def test_resets_are_tried_before_reboots_where_they_are_allowed(hectic):
    without = simulate(Settings(nodes=48, days=6, seed=3, profile=hectic))
    allowed = simulate(Settings(nodes=48, days=6, seed=3, profile=hectic, policy=Policy(allow_reset=True)))
    assert allowed.broken == {}
    assert allowed.jobs_lost == 0
    assert allowed.reboots < without.reboots


@pytest.mark.parametrize(
    ("settings", "problem"),
    [({"profile": "doom"}, "llama3"), ({"events_lost": 2.0}, "events_lost"), ({"nodes": 1}, "at least 2 nodes")],
)
def test_settings_that_make_no_sense_are_refused(settings, problem):
    with pytest.raises(ValueError, match=problem):
        Settings(**settings)
