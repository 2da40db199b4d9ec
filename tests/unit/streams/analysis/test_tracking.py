"""Which detections are the same object: what surveys of people and vehicle counters report going wrong, and more."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from inferfleet.vision.types import Detections


def tracks(stage):
    return {event.data.track for event in stage.of("detection")}


def test_one_object_is_one_track_and_one_detection_event(stage, thing):
    camera = stage()
    ids = {track.id for n in range(60) for track in camera.show(thing(50 + 10 * n, 300)).tracks}
    assert len(ids) == 1
    assert camera.kinds == ["detection"]


def test_objects_in_the_first_frame_are_found_like_all_others(stage, thing):
    camera = stage()
    for _ in range(10):
        camera.show(thing(100, 300), thing(500, 300, "person"))
    assert [event.data.label for event in camera.of("detection")] == ["car", "person"]


def test_two_objects_that_cross_keep_their_tracks(stage, thing):
    camera = stage()
    first: dict[str, str] = {}
    for n in range(50):
        # They pass each other at frame 25, one a little before the other.
        things = [thing(100 + 16 * n, 300, height=100), thing(900 - 16 * n, 320, height=110)]
        views = camera.show(*things).tracks
        if n == 10:
            first = {"right": min(views, key=lambda v: v.box[0]).id, "left": max(views, key=lambda v: v.box[0]).id}
        if n == 49:
            assert max(views, key=lambda v: v.box[0]).id == first["right"]
            assert min(views, key=lambda v: v.box[0]).id == first["left"]
    assert len(tracks(camera)) == 2


def test_objects_that_cross_keep_their_tracks_when_one_hides_the_other(stage, thing):
    camera = stage()
    for n in range(50):
        front, behind = thing(100 + 16 * n, 300), thing(900 - 16 * n, 300)
        hidden = abs(front.x - behind.x) < 60
        camera.show(*([front] if hidden else [front, behind]))
    assert len(tracks(camera)) == 2


def test_an_object_that_goes_on_behind_a_pillar_keeps_its_track(stage, thing):
    camera = stage()
    for n in range(60):
        camera.show(*([] if 25 <= n < 37 else [thing(100 + 12 * n, 300)]))
    assert len(tracks(camera)) == 1


def test_an_object_that_stops_behind_a_pillar_keeps_its_track(stage, thing):
    camera = stage()
    for n in range(60):
        camera.show(*([] if 25 <= n < 40 else [thing(100 + 12 * min(n, 26), 300)]))
    assert len(tracks(camera)) == 1


def test_an_object_unseen_for_longer_than_max_gap_is_another(stage, thing):
    camera = stage(tracking={"max_gap": 1})
    for n in range(40):
        camera.show(*([] if 10 <= n < 21 else [thing(300, 300)]))
    assert len(tracks(camera)) == 2


def test_the_gap_is_measured_in_capture_time_not_in_frames(stage, thing):
    slow, fast = stage(rate=2, tracking={"max_gap": 2}), stage(rate=50, tracking={"max_gap": 2})
    for camera in (slow, fast):
        for n in range(40):
            camera.show(*([] if 10 <= n < 30 else [thing(300, 300)]))
    assert len(tracks(slow)) == 2
    assert len(tracks(fast)) == 1


def test_a_camera_with_few_frames_still_has_tracks(stage, thing):
    camera = stage(rate=0.2, fps_target=0.2, tracking={"max_gap": 2})
    camera.play([[thing(300, 300)]] * 6)
    assert camera.kinds == ["detection"]


def test_frames_at_uneven_intervals_do_not_break_a_track(stage, thing):
    camera, dice, at = stage(), np.random.default_rng(3), 0.0
    for _ in range(80):
        camera.show(thing(50 + 100 * at, 300), at=at)
        at += dice.choice([0.02, 0.04, 0.1, 0.4])
        if 100 * at > 900:
            break
    assert len(tracks(camera)) == 1


def test_frames_out_of_order_or_twice_do_not_break_a_track(stage, thing):
    camera = stage()
    for n in range(60):
        late = {20: 18, 21: 19, 30: 29, 31: 29}.get(n, n)
        camera.show(thing(50 + 10 * late, 300), at=late / 10)
    assert len(tracks(camera)) == 1
    assert [event.time for event in camera.events] == sorted(event.time for event in camera.events)


def test_a_clock_that_is_set_back_ends_the_tracks_and_new_ones_still_end_and_dwell(stage, thing):
    camera = stage(
        zones={"all": {"polygon": [(0, 0), (1, 0), (1, 1), (0, 1)], "events": ["dwell", "leave"], "dwell": 2}}
    )
    for n in range(30):
        camera.show(thing(300, 300), at=1000 + n / 10)
    for n in range(30):
        camera.show(thing(300, 300), at=n / 10)
    assert len(tracks(camera)) == 2
    assert len(camera.of("zone.leave")) == 1
    assert [event.data.dwell_seconds for event in camera.of("zone.dwell")] == [2.0, 2.0]


def test_a_fast_object_at_a_low_frame_rate_is_one_track(stage, thing):
    camera = stage(rate=2)
    for n in range(10):
        camera.show(thing(60 + 75 * n, 300))  # more than its own width from frame to frame
    assert len(tracks(camera)) == 1


def test_an_approaching_object_that_grows_is_one_track(stage, thing):
    camera = stage()
    for n in range(40):
        camera.show(thing(500, 100 + 9 * n, width=20 * 1.06**n, height=30 * 1.06**n))
    assert len(tracks(camera)) == 1


def test_doubtful_detections_carry_on_a_track(stage, thing):
    camera = stage(tracking={"max_gap": 0.5})
    for n in range(60):
        camera.show(thing(100 + 12 * n, 300, score=0.2 if 10 <= n < 40 else 0.8))
    assert len(tracks(camera)) == 1


def test_doubtful_detections_begin_no_track_and_confirm_none(stage, thing):
    camera = stage()
    assert camera.show(thing(300, 300, score=0.3)).tracks == ()
    for n in range(20):
        camera.show(thing(300, 300, score=0.8 if n % 4 == 0 else 0.3))
    assert camera.events == []


def test_detections_below_low_confidence_are_nothing(stage, thing):
    camera = stage(tracking={"low_confidence": 0.25, "max_gap": 0.5})
    camera.play([[thing(300, 300)]] * 5)
    assert camera.show(thing(300, 300, score=0.24)).tracks == ()
    assert len(camera.show(thing(300, 300, score=0.26)).tracks) == 1


def test_a_vehicle_that_is_now_a_car_now_a_truck_is_one_object_with_the_likelier_class(stage, thing):
    camera = stage()
    for n in range(40):
        views = camera.show(thing(100 + 12 * n, 300, "truck" if n % 10 >= 6 else "car")).tracks
    assert len(camera.of("detection")) == 1
    assert [view.label for view in views] == ["car"]


def test_a_vehicle_that_turns_out_to_be_a_truck_is_called_so(stage, thing):
    camera = stage()
    for n in range(40):
        views = camera.show(thing(100 + 12 * n, 300, "car" if n < 8 else "truck")).tracks
    assert len(camera.of("detection")) == 1
    assert [view.label for view in views] == ["truck"]


def test_a_vehicle_that_is_car_and_truck_in_one_frame_is_one_object(stage, thing):
    camera = stage()
    for n in range(20):
        camera.show(thing(100 + 12 * n, 300, "truck", score=0.6), thing(101 + 12 * n, 302, "car", score=0.7))
    assert [event.data.label for event in camera.of("detection")] == ["car"]


def test_a_person_on_a_bicycle_is_a_person_and_a_bicycle(stage, thing):
    camera = stage()
    for n in range(30):
        rider, bicycle = thing(100 + 12 * n, 280, "person", 50, 120), thing(100 + 12 * n, 300, "bicycle", 80, 70)
        camera.show(*([bicycle] if n % 7 == 5 else [rider, bicycle]))
    assert sorted(event.data.label for event in camera.of("detection")) == ["bicycle", "person"]


def test_a_rider_does_not_take_over_the_track_of_the_bicycle(stage, thing):
    camera, labels = stage(), {}
    for n in range(30):
        rider, bicycle = thing(100 + 6 * n, 280, "person", 60, 110), thing(100 + 6 * n, 300, "bicycle", 80, 90)
        for view in camera.show(*([bicycle] if n < 6 else [rider] if n < 10 else [rider, bicycle])).tracks:
            labels.setdefault(view.id, set()).add(view.label)
    assert sorted(map(sorted, labels.values())) == [["bicycle"], ["person"]]


def test_a_detector_that_sees_double_makes_one_track(stage, thing):
    camera = stage()
    for n in range(20):
        camera.show(thing(100 + 12 * n, 300, score=0.9), thing(102 + 12 * n, 303, score=0.5))
    assert len(camera.of("detection")) == 1


def test_people_in_a_queue_are_each_one_track(stage, thing):
    camera, dice = stage(), np.random.default_rng(5)
    for n in range(60):
        queue = [thing(100 + 45 * k + 3 * n + dice.normal(), 300 + dice.normal(), "person", 50, 120) for k in range(8)]
        camera.show(*(person for person in queue if dice.random() > 0.05))
    assert len(tracks(camera)) == 8


BROKEN = [
    (np.nan, 10, 50, 60),
    (10, 10, np.inf, 60),
    (-np.inf, 10, np.inf, 60),
    (10, 10, 10, 60),
    (10, 60, 50, 60),
    (50, 60, 10, 10),
    (0, 0, 0, 0),
]


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize("box", BROKEN, ids=str)
def test_a_box_that_is_none_is_ignored_and_harms_nothing(stage, thing, found, box):
    camera, clean = stage(), stage()
    for n in range(10):
        good = found([thing(300 + n, 300)])
        broken = Detections(
            np.concatenate([np.array([box], np.float32), good.boxes]),
            np.concatenate([np.array([0.99], np.float32), good.scores]),
            np.concatenate([np.array([0], np.int32), good.class_ids]),
        )
        assert camera.found(broken) == clean.found(good)
    assert camera.kinds == ["detection"]


@pytest.mark.filterwarnings("error")
def test_a_score_or_class_that_is_none_is_ignored(stage):
    camera = stage()
    boxes = np.array([[10, 10, 50, 60], [110, 10, 150, 60], [210, 10, 250, 60]], np.float32)
    scores, classes = np.array([np.nan, 0.9, 0.9], np.float32), np.array([0, -1, 99], np.int32)
    assert camera.found(Detections(boxes, scores, classes)).tracks == ()


def test_track_ids_come_from_where_a_track_began_alone(stage, thing):
    ids = []
    for earlier in (0, 3):
        camera = stage()
        camera.play([[thing(800, 400, "person")]] * earlier + [[]] * (10 - earlier))
        ids.append(camera.show(thing(100, 300)).tracks[-1].id)
    assert ids[0] == ids[1]


def test_tracks_of_two_cameras_have_different_ids(stage, thing):
    one, other = stage(), stage(id="yard")
    assert one.show(thing(100, 300)).tracks[0].id != other.show(thing(100, 300)).tracks[0].id


def test_tracks_that_begin_in_one_frame_have_different_ids(stage, thing):
    views = stage().show(*(thing(100 * n, 300) for n in range(1, 9))).tracks
    assert len({view.id for view in views}) == 8


@settings(deadline=None)
@given(st.lists(st.tuples(st.floats(0, 1000), st.floats(0, 500), st.floats(0, 300), st.floats(0, 300)), max_size=12))
def test_any_boxes_give_each_track_once(stage, boxes):
    camera = stage()
    rows = np.array([(x, y, x + w, y + h) for x, y, w, h in boxes], np.float32).reshape(-1, 4)
    one = Detections(rows, np.full(len(rows), 0.9, np.float32), np.zeros(len(rows), np.int32))
    for _ in range(3):
        views = camera.found(one).tracks
        assert len({view.id for view in views}) == len(views)
