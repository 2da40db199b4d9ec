"""Suppression keeps exactly what the definition says."""

from __future__ import annotations

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from inferfleet.vision.families.base import Candidates
from inferfleet.vision.nms import suppress

BOX = st.tuples(st.integers(0, 60), st.integers(0, 60), st.integers(1, 30), st.integers(1, 30))
ENTRY = st.tuples(BOX, st.integers(1, 100), st.integers(0, 2))


def candidates(entries) -> Candidates:
    boxes = np.array([(x, y, x + w, y + h) for (x, y, w, h), _, _ in entries], np.float32).reshape(-1, 4)
    scores = np.array([score / 100 for _, score, _ in entries], np.float32)
    return Candidates(boxes, scores, np.array([number for *_, number in entries], np.int32))


def overlap(a, b) -> float:
    wide = min(a[2], b[2]) - max(a[0], b[0])
    high = min(a[3], b[3]) - max(a[1], b[1])
    shared = max(wide, 0.0) * max(high, 0.0)
    return shared / ((a[2] - a[0]) * (a[3] - a[1]) + (b[2] - b[0]) * (b[3] - b[1]) - shared)


def by_definition(found: Candidates, iou: float, most: int) -> list[int]:
    kept: list[int] = []
    for index in sorted(range(len(found.scores)), key=lambda index: -found.scores[index]):
        rivals = (other for other in kept if found.class_ids[other] == found.class_ids[index])
        if all(overlap(found.boxes[other].tolist(), found.boxes[index].tolist()) <= iou for other in rivals):
            kept.append(index)
    return kept[:most]


@settings(max_examples=200)
@given(st.lists(ENTRY, max_size=40), st.sampled_from([0.3, 0.45, 0.7]), st.integers(1, 50))
def test_it_keeps_what_the_definition_keeps(entries, iou, most):
    found = candidates(entries)
    assert suppress(found, iou, most).tolist() == by_definition(found, iou, most)


def test_equal_boxes_of_equal_score_leave_the_first():
    found = candidates([((0, 0, 10, 10), 50, 0)] * 3)
    assert suppress(found, 0.5, 10).tolist() == [0]


def test_nothing_in_nothing_out():
    assert suppress(candidates([]), 0.5, 10).tolist() == []
