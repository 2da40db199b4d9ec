"""Average precision on cases small enough to work out by hand."""

from __future__ import annotations

import importlib.util
import math
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest

SOURCE = Path(__file__).parents[3] / "tools" / "street" / "metrics.py"


def load() -> ModuleType:
    """The tools are no package of the product, so the module is loaded from its file."""
    import sys

    spec = importlib.util.spec_from_file_location("street_metrics", SOURCE)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module


metrics = load()
A, B, FAR = (0, 0, 10, 10), (20, 0, 30, 10), (100, 100, 110, 110)


def found(*rows: tuple[tuple[int, ...], float, int]) -> object:
    boxes = np.array([box for box, _, _ in rows], float).reshape(-1, 4)
    return metrics.Found(boxes, np.array([score for _, score, _ in rows]), np.array([label for *_, label in rows], int))


def truth(*rows: tuple[tuple[int, ...], int], ignored: tuple[int, ...] = ()) -> object:
    boxes = np.array([box for box, _ in rows], float).reshape(-1, 4)
    hidden = np.array([index in ignored for index in range(len(rows))], bool)
    return metrics.Truth(boxes, np.array([label for _, label in rows], int), hidden)


def test_overlap_is_shared_over_joint_area() -> None:
    table = metrics.overlap(
        np.array([[0, 0, 10, 10.0]]), np.array([[5, 0, 15, 10.0], [0, 0, 10, 10], [50, 50, 60, 60]])
    )
    assert table[0] == pytest.approx([1 / 3, 1.0, 0.0])


def test_all_found_and_nothing_else_is_one() -> None:
    assert metrics.average_precision([found((A, 0.9, 0), (B, 0.4, 0))], [truth((A, 0), (B, 0))], 0) == (1.0, 2)


def test_a_wrong_detection_before_the_right_one_halves_precision() -> None:
    precision, total = metrics.average_precision([found((FAR, 0.9, 0), (A, 0.8, 0))], [truth((A, 0))], 0)
    assert (precision, total) == (pytest.approx(0.5), 1)


def test_a_wrong_detection_after_all_right_ones_costs_nothing() -> None:
    assert metrics.average_precision([found((A, 0.9, 0), (FAR, 0.1, 0))], [truth((A, 0))], 0)[0] == 1.0


def test_one_object_of_two_found_is_a_half() -> None:
    assert metrics.average_precision([found((A, 0.9, 0))], [truth((A, 0), (B, 0))], 0)[0] == pytest.approx(0.5)


def test_the_envelope_takes_the_best_precision_at_or_beyond_each_recall() -> None:
    # Right, wrong, right: precision 1, 1/2, 2/3 at recall 1/2, 1/2, 1, so half of 1 and half of 2/3.
    detections = found((A, 0.9, 0), (FAR, 0.8, 0), (B, 0.7, 0))
    assert metrics.average_precision([detections], [truth((A, 0), (B, 0))], 0)[0] == pytest.approx(0.5 + 0.5 * 2 / 3)


def test_a_second_detection_of_the_same_object_is_wrong() -> None:
    again = found((A, 0.9, 0), (A, 0.8, 0), (B, 0.7, 0))
    assert metrics.average_precision([again], [truth((A, 0), (B, 0))], 0)[0] == pytest.approx(0.5 + 0.5 * 2 / 3)


def test_ignored_objects_are_neither_wanted_nor_counted_against() -> None:
    detections = found((B, 0.9, 0), (A, 0.8, 0))
    assert metrics.average_precision([detections], [truth((A, 0), (B, 0), ignored=(1,))], 0) == (1.0, 1)


def test_the_right_place_with_the_wrong_class_does_not_count() -> None:
    detections, objects = [found((A, 0.9, 1))], [truth((A, 0))]
    assert metrics.average_precision(detections, objects, 0) == (0.0, 1)
    assert math.isnan(metrics.average_precision(detections, objects, 1)[0])


def test_detections_of_one_picture_do_not_take_objects_of_another() -> None:
    precision, _ = metrics.average_precision([found((A, 0.9, 0)), found()], [truth(), truth((A, 0))], 0)
    assert precision == 0.0


def test_suppression_keeps_the_best_of_each_class() -> None:
    kept = metrics.suppress(found((A, 0.5, 0), ((1, 0, 11, 10), 0.9, 0), (A, 0.3, 1), (B, 0.2, 0)), 0.6)
    assert kept.scores.tolist() == [0.9, 0.3, 0.2]
    assert kept.classes.tolist() == [0, 1, 0]
