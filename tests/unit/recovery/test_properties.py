"""What holds for every stream: order, repetition and loss change nothing about where the fleet comes to rest."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

from inferfleet.recovery.core.observations import Tick
from inferfleet.recovery.core.record import decide_and_record, replay
from inferfleet.recovery.core.reducer import decide, reduce
from inferfleet.recovery.core.terms import Rung
from inferfleet.recovery.prove.fleets import POLICY
from inferfleet.recovery.prove.search import settle
from inferfleet.recovery.prove.things import Mischief
from inferfleet.recovery.prove.world import World

MISCHIEF = Mischief(faults=2, app_faults=1, crashes=0, losses=0, duplicates=0, kinds=(Rung.REBOOT,))


def _busy_world(choices: list[int]) -> World:
    """A world somewhere in the middle of trouble, with events on their way."""
    world = World.start(POLICY, MISCHIEF, (1, 1, 1, 1), (("j", 2), ("k", 1)))
    for choice in choices:
        steps = [step for step in world.steps() if step[0] not in ("wait", "deliver")]
        if not steps:
            break
        world.take(steps[choice % len(steps)])
    return world


def _rest(world: World) -> tuple:
    """Where a fleet has come to rest, without the histories that tell how it came there."""
    state = world.state
    assert settle(world) == ""
    return (
        tuple(sorted((node.id, node.phase, node.fenced) for node in state.nodes.values())),
        tuple(sorted((job.id, job.phase) for job in state.jobs.values())),
    )


@settings(max_examples=60, deadline=None)
@given(st.lists(st.integers(0, 50), max_size=25), st.randoms(use_true_random=False))
def test_permuted_and_duplicated_streams_end_in_the_same_state(choices, rng):
    one = _busy_world(choices)
    other = one.copy()
    shuffled = [seen for seen in other.events for _ in range(rng.randint(1, 3))]
    rng.shuffle(shuffled)
    for seen in one.events:
        one.tell(seen)
    for seen in shuffled:
        other.tell(seen)
    assert _rest(one) == _rest(other)


@settings(max_examples=60, deadline=None)
@given(st.lists(st.integers(0, 50), max_size=25))
def test_a_stream_that_is_lost_entirely_ends_where_a_delivered_one_does(choices):
    one = _busy_world(choices)
    other = one.copy()
    for seen in one.events:
        one.tell(seen)
    other.events = ()
    assert _rest(one) == _rest(other)


@settings(max_examples=60, deadline=None)
@given(st.lists(st.integers(0, 50), max_size=30))
def test_an_observation_repeated_at_once_asks_for_nothing_more(choices):
    world = _busy_world(choices)
    for seen in world.events:
        world.tell(seen)
        again = decide(world.state, seen, world.now, POLICY)
        assert again.intents == ()


@settings(max_examples=60, deadline=None)
@given(st.lists(st.integers(0, 50), max_size=30))
def test_every_decision_can_be_replayed_from_its_record(choices):
    world = _busy_world(choices)
    for seen in (*world.events, Tick()):
        decision, recorded = decide_and_record(world.state, seen, world.now, POLICY)
        again, same = replay(recorded)
        assert same
        assert again.intents == decision.intents
        world.state.apply(decision.changes)


@settings(max_examples=30, deadline=None)
@given(st.lists(st.integers(0, 50), max_size=20))
def test_the_reducer_leaves_the_state_it_was_given_alone(choices):
    world = _busy_world(choices)
    before = world.key()
    for seen in (*world.events, Tick()):
        reduce(world.state, seen, world.now + 100_000)
    assert world.key() == before
