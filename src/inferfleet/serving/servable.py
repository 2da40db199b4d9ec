"""What a lane runs: a classifier, a detector or the text reader, all with the same two steps.

`prepare` turns one encoded picture into what the model takes and may run on any thread; `run` answers a batch on a
device thread. Anything that has both can be served.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal, Protocol

import cv2
import numpy as np

from inferfleet.config.serve import LimitsConfig, ServedModel
from inferfleet.serving.answers import ClassPrediction, ObjectPrediction, PictureAnswer, TextPrediction
from inferfleet.vision.detector import Classifier, Detector
from inferfleet.vision.geometry import Prepared
from inferfleet.vision.picture import Limits, PictureError, Still
from inferfleet.vision.types import U8

TEXT = "zoo:text"
"""The path that stands for the text reader."""

Kind = Literal["classifier", "detector", "text"]
Input = bytes | U8
"""An encoded picture, or one that is decoded already: RGB, uint8 [height, width, 3]."""

_MOST_SCANS = 100
"""Progressive JPEGs have about ten scans; thousands make a small file take minutes to decode."""
_DIGITS = 4


@dataclass(frozen=True, slots=True)
class Ask:
    """What a request wants to know.

    Attributes:
        top: How many classes; None for the model's own setting.
        min_confidence: The least confidence; None for the model's own.
    """

    top: int | None = None
    min_confidence: float | None = None


ANYTHING = Ask()


@dataclass(frozen=True, slots=True)
class About:
    """What a served model is.

    Attributes:
        kind: What it answers with.
        version: What answers call it.
        digest: SHA-256 of its file.
        names: Its class names; empty for text.
        input_size: Width and height of its input.
        engine: What runs it.
        device: Where.
        precision: In which arithmetic.
    """

    kind: Kind
    version: str
    digest: str
    names: tuple[str, ...]
    input_size: tuple[int, int]
    engine: str
    device: str
    precision: str


class Servable(Protocol):
    """A model that can be served.

    Attributes:
        about: What it is.
        workers: How many threads should call `run` at once to fill the device.
        batch_sizes: The batch sizes it was built for, ascending.
    """

    about: About
    workers: int
    batch_sizes: tuple[int, ...]

    def prepare(self, picture: Input, name: str) -> Any:
        """Decodes and scales one picture.

        Raises:
            PictureError: It cannot be used; the message calls it `name`.
        """

    def run(self, prepared: Sequence[Any], asks: Sequence[Ask]) -> list[PictureAnswer]:
        """Answers a batch of at most the largest batch size, in its order."""


class ServedClassifier:
    """A classifier that answers with its most probable classes."""

    def __init__(self, model: Classifier, config: ServedModel, limits: Limits) -> None:
        self._model = model
        self._limits = limits
        self._top = config.top
        self.about = _about("classifier", model, config)
        self.workers, self.batch_sizes = model.workers, model.batch_sizes

    def prepare(self, picture: Input, name: str) -> Prepared:
        """Decodes and scales one picture."""
        return self._model.prepare(_still(picture, name, self._limits))

    def run(self, prepared: Sequence[Prepared], asks: Sequence[Ask]) -> list[PictureAnswer]:
        """Answers a batch."""
        tops = [ask.top or self._top for ask in asks]
        found = self._model.classify(prepared, max(tops))
        answers = []
        for one, ask, top, classes in zip(prepared, asks, tops, found, strict=True):
            least = ask.min_confidence or 0.0
            predictions = [
                ClassPrediction(self._model.names[number], round(score, _DIGITS), number)
                for number, score in zip(classes.class_ids[:top].tolist(), classes.scores[:top].tolist(), strict=True)
                if score >= least
            ]
            answers.append(PictureAnswer([*predictions], one.geometry.width, one.geometry.height))
        return answers


class ServedDetector:
    """A detector that answers with boxes in the picture's own pixels."""

    def __init__(self, model: Detector, config: ServedModel, limits: Limits) -> None:
        self._model = model
        self._limits = limits
        self.about = _about("detector", model, config)
        self.workers, self.batch_sizes = model.workers, model.batch_sizes

    def prepare(self, picture: Input, name: str) -> Prepared:
        """Decodes and scales one picture."""
        return self._model.prepare(_still(picture, name, self._limits))

    def run(self, prepared: Sequence[Prepared], asks: Sequence[Ask]) -> list[PictureAnswer]:
        """Answers a batch."""
        least = [self._model.confidence if ask.min_confidence is None else ask.min_confidence for ask in asks]
        found = self._model.detect(prepared, min(least))
        answers = []
        for one, ask, bar, objects in zip(prepared, asks, least, found, strict=True):
            rows = zip(objects.class_ids.tolist(), objects.scores.tolist(), objects.boxes.tolist(), strict=True)
            predictions = [
                ObjectPrediction(self._model.names[number], round(score, _DIGITS), number, _rounded(box))
                for number, score, box in rows
                if score >= bar
            ]
            answers.append(PictureAnswer([*predictions[: ask.top]], one.geometry.width, one.geometry.height))
        return answers


class ServedText:
    """The text reader: lines of text with their boxes."""

    workers = len(os.sched_getaffinity(0))
    batch_sizes: tuple[int, ...] = (1,)

    def __init__(self, config: ServedModel, limits: Limits) -> None:
        """Loads the networks.

        Raises:
            InputError: The rapidocr package, or the models within it, are missing.
        """
        from importlib.metadata import version

        from inferfleet.vision.text import TextReader

        self._reader = TextReader()
        self._limits = limits
        edition = f"rapidocr {version('rapidocr')}"
        self.about = About("text", config.version or edition, edition, (), (0, 0), edition, "cpu", "auto")

    def prepare(self, picture: Input, name: str) -> Still:
        """Decodes one picture in full: letters must not shrink."""
        still = _still(picture, name, self._limits)
        still.bgr()
        return still

    def run(self, prepared: Sequence[Still], asks: Sequence[Ask]) -> list[PictureAnswer]:
        """Reads each picture."""
        answers = []
        for still, ask in zip(prepared, asks, strict=True):
            lines = [
                TextPrediction(line.value, round(line.confidence, _DIGITS), tuple(map(_point, line.box.tolist())))
                for line in self._reader.read(still.bgr())
                if line.confidence >= (ask.min_confidence or 0.0)
            ]
            answers.append(PictureAnswer([*lines[: ask.top]], still.width, still.height))
        return answers


def load(config: ServedModel, limits: LimitsConfig) -> Servable:
    """Loads and warms up a model.

    Raises:
        InputError: The model cannot be used.
        OutsideError: It could not be fetched.
    """
    picture_limits = Limits(limits.body_bytes, limits.pixels)
    if config.path == TEXT:
        return ServedText(config, picture_limits)
    from inferfleet.vision import loader

    model = loader.load(config)
    if isinstance(model, Classifier):
        return ServedClassifier(model, config, picture_limits)
    return ServedDetector(model, config, picture_limits)


def _still(picture: Input, name: str, limits: Limits) -> Still:
    if isinstance(picture, np.ndarray):
        return Still(np.asarray(cv2.cvtColor(picture, cv2.COLOR_RGB2BGR), np.uint8))
    if picture.startswith(b"\xff\xd8") and picture.count(b"\xff\xda") > _MOST_SCANS:
        raise PictureError("damaged", f"{name}: a JPEG of more than {_MOST_SCANS} scans is not decoded")
    return Still.decode(picture, name=name, limits=limits, fast=True)


def _about(kind: Kind, model: Classifier | Detector, config: ServedModel) -> About:
    engine = model.engine
    return About(
        kind=kind,
        version=config.version or model.digest[:12],
        digest=model.digest,
        names=model.names,
        input_size=model.input_size,
        engine=engine.name,
        device=engine.device,
        precision=engine.precision,
    )


def _rounded(box: list[float]) -> tuple[float, float, float, float]:
    left, top, right, bottom = box
    return round(left, 1), round(top, 1), round(right, 1), round(bottom, 1)


def _point(corner: list[float]) -> tuple[float, float]:
    return round(corner[0], 1), round(corner[1], 1)
