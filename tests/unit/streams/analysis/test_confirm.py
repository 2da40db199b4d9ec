"""When an object is believed, and when an event may come again."""

from __future__ import annotations

import pytest

RIGHT_HALF = [(0.5, 0), (1, 0), (1, 1), (0.5, 1)]


def shown(pattern, thing):
    """One frame for each character: `x` with the object, anything else without."""
    return [[thing(300, 300)] if mark == "x" else [] for mark in pattern]


@pytest.mark.parametrize(
    ("confirm", "pattern", "confirmed_at"),
    [
        ((1, 1), "x", 0),
        ((3, 5), "xxx", 2),
        ((3, 5), "x.x.x", 4),
        ((3, 5), "x..x.x", None),
        ((3, 5), "x..x.xx", 6),
        ((3, 3), "xx.xx.xx.xx", None),
        ((3, 3), "xx.xxx", 5),
        ((5, 8), "x.x.x.x.x.x.x", None),
        ((5, 8), "xx.xx.x", 6),
    ],
)
def test_so_many_of_the_last_frames_must_show_the_object(stage, thing, confirm, pattern, confirmed_at):
    camera = stage(confirm={"frames": confirm[0], "within": confirm[1]})
    camera.play(shown(pattern, thing))
    assert [event.data.position.frame for event in camera.events] == ([] if confirmed_at is None else [confirmed_at])


def test_a_confirmed_object_stays_confirmed_while_its_track_lives(stage, thing):
    camera = stage(tracking={"max_gap": 2})
    camera.play(shown("xxx" + ("." * 15 + "x") * 4, thing))
    assert camera.kinds == ["detection"]


def test_noise_in_many_places_is_never_believed(stage, thing):
    camera = stage()
    camera.play([[thing(100 + 137 * (7 * n % 6), 150 + 60 * (5 * n % 7), width=40, height=50)] for n in range(80)])
    assert camera.events == []


def test_the_event_tells_what_the_confirming_frame_shows(stage, thing):
    camera = stage()
    camera.play([[thing(100 + 10 * n, 300, score=0.5 + n / 100)] for n in range(6)])
    (event,) = camera.events
    assert event.time == "2026-01-31T08:30:00.200000Z"
    assert event.source == "/cameras/gate"
    assert event.subject == "gate"
    assert event.data.confidence == 0.52
    assert event.data.box == (90, 200, 150, 300)
    assert event.data.box_fraction == (0.09, 0.4, 0.15, 0.6)
    assert event.data.frame_size == (1000, 500)
    assert (event.data.model.name, event.data.model.digest) == ("street", "a" * 64)
    assert event.data.worker == "inferfleet/test"


def test_without_a_cooldown_an_object_that_returns_is_another(stage, thing):
    camera = stage(tracking={"max_gap": 1})
    camera.play(shown("xxxxx" + "." * 20 + "xxxxx", thing))
    assert camera.kinds == ["detection", "detection"]


def test_an_object_that_returns_to_its_place_within_the_cooldown_is_the_same(stage, thing):
    camera = stage(tracking={"max_gap": 1}, cooldown=10)
    camera.play(shown("xxxxx" + "." * 20, thing))
    first = camera.events[0].data.track
    camera.play(shown("xxxxx", thing))
    assert camera.kinds == ["detection"]
    assert camera.show(thing(300, 300)).tracks[0].id == first


def test_an_object_that_returns_after_the_cooldown_is_another(stage, thing):
    camera = stage(tracking={"max_gap": 1}, cooldown=3)
    camera.play(shown("xxxxx" + "." * 60 + "xxxxx", thing))
    assert camera.kinds == ["detection", "detection"]


@pytest.mark.parametrize("other", [{"x": 600, "y": 300}, {"x": 300, "y": 300, "label": "person"}])
def test_an_object_elsewhere_or_of_another_class_is_another_within_the_cooldown_too(stage, thing, other):
    camera = stage(tracking={"max_gap": 1}, cooldown=10)
    camera.play(shown("xxxxx" + "." * 20, thing))
    camera.play([[thing(**other)]] * 5)
    assert camera.kinds == ["detection", "detection"]


def test_two_objects_at_the_place_of_one_that_left_are_one_old_and_one_new(stage, thing):
    camera = stage(tracking={"max_gap": 1}, cooldown=10)
    camera.play(shown("xxxxx" + "." * 20, thing))
    camera.play([[thing(295, 300), thing(335, 300)]] * 5)
    assert camera.kinds == ["detection", "detection"]
    assert len({event.data.track for event in camera.events}) == 2


def test_an_object_that_returned_and_left_again_can_be_taken_up_once_only(stage, thing):
    camera = stage(tracking={"max_gap": 1}, cooldown=10)
    camera.play(shown("xxxxx" + "." * 20 + "xxxxx" + "." * 20, thing))
    camera.play([[thing(285, 300), thing(325, 300)]] * 5)
    assert camera.kinds == ["detection", "detection"]
    assert len({view.id for view in camera.show(thing(285, 300), thing(325, 300)).tracks}) == 2


def test_a_tentative_track_is_forgotten_when_it_cannot_be_confirmed_any_more(stage, thing):
    camera = stage(confirm={"frames": 2, "within": 3}, tracking={"max_gap": 10})
    (first,) = camera.show(thing(300, 300)).tracks
    camera.play([[]] * 3)
    (second,) = camera.show(thing(300, 300)).tracks
    assert first.id != second.id


def test_noise_at_the_place_does_not_use_up_the_return(stage, thing):
    camera = stage(tracking={"max_gap": 1}, cooldown=10)
    camera.play(shown("xxxxx" + "." * 20 + "x" + "." * 20 + "xxxxx", thing))
    assert camera.kinds == ["detection"]


def test_the_cooldown_limits_entering_again(stage, thing):
    zones = {"right": {"polygon": RIGHT_HALF, "events": ["enter"]}}
    there_and_back = [[thing(485, 300)]] * 5 + [[thing(525, 300)]] * 5
    often, seldom = stage(zones=zones), stage(zones=zones, cooldown=3.5)
    for camera in (often, seldom):
        camera.play(there_and_back * 10)
    assert len(often.of("zone.enter")) == 10
    frames = [event.data.position.frame for event in seldom.of("zone.enter")]
    assert frames == [5, 45, 85]


def test_the_cooldown_limits_crossing_again(stage, thing):
    camera = stage(lines={"door": {"points": [(500, 0), (500, 500)]}}, cooldown=3.5)
    camera.play(([[thing(485, 300)]] * 5 + [[thing(525, 300)]] * 5) * 10)
    assert [event.data.position.frame for event in camera.of("line.cross")] == [5, 40, 75]


def test_the_cooldown_of_one_zone_or_track_is_not_that_of_another(stage, thing):
    halves = {"right": {"polygon": RIGHT_HALF}, "left": {"polygon": [(0, 0), (0.5, 0), (0.5, 1), (0, 1)]}}
    camera = stage(zones=halves, cooldown=60)
    for x in range(300, 700, 10):
        camera.show(thing(x, 200), thing(1000 - x, 450))
    assert sorted(camera.kinds) == ["detection"] * 2 + ["zone.enter"] * 4 + ["zone.leave"] * 2


def test_entering_again_after_a_return_is_limited_too(stage, thing):
    camera = stage(zones={"right": {"polygon": RIGHT_HALF}}, tracking={"max_gap": 1}, cooldown=30)
    camera.play(([[thing(700, 300)]] * 10 + [[]] * 15) * 5)
    assert camera.kinds == ["detection", "zone.enter", "zone.leave"]
