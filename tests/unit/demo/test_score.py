"""Events against the truth: what counts as found, missed and wrong."""

from __future__ import annotations

from typing import Any

from inferfleet.demo.score import CLEAR_FRAMES, PLATES, Row, score
from inferfleet.demo.truth import TruthObject
from inferfleet.streams.event import Event, EventData, EventModel, EventPosition, EventText

BOX = (10.0, 10.0, 110.0, 90.0)
OTHER = (300.0, 10.0, 400.0, 90.0)
FRAMES = 20
SIZE = (640, 360)


def thing(
    track: int = 1, label: Any = "car", box: Any = BOX, visible: float = 1.0, plate: str | None = None
) -> TruthObject:
    return TruthObject(track, label, box, visible, plate, (20, 60, 90, 84) if plate else None)


def event(
    kind: str = "detection", frame: int = 5, label: str = "car", box: Any = BOX, text: str | None = None
) -> Event:
    data = EventData(
        position=EventPosition(frame),
        frame_size=(640, 360),
        model=EventModel("m", "0"),
        worker="w",
        label=label,
        box=box,
        text=EventText(text, 0.9, 3) if text else None,
    )
    return Event(id="0", source="/cameras/a", type=f"inferfleet.{kind}", time="", subject="a", data=data)


def test_an_event_in_the_right_place_with_the_right_class_finds_its_object() -> None:
    row = score([[thing()]] * FRAMES, [event()], SIZE)["car"]
    assert (row.expected, row.found, row.right, row.wrong) == (1, 1, 1, 0)


def test_an_object_without_an_event_is_missed() -> None:
    assert score([[thing()]] * FRAMES, [], SIZE)["car"] == Row(expected=1)


def test_a_second_event_for_the_same_object_is_wrong() -> None:
    row = score([[thing()]] * FRAMES, [event(), event(frame=9)], SIZE)["car"]
    assert (row.found, row.right, row.wrong) == (1, 1, 1)


def test_a_wrong_class_is_wrong_and_leaves_the_object_missed() -> None:
    rows = score([[thing()]] * FRAMES, [event(label="bus")], SIZE)
    assert rows["bus"].wrong == 1
    assert rows["car"].recall == 0


def test_an_event_where_nothing_is_is_wrong() -> None:
    row = score([[thing()]] * FRAMES, [event(box=OTHER)], SIZE)["car"]
    assert (row.found, row.wrong, row.precision) == (0, 1, 0)


def test_who_is_seen_too_little_need_not_be_found_but_may_be() -> None:
    truth = [[thing()]] * (CLEAR_FRAMES - 1) + [[thing(visible=0.3)]] * FRAMES
    assert all(row == Row() for row in score(truth, [], SIZE).values())
    row = score(truth, [event()], SIZE)["car"]
    assert (row.expected, row.right, row.wrong, row.recall) == (0, 1, 0, 1)


def test_a_plate_is_right_when_its_text_is() -> None:
    truth = [[thing(plate="ABC 1234")]] * FRAMES
    row = score(truth, [event("text", text="abc1234"), event("text", text="ABC 1235")], SIZE)[PLATES]
    assert (row.expected, row.found, row.right, row.wrong) == (1, 1, 1, 1)


def test_events_of_zones_and_lines_do_not_count() -> None:
    assert score([[thing()]] * FRAMES, [event("zone.enter"), event("line.cross")], SIZE)["car"].wrong == 0
