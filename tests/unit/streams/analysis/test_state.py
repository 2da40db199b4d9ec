"""Stopping and going on: the events depend on the frames alone, wherever the analysis was saved and restored."""

from __future__ import annotations

from dataclasses import replace

import msgspec
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from inferfleet.streams.event import encode, event_id
from inferfleet.vision.types import Text

SCENE = {
    "zones": {
        "right": {
            "polygon": [(0.5, 0), (1, 0), (1, 1), (0.5, 1)],
            "events": ["enter", "leave", "dwell", "count"],
            "dwell": 1,
        },
        "mid": {"polygon": [(300, 100), (700, 100), (500, 450)], "match": "overlap", "min_overlap": 0.3},
    },
    "lines": {"door": {"points": [(0.4, 0), (0.4, 1)]}, "fixed": {"points": [(600, 0), (600, 500)]}},
    "steps": [{"detect": {}}, {"read_text": {"every": 1, "votes": 2, "min_height": 30}}],
    "tracking": {"max_gap": 0.6},
    "cooldown": 1.5,
}


def reader(crop):
    """Reads what the crop shows: nothing but its place and size."""
    value = f"{crop.shape[0] // 8}{crop[0, 0, 0] // 16}"
    return [Text(value, 0.9, np.zeros((4, 2), np.float32))]


def a_life(seed, length, thing):
    """Frames of a busy, imperfect scene: times, sizes, and what is found."""
    dice = np.random.default_rng(seed)
    place, speed = dice.uniform((0, 100), (1000, 500), (6, 2)), dice.normal(0, 25, (6, 2))
    kinds = ["car", "person", "truck", "car", "person", "bicycle"]
    at, scale = 0.0, 1
    for n in range(length):
        place += speed
        speed = np.where((place < (0, 100)) | (place > (1000, 500)), -speed, speed)
        at = max(0, at + float(dice.choice([0.1, 0.1, 0.1, 0.4, 0, -0.05, -3 if n % 17 == 0 else 0.1])))
        scale = 2 if n % 40 > 30 else 1
        shown = [
            thing(x * scale, y * scale, kind, 60 * scale, 90 * scale, float(dice.uniform(0.1, 1)))
            for (x, y), kind in zip(place + dice.normal(0, 2, place.shape), kinds, strict=True)
            if dice.random() < 0.8
        ]
        yield at, (1000 * scale, 500 * scale), shown


def run(camera, life, cuts=()):
    """All events of a life, as bytes; at each cut the analysis is replaced by a new one that takes over its state."""
    lines = []
    for n, (at, size, shown) in enumerate(life):
        if n in cuts:
            state = camera.analysis.state()
            camera.analysis = camera.fresh()
            assert camera.analysis.restore(state)
            assert camera.analysis.state() == state
        camera.size = size
        outcome = camera.show(*shown, at=at)
        lines += [encode(event) for event in outcome.events] + [repr(outcome.tracks).encode()]
    camera.finish()
    return lines, camera


@settings(deadline=None, max_examples=30)
@given(seed=st.integers(0, 10_000), cuts=st.sets(st.integers(0, 79), max_size=80))
def test_going_on_from_a_saved_state_gives_the_same_events_to_the_byte(stage, thing, seed, cuts):
    life = list(a_life(seed, 80, thing))
    whole, undisturbed = run(stage(reader=reader, **SCENE), life)
    cut, restored = run(stage(reader=reader, **SCENE), life, cuts)
    assert cut == whole
    assert restored.analysis.state() == undisturbed.analysis.state()


def test_a_busy_scene_makes_events_of_all_kinds_with_ids_of_their_own(stage, thing):
    _, camera = run(stage(reader=reader, **SCENE), a_life(1, 400, thing))
    assert set(camera.kinds) == {
        "detection",
        "zone.enter",
        "zone.leave",
        "zone.dwell",
        "zone.count",
        "line.cross",
        "text",
    }
    assert len({event.id for event in camera.events}) == len(camera.events)


def test_ids_are_those_of_the_contract(stage, thing):
    camera = stage(zones={"all": {"polygon": [(0, 0), (1, 0), (1, 1), (0, 1)], "events": ["enter", "count"]}})
    camera.play([[thing(300, 300)]] * 3)
    track = camera.events[0].data.track
    assert [event.id for event in camera.events] == [
        event_id("gate", "pts:2", "detection", track),
        event_id("gate", "pts:2", "zone.enter:all", track),
        event_id("gate", "pts:2", "zone.count:all", ""),
    ]


def test_saving_does_not_disturb(stage, thing):
    life = list(a_life(3, 60, thing))
    plain, _ = run(stage(reader=reader, **SCENE), life)
    camera = stage(reader=reader, **SCENE)
    lines = []
    for at, size, shown in life:
        camera.size = size
        camera.analysis.state()
        outcome = camera.show(*shown, at=at)
        lines += [encode(event) for event in outcome.events] + [repr(outcome.tracks).encode()]
        camera.analysis.state()
    assert lines == plain


def test_a_fresh_analysis_can_be_saved_and_restored(stage, thing):
    camera = stage()
    state = camera.analysis.state()
    assert camera.analysis.restore(state)
    camera.play([[thing(300, 300)]] * 3)
    assert camera.kinds == ["detection"]


@pytest.mark.parametrize(
    "change",
    [
        {"cooldown": 2},
        {"zones": {"right": {"polygon": [(0.4, 0), (1, 0), (1, 1)]}}},
        {"id": "yard"},
        {"confirm": {"frames": 2, "within": 5}},
    ],
)
def test_a_state_of_another_configuration_is_not_taken_over_and_this_is_said(stage, thing, change, capsys):
    old, new = stage(), stage(**change)
    old.play([[thing(300, 300)]] * 5)
    assert not new.analysis.restore(old.analysis.state())
    assert "configuration or its model has changed" in capsys.readouterr().out
    new.play([[thing(300, 300)]] * 5)
    assert new.kinds[0] == "detection"


def test_what_does_not_concern_the_analysis_does_not_cost_the_state(stage, thing):
    old, new = stage(), stage(mode="live", queue=99)
    old.play([[thing(300, 300)]] * 5)
    assert new.analysis.restore(old.analysis.state())
    new.number = old.number
    new.play([[thing(300, 300)]] * 5)
    assert new.events == []


def test_a_state_of_another_model_is_not_taken_over(stage, thing):
    old, new = stage(), stage()
    new.models["street"] = replace(new.models["street"], digest="b" * 64)
    new.analysis = new.fresh()
    assert not new.analysis.restore(old.analysis.state())


@pytest.mark.parametrize("damage", [b"", b"nonsense", b"\x80", b"\xff" * 40])
def test_a_damaged_state_is_not_taken_over_and_this_is_said(stage, damage, capsys):
    assert not stage().analysis.restore(damage)
    assert "cannot be read" in capsys.readouterr().out


def test_a_truncated_state_is_not_taken_over(stage, thing):
    camera = stage()
    camera.play([[thing(300, 300)]] * 5)
    state = camera.analysis.state()
    for length in range(0, len(state), 7):
        assert not stage().analysis.restore(state[:length])


def test_a_state_of_another_version_is_not_taken_over_and_this_is_said(stage, capsys):
    camera = stage()
    state = msgspec.msgpack.decode(camera.analysis.state())
    assert not camera.analysis.restore(msgspec.msgpack.encode({**state, "version": 99}))
    assert "version 99" in capsys.readouterr().out


def test_restoring_forgets_what_was_known_before(stage, thing):
    camera = stage()
    empty = camera.analysis.state()
    camera.play([[thing(300, 300)]] * 5)
    camera.analysis.restore(empty)
    assert camera.analysis.state() == empty
