"""From what the detect steps found to the objects that count: classes, confidence, size, and nothing twice."""

from __future__ import annotations

import difflib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from inferfleet.config.cameras import Camera, Detect, Tracking
from inferfleet.errors import InputError
from inferfleet.streams.analysis.boxes import F64, overlaps
from inferfleet.streams.analysis.outcome import ModelInfo
from inferfleet.vision.types import Detections

EDGE = 2.0
"""A box nearer to the picture's edge than so many pixels touches it: detectors seldom hit the edge exactly."""
SAME_OBJECT = 0.7
"""From this intersection over union on, two boxes in a frame are one object: what detectors' own suppression says of
boxes of one class (Ultralytics' default), said here of a model's classes among each other and of several models."""

Bools = NDArray[np.bool_]
Ints = NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Objects:
    """The objects of one frame, those of the first detect step first.

    Attributes:
        boxes: float64 [n, 4], x1 y1 x2 y2 in pixels.
        scores: float64 [n], 0 to 1.
        labels: int [n], numbers that `Filter.labels` names.
        steps: int [n], which detect step found each.
        strong: bool [n], false for those that can only carry on a track.
    """

    boxes: F64
    scores: F64
    labels: Ints
    steps: Ints
    strong: Bools

    def __len__(self) -> int:
        """The number of objects."""
        return len(self.scores)

    @classmethod
    def none(cls) -> Objects:
        """An empty frame's."""
        whole, yes = np.empty(0, np.int64), np.empty(0, np.bool_)
        return cls(np.empty((0, 4)), np.empty(0), whole, whole, yes)

    def where(self, chosen: Bools) -> Objects:
        """The objects for which `chosen` [n] is true."""
        return Objects(
            self.boxes[chosen], self.scores[chosen], self.labels[chosen], self.steps[chosen], self.strong[chosen]
        )


def least_confidence(step: Detect, tracking: Tracking) -> float:
    """Returns the confidence from which on the analysis has a use for a step's detections."""
    own = [value for value in (step.classes or {}).values() if value is not None]
    return min(tracking.low_confidence, step.confidence, *own)


class Filter:
    """Keeps what a camera's detect steps want.

    Attributes:
        labels: The class names of all the steps' models; a label is a place in it.
    """

    def __init__(self, camera: Camera, models: Sequence[ModelInfo]) -> None:
        """Makes the filter.

        Args:
            camera: The camera.
            models: The model of each of its detect steps.

        Raises:
            InputError: A step names a class that its model does not have.
        """
        self._steps = camera.detect_steps
        self._low = camera.tracking.low_confidence
        for step, model in zip(self._steps, models, strict=True):
            check_classes(f'camera "{camera.id}": detect', step.classes or {}, {model.name: model.names})
        self.labels: tuple[str, ...] = tuple(dict.fromkeys(name for model in models for name in model.names))
        number = {name: index for index, name in enumerate(self.labels)}
        self._labels = [np.array([number[name] for name in model.names], np.int64) for model in models]
        self._strong = [_thresholds(step, model.names) for step, model in zip(self._steps, models, strict=True)]

    def __call__(self, found: Sequence[Detections], size: tuple[int, int]) -> Objects:
        """Returns the objects that count.

        Args:
            found: What each detect step found, in order.
            size: Width and height of the picture in pixels.

        Raises:
            ValueError: There is not one `Detections` for each detect step.
        """
        if len(found) != len(self._steps):
            raise ValueError(f"{len(self._steps)} detect steps, but the detections of {len(found)}")
        if not any(len(one.scores) for one in found):
            return Objects.none()
        parts = [self._of_step(index, one, size) for index, one in enumerate(found)]
        if len(parts) == 1:
            return _without_doubles(parts[0])
        return _without_doubles(
            Objects(
                np.concatenate([part.boxes for part in parts]),
                np.concatenate([part.scores for part in parts]),
                np.concatenate([part.labels for part in parts]),
                np.concatenate([part.steps for part in parts]),
                np.concatenate([part.strong for part in parts]),
            )
        )

    def _of_step(self, index: int, found: Detections, size: tuple[int, int]) -> Objects:
        boxes, scores = found.boxes.astype(np.float64), found.scores.astype(np.float64)
        known = self._labels[index]
        sound = (found.class_ids >= 0) & (found.class_ids < len(known))
        sound &= np.isfinite(boxes).all(axis=1) & np.isfinite(scores)
        classes = np.where(sound, found.class_ids, 0)
        boxes[~sound] = 0.0
        sides = boxes[:, 2:] - boxes[:, :2]
        sound &= (sides > 0).all(axis=1)
        sound &= (sides >= self._steps[index].min_box.pixels(*size)).all(axis=1)
        least = self._strong[index][classes]
        strong = scores >= least
        if self._steps[index].whole:
            strong &= (boxes[:, :2] > EDGE).all(axis=1) & (boxes[:, 2:] < np.array(size) - EDGE).all(axis=1)
        sound &= strong | (scores >= np.minimum(self._low, least))
        return Objects(boxes, scores, known[classes], np.full(len(scores), index), strong).where(sound)


def check_classes(place: str, wanted: Mapping[str, object] | Sequence[str], known: Mapping[str, Sequence[str]]) -> None:
    """Makes sure that some model can find each class that a configuration names.

    Args:
        place: Whose configuration it is, for the message.
        wanted: The names.
        known: The class names of each model, by the model's name.

    Raises:
        InputError: A name is unknown.
    """
    names = [name for classes in known.values() for name in classes]
    for name in wanted:
        if name not in names:
            close = difflib.get_close_matches(name, names, n=1)
            hint = f'did you mean "{close[0]}"?' if close else f"known: {', '.join(names)}"
            raise InputError(f'{place}: the model {" or ".join(known)} has no class "{name}"; {hint}')


def _thresholds(step: Detect, names: Sequence[str]) -> F64:
    """The least confidence for each class; above 1 for those that do not count."""
    if step.classes is None:
        return np.full(len(names), step.confidence)
    never = 2.0
    own = {name: step.confidence if value is None else value for name, value in step.classes.items()}
    return np.array([own.get(name, never) for name in names])


def _without_doubles(objects: Objects) -> Objects:
    """Drops what was found twice: by one model as two classes, or by two models as one class."""
    if len(objects) < 2:  # noqa: PLR2004 - one object is no pair
        return objects
    double = overlaps(objects.boxes, objects.boxes) >= SAME_OBJECT
    double &= (objects.steps[:, np.newaxis] == objects.steps) | (objects.labels[:, np.newaxis] == objects.labels)
    np.fill_diagonal(double, False)
    if not double.any():
        return objects
    kept = np.zeros(len(objects), np.bool_)
    for index in np.lexsort((-objects.scores, ~objects.strong)):
        kept[index] = not (double[index] & kept).any()
    return objects.where(kept)
