"""Presence in zones: what of a box must be inside, and what happens at the border."""

from __future__ import annotations

import math

import numpy as np
import pytest
import shapely
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from inferfleet.config.cameras import Zone
from inferfleet.streams.analysis.coverage import Coverage
from inferfleet.streams.analysis.zones import Regions, area_of

RIGHT_HALF = [(0.5, 0), (1, 0), (1, 1), (0.5, 1)]
ALL_EVENTS = ["enter", "leave", "dwell", "count"]
SIZE = (1000, 500)


def located(box, size=SIZE, inside=False, **zone):
    regions = Regions({"zone": Zone.model_validate({"polygon": RIGHT_HALF, **zone})}, size)
    return bool(regions.locate(np.array([box], np.float64), ["car"], np.array([[inside]]))[0, 0])


@pytest.mark.parametrize(
    ("match", "touching", "half", "mostly", "within"),
    [
        ("any", True, True, True, True),
        ("center", False, True, True, True),
        ("foot", False, True, True, True),
        ("overlap", False, False, True, True),
        ("all", False, False, False, True),
    ],
)
def test_what_of_a_box_must_be_inside(match, touching, half, mostly, within):
    boxes = [(410, 100, 510, 200), (450, 100, 550, 200), (480, 100, 580, 200), (500, 100, 600, 200)]
    found = [located(box, match=match, min_overlap=0.6) for box in boxes]
    assert found == [touching, half, mostly, within]


def test_foot_and_center_differ_for_a_tall_box():
    floor = [(0, 0.6), (1, 0.6), (1, 1), (0, 1)]
    standing = (100, 150, 160, 400)
    assert located(standing, polygon=floor, match="foot")
    assert not located(standing, polygon=floor, match="center")


def test_an_object_at_the_lower_edge_of_the_picture_stands_in_a_zone_that_reaches_it():
    assert located((600, 300, 660, 500), match="foot")


@pytest.mark.parametrize("match", ["foot", "center", "any", "overlap", "all"])
def test_a_concave_zone_does_not_hold_what_is_in_its_bay(match):
    horseshoe = [(0, 0), (1000, 0), (1000, 500), (700, 500), (700, 100), (300, 100), (300, 500), (0, 500)]
    assert not located((480, 300, 520, 340), polygon=horseshoe, match=match)
    assert located((100, 300, 140, 340), polygon=horseshoe, match=match)


def test_pixels_stay_and_fractions_grow_with_the_picture():
    box = (600, 100, 700, 200)
    assert located(box, polygon=[(500, 0), (1000, 0), (1000, 500), (500, 500)], size=(2000, 1000))
    assert not located(box, polygon=RIGHT_HALF, size=(2000, 1000))


def test_a_polygon_that_crosses_itself_is_what_it_encloses():
    tie = [(0, 0), (1000, 500), (1000, 0), (0, 400)]
    assert located((100, 100, 160, 200), polygon=tie, match="center")
    assert located((800, 150, 860, 250), polygon=tie, match="center")
    assert not located((450, 400, 470, 480), polygon=tie, match="any")


def test_an_overlap_of_nothing_is_none_even_where_none_is_needed():
    assert not located((300, 100, 500, 200), match="overlap", min_overlap=0)
    assert located((300, 100, 501, 200), match="overlap", min_overlap=0)


@pytest.mark.parametrize("match", ["foot", "center", "any", "overlap", "all"])
def test_the_slack_holds_what_is_inside_but_takes_nothing_in(match):
    edge = {"any": 400, "center": 450, "foot": 450, "overlap": 450, "all": 500}[match]
    a_little_out, clearly_out = (edge - 3, 100, edge + 97, 200), (edge - 30, 100, edge + 70, 200)
    assert not located(a_little_out, match=match)
    assert located(a_little_out, match=match, inside=True)
    assert not located(clearly_out, match=match, inside=True)


def test_many_zones_of_all_kinds_are_told_apart():
    boxes = np.array([(450, 100, 550, 200), (700, 100, 800, 200), (100, 100, 200, 200)], np.float64)
    zones = {
        f"{match}-{side}": Zone.model_validate({"polygon": polygon, "match": match})
        for side, polygon in (("right", RIGHT_HALF), ("left", [(0, 0), (0.5, 0), (0.5, 1), (0, 1)]))
        for match in ("all", "any", "center", "foot", "overlap")
    }
    held = Regions(zones, SIZE).locate(boxes, ["car"] * 3, np.zeros((10, 3), np.bool_))
    for (name, zone), row in zip(zones.items(), held, strict=True):
        alone = Regions({name: zone}, SIZE).locate(boxes, ["car"] * 3, np.zeros((1, 3), np.bool_))
        assert row.tolist() == alone[0].tolist()
        assert row[1:].tolist() == ([True, False] if name.endswith("right") else [False, True])


coordinates = st.integers(0, 100).map(float)
polygons = st.lists(st.tuples(coordinates, coordinates), min_size=3, max_size=9)


@settings(deadline=None)
@given(polygons, coordinates, coordinates, st.floats(0.1, 100), st.floats(0.1, 100))
def test_the_shared_area_is_what_a_geometry_library_says(points, x, y, width, height):
    assume(shapely.Polygon(points).area > 0 and shapely.make_valid(shapely.Polygon(points)).area > 0)
    shape = area_of(points)
    expected = shapely.intersection(shape, shapely.box(x, y, x + width, y + height)).area
    shared = Coverage(np.array([shape, shape]))
    assert shared.areas(np.array([(x, y, x + width, y + height)])) == pytest.approx(expected, rel=1e-6, abs=1e-6)


def test_a_way_through_a_zone_is_one_enter_and_one_leave(stage, thing):
    camera = stage(zones={"mid": {"polygon": [(0.4, 0), (0.6, 0), (0.6, 1), (0.4, 1)]}})
    camera.play([[thing(50 + 10 * n, 300)] for n in range(90)])
    assert camera.kinds == ["detection", "zone.enter", "zone.leave"]
    enter, leave = camera.of("zone.enter")[0].data, camera.of("zone.leave")[0].data
    assert (enter.zone, leave.zone) == ("mid", "mid")
    assert enter.track == leave.track
    assert enter.position.frame == 35
    assert leave.dwell_seconds == pytest.approx((leave.position.frame - 35) / 10)


def test_an_object_that_trembles_at_the_border_enters_once(stage, thing):
    camera, dice = stage(zones={"right": {"polygon": RIGHT_HALF}}), np.random.default_rng(1)
    camera.play([[thing(500 + dice.uniform(-3.5, 3.5), 300 + dice.uniform(-3, 3))] for _ in range(200)])
    assert camera.kinds.count("zone.enter") == 1
    assert camera.kinds.count("zone.leave") == 0


def test_an_object_that_is_there_from_the_first_frame_enters_when_it_is_confirmed(stage, thing):
    camera = stage(zones={"right": {"polygon": RIGHT_HALF, "events": ALL_EVENTS, "dwell": 1}})
    camera.play([[thing(700, 300)]] * 20)
    assert camera.kinds == ["detection", "zone.enter", "zone.count", "zone.dwell"]
    assert camera.of("zone.enter")[0].data.position.frame == 2
    assert camera.of("zone.dwell")[0].data.dwell_seconds == 1.0


def test_dwell_comes_once_in_a_stay(stage, thing):
    camera = stage(zones={"right": {"polygon": RIGHT_HALF, "events": ["dwell"], "dwell": 1}})
    inside, outside = [thing(525, 300)], [thing(485, 300)]
    camera.play([inside] * 40 + [outside] * 10 + [inside] * 40)
    assert camera.kinds == ["detection", "zone.dwell", "zone.dwell"]


def test_dwell_is_measured_in_capture_time(stage, thing):
    camera = stage(rate=2, zones={"right": {"polygon": RIGHT_HALF, "events": ["dwell"], "dwell": 3}})
    camera.play([[thing(560, 300)]] * 10)
    assert camera.of("zone.dwell")[0].data.position.frame == 6


def test_a_short_occlusion_does_not_break_a_stay(stage, thing):
    camera = stage(zones={"right": {"polygon": RIGHT_HALF, "events": ["enter", "leave", "dwell"], "dwell": 3}})
    camera.play([[thing(700, 300)]] * 10 + [[]] * 15 + [[thing(700, 300)]] * 15)
    assert camera.kinds == ["detection", "zone.enter", "zone.dwell"]


def test_a_track_that_ends_in_a_zone_leaves_it_where_and_when_it_was_last_seen(stage, thing):
    camera = stage(zones={"right": {"polygon": RIGHT_HALF, "events": ALL_EVENTS, "dwell": 100}})
    camera.play([[thing(700, 300)]] * 10 + [[]] * 30)
    leave, last_count = camera.of("zone.leave")[0], camera.of("zone.count")[-1]
    assert leave.data.position.frame == 9
    assert leave.time == "2026-01-31T08:30:00.900000Z"
    assert leave.data.dwell_seconds == pytest.approx(0.9)
    assert leave.data.box == (670, 200, 730, 300)
    assert last_count.data.count == 0
    assert last_count.data.position.frame == 30


def test_a_source_that_ends_lets_all_leave(stage, thing):
    camera = stage(zones={"right": {"polygon": RIGHT_HALF}})
    camera.play([[thing(700, 300), thing(800, 300), thing(100, 300)]] * 5)
    camera.finish()
    assert len(camera.of("zone.leave")) == 2
    camera.finish()
    assert len(camera.of("zone.leave")) == 2


def test_a_tentative_track_is_in_no_zone(stage, thing):
    camera = stage(zones={"right": {"polygon": RIGHT_HALF, "events": ALL_EVENTS}})
    camera.play([[thing(700, 300)]] * 2 + [[]] * 30)
    assert camera.events == []


def test_zones_count_only_their_classes(stage, thing):
    camera = stage(zones={"right": {"polygon": RIGHT_HALF, "classes": ["person"]}})
    camera.play([[thing(700, 300), thing(850, 300, "person")]] * 5)
    assert [event.data.label for event in camera.of("zone.enter")] == ["person"]


def test_a_zone_makes_only_the_events_that_are_wanted(stage, thing):
    camera = stage(zones={"right": {"polygon": RIGHT_HALF, "events": ["leave"]}}, detection_events=False)
    camera.play([[thing(400 + 10 * n, 300)] for n in range(20)] + [[thing(590 - 10 * n, 300)] for n in range(20)])
    assert camera.kinds == ["zone.leave"]


def test_the_count_follows_the_number_inside(stage, thing):
    camera = stage(zones={"right": {"polygon": RIGHT_HALF, "events": ["count"], "count_every": 0}})
    camera.play([[thing(600 + 100 * k, 300) for k in range(1 + n // 10)] for n in range(30)])
    camera.play([[thing(600, 300)]] * 40)
    assert [event.data.count for event in camera.of("zone.count")] == [1, 2, 3, 1]


def test_counts_come_at_most_every_so_often_and_end_with_the_truth(stage, thing):
    camera = stage(
        zones={"right": {"polygon": RIGHT_HALF, "events": ["count"], "count_every": 2}},
        confirm={"frames": 1, "within": 1},
    )
    camera.play([[thing(600 + 70 * k, 300) for k in range(min(5, 1 + n))] for n in range(40)])
    counts = camera.of("zone.count")
    assert [event.data.count for event in counts] == [1, 5]
    assert counts[1].data.position.frame - counts[0].data.position.frame == 20
    assert counts[0].data.track is None


def test_fractional_zones_follow_a_change_of_resolution_and_tracks_go_on(stage, thing):
    camera = stage(zones={"right": {"polygon": RIGHT_HALF}})
    camera.play([[thing(300 + 10 * n, 300)] for n in range(10)])
    camera.size = (2000, 1000)
    camera.play([[thing(2 * (400 + 10 * n), 600, width=120, height=200)] for n in range(20)])
    assert camera.kinds == ["detection", "zone.enter"]
    enter = camera.of("zone.enter")[0].data
    assert enter.frame_size == (2000, 1000)
    assert enter.position.frame == 20
    assert enter.box_fraction == pytest.approx((0.47, 0.4, 0.53, 0.6))


def test_a_change_to_another_shape_of_picture_ends_all_tracks(stage, thing):
    camera = stage(zones={"right": {"polygon": RIGHT_HALF}})
    camera.play([[thing(700, 300)]] * 10)
    camera.size = (800, 600)
    camera.play([[thing(560, 360)]] * 10)
    assert camera.kinds == ["detection", "zone.enter", "zone.leave", "detection", "zone.enter"]
    leave = camera.of("zone.leave")[0].data
    assert leave.frame_size == (1000, 500)


def test_leaving_while_the_size_changes_speaks_of_one_picture_only(stage, thing):
    camera = stage(zones={"right": {"polygon": RIGHT_HALF}})
    camera.play([[thing(700, 300)]] * 10)
    camera.size = (500, 250)
    camera.play([[]] * 30)
    leave = camera.of("zone.leave")[0].data
    assert leave.frame_size == (500, 250)
    assert leave.box == (335, 100, 365, 150)
    assert leave.box_fraction == pytest.approx((0.67, 0.4, 0.73, 0.6))


@settings(deadline=None)
@given(st.floats(0, 2 * math.pi), st.floats(50, 240))
def test_a_round_trip_never_leaves_more_often_than_it_enters(stage, thing, start, radius):
    camera = stage(zones={"right": {"polygon": RIGHT_HALF}})
    for n in range(60):
        angle = start + n / 8
        camera.show(thing(500 + radius * math.cos(angle), 250 + radius * math.sin(angle) + 50))
    camera.finish()
    order = [kind for kind in camera.kinds if kind.startswith("zone")]
    assert order == ["zone.enter", "zone.leave"] * (len(order) // 2)
