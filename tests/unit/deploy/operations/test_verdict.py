from __future__ import annotations

import pytest

from inferfleet.deploy.operations import words
from inferfleet.deploy.operations.follow import choose, line
from inferfleet.deploy.operations.verdict import (
    Outcome,
    Verdict,
    causes,
    exit_code,
    failed_tasks,
    outcome_of,
    reason_of,
)
from tests.unit.deploy.operations.conftest import at

SCALED_IN = "Scaling activity initiated by deployment ecs-svc/123"


@pytest.mark.parametrize(
    ("status", "stage", "outcome"),
    [
        ("SUCCESSFUL", "CLEAN_UP", Outcome.SUCCEEDED),
        ("ROLLBACK_SUCCESSFUL", "", Outcome.ROLLED_BACK),
        ("ROLLBACK_FAILED", "", Outcome.FAILED),
        ("STOPPED", "", Outcome.STOPPED),
        ("IN_PROGRESS", "BAKE_TIME", Outcome.BAKING),
        ("IN_PROGRESS", "SCALE_UP", Outcome.RUNNING),
        ("ROLLBACK_IN_PROGRESS", "BAKE_TIME", Outcome.RUNNING),
    ],
)
def test_the_outcome_is_what_ecs_says_and_not_that_tasks_are_stable(deployment, status, stage, outcome):
    assert outcome_of(deployment(status=status, stage=stage)) is outcome


def test_tasks_that_were_only_scaled_in_did_not_fail(task):
    crashed = task("a", exit_code=1, reason="Essential container in task exited", stopped=at(1))
    surplus = task("b", exit_code=143, reason=SCALED_IN, stopped=at(2))
    stopped_by_hand = task("c", exit_code=0, reason="stopped by me", stop_code="UserInitiated", stopped=at(2))
    old = task("d", version="api-task:1", exit_code=1, reason="Essential container in task exited", stopped=at(2))
    assert failed_tasks([crashed, surplus, stopped_by_hand, old, task("e")], "api-task:2") == [crashed]


def test_tasks_that_ended_alike_are_one_cause_with_the_output_of_one(task):
    reason = "Task {} failed container health checks"
    failed = [task(name, exit_code=137, reason=reason.format(name), stopped=at(1)) for name in ("aa", "bb", "cc")]
    other = task("dd", exit_code=1, reason="Essential container in task exited", stopped=at(2))
    found = causes([*failed, other], {"bb": ["loading", "no such file: model.onnx"]})
    assert [(cause.times, cause.lines) for cause in found] == [(3, ("loading", "no such file: model.onnx")), (1, ())]
    assert "exit code 137 (killed: out of memory, or not stopped in time)" in found[0].exits[0]


def test_a_rollback_is_told_with_its_task_its_exit_code_and_its_last_lines(task, deployment):
    failed = [task("aa", exit_code=1, reason="Essential container in task exited", stopped=at(1))]
    rolled = deployment(
        status="ROLLBACK_SUCCESSFUL", breaker="TRIGGERED", failures=3, rollback_reason="too many failures"
    )
    verdict = Verdict(
        "api-service",
        Outcome.ROLLED_BACK,
        "one",
        "api-task:2",
        reason_of(rolled),
        causes(failed, {"aa": ["KeyError: 'x'"]}),
    )
    text = words.verdict(verdict)
    assert text.startswith("api-service (api-task:2): rolled back\n")
    for part in ("too many failures", "3 of 3 failures", "task aa stopped", "exit code 1", "| KeyError: 'x'"):
        assert part in text
    assert exit_code([verdict]) == 1


@pytest.mark.parametrize(
    ("outcomes", "code"),
    [
        ((Outcome.SUCCEEDED, Outcome.UNCHANGED), 0),
        ((Outcome.SUCCEEDED, Outcome.ROLLED_BACK), 1),
        ((Outcome.BAKING, Outcome.SUCCEEDED), 4),
        ((Outcome.BAKING, Outcome.FAILED), 1),
    ],
)
def test_the_exit_code_says_the_same_as_the_verdicts(outcomes, code):
    assert exit_code(Verdict("api", outcome) for outcome in outcomes) == code


def test_a_failure_decides_even_if_the_old_version_was_deployed_again_after_it(deployment):
    failed = deployment(arn="a/failed", status="ROLLBACK_SUCCESSFUL", created_at=at(1))
    put_back = deployment(arn="a/put-back", status="SUCCESSFUL", created_at=at(5))
    assert choose([put_back, failed], since=at(0)) == failed


def test_a_deployment_from_before_counts_only_while_it_is_open(deployment):
    assert choose([deployment(created_at=at(-60))], since=at(0)) is None
    still = deployment(created_at=at(-60), status="IN_PROGRESS")
    assert choose([still], since=at(0)) == still


def test_without_a_beginning_the_newest_counts(deployment):
    newest = deployment(arn="a/newest", created_at=at(9))
    assert choose([deployment(status="ROLLBACK_SUCCESSFUL"), newest], since=None) == newest
    assert choose([], since=None) is None


def test_progress_names_version_stage_tasks_and_traffic(deployment):
    shifting = deployment(
        status="IN_PROGRESS",
        stage="PRODUCTION_TRAFFIC_SHIFT",
        strategy="CANARY",
        running=2,
        pending=1,
        requested=3,
        traffic=10.0,
    )
    text = line(shifting, "api-task:4", Outcome.RUNNING)
    assert (
        text == "api-task:4 · in progress · production traffic shift · 2/3 new tasks run, 1 start · 10% of the traffic"
    )
