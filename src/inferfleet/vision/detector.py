"""Detectors and classifiers: pictures in, what is on them out.

Both are safe to call from any number of threads. A picture is prepared once (scaled and padded, colours as they are);
normalisation and layout happen inside the engine's graph, so Python touches each picture once.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from inferfleet.errors import InputError
from inferfleet.vision.engines.base import Engine
from inferfleet.vision.families.base import Candidates, ClassifierFamily, DetectorFamily, Preprocessing
from inferfleet.vision.geometry import Geometry, Prepared, place
from inferfleet.vision.nms import suppress
from inferfleet.vision.types import U8, Classification, Detections, Picture


@dataclass(frozen=True, slots=True)
class Identity:
    """Which model this is.

    Attributes:
        name: A short name: the file's name without its ending.
        digest: SHA-256 of the model file, lower-case hex.
        names: Class names, by class number.
        input_size: Width and height of the model's input in pixels.
        batch_sizes: The batch sizes that the engine was built for, ascending.
    """

    name: str
    digest: str
    names: tuple[str, ...]
    input_size: tuple[int, int]
    batch_sizes: tuple[int, ...]


class _Model:
    """What detectors and classifiers share: identity, preparation, batches of fixed sizes."""

    def __init__(self, identity: Identity, engine: Engine, preprocessing: Preprocessing) -> None:
        self.identity = identity
        self.engine = engine
        self.preprocessing = preprocessing

    @property
    def name(self) -> str:
        """A short name for people and events."""
        return self.identity.name

    @property
    def digest(self) -> str:
        """SHA-256 of the model file."""
        return self.identity.digest

    @property
    def names(self) -> tuple[str, ...]:
        """Class names, by class number."""
        return self.identity.names

    @property
    def input_size(self) -> tuple[int, int]:
        """Width and height of the model's input in pixels."""
        return self.identity.input_size

    @property
    def batch_sizes(self) -> tuple[int, ...]:
        """The batch sizes that the engine was built for, ascending; other numbers are padded up or split."""
        return self.identity.batch_sizes

    @property
    def workers(self) -> int:
        """How many threads should call at once to fill the device."""
        return self.engine.workers

    def prepare(self, picture: Picture) -> Prepared:
        """Scales and pads a picture into the model's input size; callable from any thread."""
        return place(picture, self.input_size, self.preprocessing.fit, self.preprocessing.padding)

    def _runs(self, prepared: Sequence[Prepared]) -> Iterator[tuple[Sequence[Prepared], list[NDArray[Any]]]]:
        """Runs pictures in batches of the sizes built for, and gives each batch's pictures with its outputs."""
        most = self.batch_sizes[-1]
        for start in range(0, len(prepared), most):
            part = prepared[start : start + most]
            size = next(size for size in self.batch_sizes if size >= len(part))
            yield part, self.engine.run(_stack(part, size))


class Detector(_Model):
    """Finds objects in pictures."""

    def __init__(
        self,
        identity: Identity,
        engine: Engine,
        family: DetectorFamily,
        preprocessing: Preprocessing,
        *,
        confidence: float,
        iou: float | None,
        max_detections: int,
    ) -> None:
        super().__init__(identity, engine, preprocessing)
        self.family = family
        self.confidence = confidence
        self.iou = iou
        self.max_detections = max_detections

    def detect(self, prepared: Sequence[Prepared], min_score: float | None = None) -> list[Detections]:
        """Finds the objects in prepared pictures, in their order.

        Args:
            prepared: Any number of pictures; more than the largest batch size become several runs.
            min_score: Only objects that score above this are returned; the model's `confidence` when left out.
        """
        least = self.confidence if min_score is None else min_score
        found: list[Detections] = []
        for part, outputs in self._runs(prepared):
            for index, one in enumerate(part):
                found.append(self._finish(self.family.decode(outputs, index, least), one.geometry))
        return found

    def _finish(self, candidates: Candidates, geometry: Geometry) -> Detections:
        if self.iou is None:
            kept = np.argsort(-candidates.scores, kind="stable")[: self.max_detections]
        else:
            kept = suppress(candidates, self.iou, self.max_detections)
        class_ids = candidates.class_ids[kept]
        if len(class_ids) and not 0 <= int(class_ids.min()) <= int(class_ids.max()) < len(self.names):
            raise InputError(
                f"model {self.name}: found an object of class {class_ids.max()}, but has {len(self.names)} names; "
                "give all its `names`"
            )
        return Detections(geometry.to_picture(candidates.boxes[kept]), candidates.scores[kept], class_ids)


class Classifier(_Model):
    """Tells what a picture shows."""

    def __init__(
        self, identity: Identity, engine: Engine, family: ClassifierFamily, preprocessing: Preprocessing
    ) -> None:
        super().__init__(identity, engine, preprocessing)
        self.family = family

    def classify(self, prepared: Sequence[Prepared], top: int = 5) -> list[Classification]:
        """Classifies prepared pictures, in their order.

        Args:
            prepared: Any number of pictures; more than the largest batch size become several runs.
            top: How many classes to return of each, most probable first.
        """
        results: list[Classification] = []
        for part, outputs in self._runs(prepared):
            for index in range(len(part)):
                scores = self.family.probabilities(outputs, index)
                best = np.argsort(-scores, kind="stable")[:top]
                results.append(Classification(best.astype(np.int32), scores[best]))
        return results


def _stack(prepared: Sequence[Prepared], size: int) -> U8:
    if size == 1:
        return prepared[0].pixels[np.newaxis]
    batch: U8 = np.zeros((size, *prepared[0].pixels.shape), np.uint8)
    for index, one in enumerate(prepared):
        batch[index] = one.pixels
    return batch
