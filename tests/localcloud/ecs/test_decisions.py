"""The deployment controller's decisions, without any container: whole deployments played in no time."""

from __future__ import annotations

import itertools
import random
from collections.abc import Callable
from dataclasses import dataclass, field, replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from inferfleet.localcloud.ecs import decide
from inferfleet.localcloud.ecs.model import (
    Breaker,
    Deployment,
    Health,
    Phase,
    Rules,
    Service,
    Stage,
    Status,
    Step,
    Strategy,
    Task,
)

TICK_S = 0.5
LONGEST = 2000
BREAKER = Breaker(enabled=True, rollback=True)


@dataclass
class Play:
    """A service whose tasks start, become healthy and stop after random times; a sick revision's never are healthy."""

    service: Service
    sick: frozenset[str] = frozenset()
    random: random.Random = field(default_factory=lambda: random.Random(1))
    now: float = 1000.0
    tasks: dict[str, Task] = field(default_factory=dict)
    due: dict[str, float] = field(default_factory=dict)
    weights: list[float] = field(default_factory=list)
    serving: list[int] = field(default_factory=list)
    live: list[int] = field(default_factory=list)
    flaky: float = 0.0

    def round(self, firing: tuple[str, ...] = ()) -> None:
        """One round of the controller, and the time until the next one."""
        decision = decide.decide(self.service, list(self.tasks.values()), self.now, firing)
        self.service = decision.service
        for stop in decision.stop:
            task = self.tasks[stop.arn]
            self.tasks[stop.arn] = replace(task, phase=Phase.STOPPING)
            self.due[stop.arn] = self.now + self.random.uniform(0, 5)
        for start in decision.start:
            for _ in range(start.count):
                arn = f"task-{len(self.due)}"
                self.tasks[arn] = Task(arn, start.revision, Phase.STARTING, Health.UNKNOWN, self.now)
                self.due[arn] = self.now + self.random.uniform(0, 5)
        self.now += TICK_S
        for arn, task in list(self.tasks.items()):
            if self.due[arn] <= self.now:
                self._advance(task)
        running = [task for task in self.tasks.values() if task.phase is not Phase.STOPPING]
        self.serving.append(sum(task.is_serving for task in running))
        self.live.append(len(running))
        self.weights.append(self.service.deployment.weight)

    def until(self, is_over: Callable[[Service], bool], firing: tuple[str, ...] = ()) -> Deployment:
        for _ in range(LONGEST):
            if is_over(self.service):
                return self.service.deployment
            self.round(firing)
        raise AssertionError(f"still {self.service} with {self.tasks}")

    def decided(self, firing: tuple[str, ...] = ()) -> Deployment:
        return self.until(lambda service: service.deployment.is_over, firing)

    def deploy(self, target: str, source: str | None, rules: Rules) -> None:
        self.service = replace(self.service, deployment=Deployment(target, target, source, rules, self.now))
        self.weights, self.serving, self.live = [], [], []

    def of(self, revision: str) -> int:
        return sum(task.revision == revision for task in self.tasks.values())

    def _advance(self, task: Task) -> None:
        self.due[task.arn] = self.now + self.random.uniform(0, 5)
        if task.phase is Phase.STOPPING:
            del self.tasks[task.arn]
        elif task.phase is Phase.STARTING:
            self.tasks[task.arn] = replace(task, phase=Phase.RUNNING)
        elif task.revision in self.sick:
            self.tasks[task.arn] = replace(task, health=Health.UNHEALTHY, reason="sick")
        elif task.health is Health.HEALTHY and self.random.random() < self.flaky:
            self.tasks[task.arn] = replace(task, health=Health.UNHEALTHY, reason="flaky")
        elif task.health is not Health.HEALTHY:
            self.tasks[task.arn] = replace(task, health=Health.HEALTHY, has_served=True)
            self.service = decide.noted_healthy(self.service, task.revision, self.now)


def play(count: int = 4, *, seed: int = 1, sick: tuple[str, ...] = (), rules: Rules = Rules()) -> Play:  # noqa: B008
    """A service that has come up with revision `v1`."""
    first = Deployment("v1", "v1", None, rules, 0.0, weight=100.0)
    found = Play(Service("web", count, first), frozenset(sick), random.Random(seed))
    assert found.decided().status is Status.SUCCESSFUL
    return found


@settings(max_examples=150, deadline=None)
@given(
    count=st.integers(1, 8),
    minimum=st.sampled_from([0, 50, 100]),
    extra=st.sampled_from([0, 50, 100]),
    seed=st.integers(0, 10**6),
)
def test_a_rolling_update_stays_within_its_percentages_and_comes_to_its_end(count, minimum, extra, seed):
    if (minimum == 100 and extra == 0) or (minimum and count * (100 - minimum) // 100 + count * extra // 100 == 0):
        return  # neither room to start nor leave to stop, which ECS waits on for ever
    rules = Rules(minimum_percent=minimum, maximum_percent=100 + extra)
    game = play(count, seed=seed)
    game.deploy("v2", "v1", rules)
    assert game.decided().status is Status.SUCCESSFUL
    assert game.of("v2") == count == len(game.tasks)
    assert min(game.serving) >= -(-count * minimum // 100)
    assert max(game.live) <= count * (100 + extra) // 100


@settings(max_examples=100, deadline=None)
@given(
    count=st.integers(1, 6),
    seed=st.integers(0, 10**6),
    strategy=st.sampled_from([Strategy.BLUE_GREEN, Strategy.CANARY, Strategy.LINEAR]),
)
def test_shifting_keeps_a_whole_fleet_behind_the_traffic(count, seed, strategy):
    steps = {Strategy.CANARY: (Step(10, 3),), Strategy.LINEAR: (Step(30, 3), Step(60, 3), Step(90, 3))}
    game = play(count, seed=seed)
    game.deploy("v2", "v1", Rules(strategy=strategy, bake_s=5, steps=steps.get(strategy, ())))
    assert game.decided().status is Status.SUCCESSFUL
    assert game.of("v2") == count == len(game.tasks)
    assert min(game.serving) >= count
    passed = list(dict.fromkeys(game.weights))
    assert passed == [0, *(step.percent for step in steps.get(strategy, ())), 100]


@settings(max_examples=100, deadline=None)
@given(count=st.integers(1, 6), seed=st.integers(0, 10**6), strategy=st.sampled_from(list(Strategy)))
def test_a_sick_revision_is_rolled_back_and_the_old_one_never_stops_serving(count, seed, strategy):
    game = play(count, seed=seed, sick=("v2",))
    game.deploy("v2", "v1", Rules(strategy=strategy, breaker=BREAKER))
    ended = game.decided()
    assert ended.status is Status.ROLLBACK_SUCCESSFUL
    assert ended.failures >= BREAKER.threshold(count)
    assert game.of("v1") == count == len(game.tasks)
    assert min(game.serving) >= count
    assert max(game.weights) == 0


@settings(max_examples=100, deadline=None)
@given(count=st.integers(1, 6), seed=st.integers(0, 10**6), strategy=st.sampled_from(list(Strategy)))
def test_tasks_that_fail_for_a_while_neither_stop_a_deployment_nor_go_before_others_serve(count, seed, strategy):
    game = play(count, seed=seed)
    game.deploy("v2", "v1", Rules(strategy=strategy))
    game.flaky = 0.1
    for _ in range(200):
        game.round()
    game.flaky = 0.0
    assert game.until(lambda service: service.is_steady).status is Status.SUCCESSFUL
    assert game.of("v2") == count == len(game.tasks)
    assert min(game.live) >= count


def test_a_failing_task_goes_first_where_there_is_no_room_for_another():
    game = play(2, rules=Rules(minimum_percent=0, maximum_percent=100))
    arn = next(iter(game.tasks))
    game.tasks[arn] = replace(game.tasks[arn], health=Health.UNHEALTHY, has_served=True, reason="failing")
    game.due[arn] = game.now + 1000
    game.until(lambda service: not service.is_steady)
    game.until(lambda service: service.is_steady)
    assert arn not in game.tasks
    assert max(game.live) == 2


def test_without_rollback_a_failed_deployment_leaves_the_old_tasks_and_starts_no_more():
    game = play(2, sick=("v2",))
    game.deploy("v2", "v1", Rules(breaker=Breaker(enabled=True, rollback=False)))
    assert game.decided().status is Status.STOPPED
    for _ in range(50):
        game.round()
    assert game.of("v1") == 2
    assert not game.of("v2")


def test_a_first_deployment_that_fails_has_nothing_to_go_back_to():
    game = Play(Service("web", 1, Deployment("v1", "v1", None, Rules(breaker=BREAKER), 0.0)), frozenset({"v1"}))
    ended = game.decided()
    assert ended.status is Status.ROLLBACK_FAILED
    assert "no completed deployment" in ended.reason


def test_an_alarm_while_it_bakes_gives_the_traffic_back():
    game = play(2)
    rules = Rules(strategy=Strategy.BLUE_GREEN, bake_s=60, alarms=("errors",), alarm_rollback=True)
    game.deploy("v2", "v1", rules)
    baking = game.until(lambda service: service.deployment.stage is Stage.BAKE_TIME)
    assert baking.weight == 100
    ended = game.decided(firing=("errors", "another"))
    assert ended.status is Status.ROLLBACK_SUCCESSFUL
    assert "alarm errors" in ended.reason
    assert game.of("v1") == 2 == len(game.tasks)
    assert game.weights[-1] == 0


def test_an_alarm_that_had_gone_off_before_the_deployment_does_not_fail_it():
    game = play(2)
    game.deploy("v2", "v1", Rules(alarms=("errors",), alarm_rollback=True))
    assert game.decided(firing=("errors",)).status is Status.SUCCESSFUL


def test_without_a_breaker_a_sick_revision_is_tried_less_and_less_often():
    game = play(1, sick=("v2",))
    game.deploy("v2", "v1", Rules())
    starts = []
    for _ in range(600):
        before = game.of("v2")
        game.round()
        if game.of("v2") > before:
            starts.append(game.now)
    gaps = [later - earlier for earlier, later in itertools.pairwise(starts)]
    assert game.service.deployment.status is Status.IN_PROGRESS
    assert gaps[-1] >= 60 > gaps[0]
    assert game.serving[-1] == 1


def test_test_traffic_moves_before_production_traffic():
    game = play(1)
    game.deploy("v2", "v1", Rules(strategy=Strategy.BLUE_GREEN, has_test_traffic=True))
    assert game.decided().test_weight == 100


def test_a_recreating_service_never_runs_two_revisions():
    game = play(1)
    game.deploy("v2", "v1", Rules(minimum_percent=0, maximum_percent=100))
    game.decided()
    assert max(game.live) == 1


@pytest.mark.parametrize(
    ("breaker", "desired", "threshold"),
    [
        (BREAKER, 1, 3),
        (BREAKER, 20, 10),
        (BREAKER, 1000, 200),
        (replace(BREAKER, kind="COUNT", value=5), 100, 5),
        (replace(BREAKER, kind="UNBOUNDED_PERCENT", value=25), 2, 1),
    ],
)
def test_the_breaker_trips_where_ecs_says(breaker, desired, threshold):
    assert breaker.threshold(desired) == threshold


def test_a_newer_deployment_takes_the_place_of_one_under_way():
    game = play(3, sick=("v2",))
    game.deploy("v2", "v1", Rules(strategy=Strategy.BLUE_GREEN))
    for _ in range(20):
        game.round()
    game.deploy("v3", "v1", Rules(strategy=Strategy.BLUE_GREEN))
    assert game.decided().status is Status.SUCCESSFUL
    assert game.of("v3") == 3 == len(game.tasks)
    assert min(game.serving) >= 3


def test_scaling_in_during_a_deployment_is_followed():
    game = play(6)
    game.deploy("v2", "v1", Rules())
    game.round()
    game.service = replace(game.service, desired=2)
    assert game.decided().status is Status.SUCCESSFUL
    assert game.of("v2") == 2 == len(game.tasks)
