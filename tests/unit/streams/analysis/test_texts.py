"""Text on objects: which crops are read, what counts as a reading, and one agreed text for one object."""

from __future__ import annotations

import re

import numpy as np
import pytest

from inferfleet.streams.analysis.ballot import MOST_CANDIDATES, Ballot
from inferfleet.streams.analysis.texts import PATIENCE, best_reading, normalise
from inferfleet.vision.types import Text

PLATE = r"[A-Z]{2}-?\d{3}-?[A-Z]{2}"


def text(value, confidence=0.9, top=0.0, left=0.0):
    corners = [(left, top), (left + 50, top), (left + 50, top + 10), (left, top + 10)]
    return Text(value, confidence, np.array(corners, np.float32))


class Reader:
    """Says one reading after the other, and keeps the crops."""

    def __init__(self, *readings):
        self.readings = list(readings)
        self.crops = []

    def __call__(self, crop):
        self.crops.append(crop)
        said = self.readings[min(len(self.crops), len(self.readings)) - 1] if self.readings else []
        return [said] if isinstance(said, Text) else said


def make(stage, reader, **read_text):
    return stage(reader=reader, steps=[{"detect": {}}, {"read_text": {"min_height": 40, "every": 1, **read_text}}])


def texts(camera):
    return [event.data.text for event in camera.of("text")]


def test_one_object_gives_one_text_when_enough_readings_agree(stage, thing):
    reader = Reader(text("AB123CD", 0.9), text("A8123CD", 0.95), text("AB123CD", 0.8), text("AB123CD", 0.7))
    camera = make(stage, reader, votes=3)
    camera.play([[thing(100 + 10 * n, 300)] for n in range(30)])
    (agreed,) = texts(camera)
    assert (agreed.value, agreed.votes, agreed.confidence) == ("AB123CD", 3, pytest.approx(0.8))
    assert len(reader.crops) == 4
    assert camera.of("text")[0].data.track == camera.of("detection")[0].data.track


def test_too_few_agreeing_readings_give_no_event(stage, thing):
    camera = make(stage, Reader(text("AB123CD"), text("AB128CD"), text("AB123CD"), []), votes=3)
    camera.play([[thing(100 + 10 * n, 300)] for n in range(20)] + [[]] * 40)
    camera.finish()
    assert texts(camera) == []


def test_each_object_has_its_own_vote(stage, thing):
    camera = make(stage, Reader(text("ONE111"), text("TWO222")), votes=2)
    camera.reader.readings = [text("ONE111"), text("TWO222")] * 10
    camera.play([[thing(100, 200), thing(600, 400)]] * 10)
    assert sorted(agreed.value for agreed in texts(camera)) == ["ONE111", "TWO222"]


def test_later_disagreement_changes_nothing(stage, thing):
    reader = Reader(*[text("AB123CD")] * 3, *[text("XY987ZW")] * 30)
    camera = make(stage, reader, votes=3)
    camera.play([[thing(100 + 10 * n, 300)] for n in range(40)])
    assert [agreed.value for agreed in texts(camera)] == ["AB123CD"]
    assert camera.show(thing(500, 300)).tracks[0].text == "AB123CD"


def test_readings_that_differ_in_spaces_and_case_agree(stage, thing):
    camera = make(stage, Reader(text("ab 123 cd", 0.7), text("AB123CD", 0.8), text(" AB 123CD ", 0.75)), pattern=PLATE)
    camera.play([[thing(300, 300)]] * 6)
    assert [agreed.value for agreed in texts(camera)] == ["AB123CD"]


def test_what_does_not_match_or_is_doubtful_does_not_vote(stage, thing):
    reader = Reader(text("TAXI", 0.99), text("AB123CD", 0.59), text("AB123CDX"), text("AB123CD", 0.61), text("AB123CD"))
    camera = make(stage, reader, votes=2, pattern=PLATE, confidence=0.6)
    camera.play([[thing(300, 300)]] * 12)
    assert [agreed.votes for agreed in texts(camera)] == [2]
    assert len(reader.crops) == 5


def test_every_nth_frame_is_read(stage, thing):
    reader = Reader(text("AB123CD"))
    camera = make(stage, reader, votes=3, every=4)
    camera.play([[thing(300, 300)]] * 20)
    assert camera.of("text")[0].data.position.frame == 2 + 2 * 4


def test_an_unreadable_object_is_read_ever_less_often(stage, thing):
    reader = Reader([])
    camera = make(stage, reader)
    camera.play([[thing(300, 300)]] * (2 + PATIENCE))
    assert len(reader.crops) == PATIENCE
    camera.play([[thing(300, 300)]] * (2 * PATIENCE + 4 * PATIENCE))
    assert len(reader.crops) == pytest.approx(3 * PATIENCE, abs=1)


def test_only_confirmed_objects_are_read(stage, thing):
    reader = Reader(text("AB123CD"))
    make(stage, reader).play([[thing(300, 300)], [], [], [], [thing(600, 300)], [thing(900, 300)]])
    assert reader.crops == []


def test_only_objects_that_are_high_enough_and_of_the_classes_are_read(stage, thing):
    reader = Reader(text("AB123CD"))
    camera = make(stage, reader, min_height=100, classes=["car", "truck"])
    camera.play([[thing(100, 300, height=99), thing(300, 300, "person"), thing(600, 300, "truck", height=101)]] * 10)
    assert [event.data.label for event in camera.of("text")] == ["truck"]
    assert {crop.shape[0] for crop in reader.crops} == {113}


def test_only_objects_in_the_zones_are_read(stage, thing):
    reader = Reader([])
    zones = {"gate": {"polygon": [(0.5, 0), (1, 0), (1, 1), (0.5, 1)]}}
    steps = [{"detect": {}}, {"read_text": {"zones": ["gate"], "every": 1, "min_height": 40}}]
    camera = stage(reader=reader, steps=steps, zones=zones)
    camera.play([[thing(400, 300)]] * 5 + [[thing(410 + 10 * n, 300)] for n in range(12)])
    assert len(reader.crops) == 3


def test_the_crop_is_the_box_and_its_margin(stage, thing):
    reader = Reader([])
    camera = make(stage, reader, expand=0.1)
    camera.play([[thing(300, 300, width=100, height=80)]] * 3)
    crop = reader.crops[0]
    assert crop.shape == (96, 120, 3)
    assert crop[0, 0].tolist() == [240, 212, 0]  # x 240 and y 212 modulo 256


def test_a_crop_at_the_edge_ends_with_the_picture(stage, thing):
    reader = Reader([])
    camera = make(stage, reader, expand=0.5)
    camera.play([[thing(20, 500, width=40, height=60)]] * 3)
    assert reader.crops[0].shape == (90, 60, 3)


def test_of_several_lines_the_most_confident_matching_one_votes():
    lines = [text("SPEDITION", 0.99), text("AB123CD", 0.8), text("XY987ZW", 0.9)]
    assert best_reading(lines, 0.6, re.compile(PLATE)) == ("XY987ZW", 0.9)
    assert best_reading(lines, 0.6, None) == ("SPEDITION", 0.99)
    assert best_reading(lines, 0.995, None) is None


def test_a_plate_in_two_rows_is_read_from_the_top_down():
    rows = [text("123CD", 0.7, top=20), text("AB", 0.9, top=0)]
    assert best_reading(rows, 0.6, re.compile(PLATE)) == ("AB123CD", 0.7)


@pytest.mark.parametrize(
    ("read", "pattern", "value"),
    [
        ("  mind   the gap ", None, "MIND THE GAP"),
        ("   ", None, None),
        ("ab-123-cd", PLATE, "AB-123-CD"),
        ("AB 123 CD 4", PLATE, None),
        ("MSCU 1234567", r"[A-Z]{4} \d{7}", "MSCU 1234567"),
        ("B MW 1", r"b ?mw ?1", "BMW1"),
    ],
)
def test_spaces_and_case_do_not_matter(read, pattern, value):
    assert normalise(read, None if pattern is None else re.compile(pattern, re.IGNORECASE)) == value


def test_the_leader_has_most_votes_then_most_confidence_then_came_first():
    ballot = Ballot()
    assert ballot.leader() is None
    for value, confidence in [("AAA", 0.7), ("BBB", 0.9), ("CCC", 0.9)]:
        ballot.vote(value, confidence, needed=5)
    assert ballot.leader().value == "BBB"
    ballot.vote("AAA", 0.6, needed=5)
    assert ballot.leader().value == "AAA"


def test_a_ballot_of_nonsense_stays_small_and_still_decides():
    ballot = Ballot()
    for n in range(1000):
        ballot.vote(f"N{n}", 0.9, needed=3)
        if n % 400 == 10:
            agreed = ballot.vote("AB123CD", 0.95, needed=3)
    assert len(ballot.candidates) <= MOST_CANDIDATES
    assert agreed is not None
    assert agreed.votes == 3


def test_two_read_text_steps_give_a_text_each(stage, thing):
    steps = [
        {"detect": {}},
        {"read_text": {"pattern": PLATE, "every": 1, "votes": 2}},
        {"read_text": {"pattern": r"\d{3}", "every": 1, "votes": 2}},
    ]
    camera = stage(reader=Reader([text("AB123CD"), text("417")]), steps=steps)
    camera.play([[thing(300, 300)]] * 8)
    assert [agreed.value for agreed in texts(camera)] == ["AB123CD", "417"]
    assert len({event.id for event in camera.of("text")}) == 2


def test_an_object_that_returns_within_the_cooldown_gives_no_second_text(stage, thing):
    steps = [{"detect": {}}, {"read_text": {"every": 1, "min_height": 40}}]
    camera = stage(reader=Reader(text("AB123CD")), steps=steps, cooldown=30, tracking={"max_gap": 1})
    camera.play(([[thing(300, 300)]] * 10 + [[]] * 20) * 3)
    assert len(texts(camera)) == 1


def test_a_camera_that_reads_needs_a_reader(stage):
    with pytest.raises(ValueError, match="needs a reader"):
        stage(steps=[{"detect": {}}, {"read_text": {}}])


def test_a_reader_that_fails_costs_no_other_event(stage, thing, capsys):
    def broken(crop):
        if len(crops) < 3:
            crops.append(crop)
            raise RuntimeError("out of memory")
        return [text("AB123CD")]

    crops = []
    camera = make(stage, broken, votes=2)
    camera.play([[thing(300, 300)]] * 10)
    assert camera.kinds == ["detection", "text"]
    assert "text could not be read" in capsys.readouterr().out
