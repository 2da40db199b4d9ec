"""A camera without a lens: tests say what the detector finds, frame by frame."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from functools import cache
from typing import Any

import numpy as np
import pytest

from inferfleet.config.cameras import Camera
from inferfleet.streams.analysis import CameraAnalysis, ModelInfo, Outcome
from inferfleet.streams.event import Event
from inferfleet.streams.frame import Frame, Position
from inferfleet.vision.types import Detections

BEGIN = datetime(2026, 1, 31, 8, 30, tzinfo=UTC)
NAMES = ("car", "truck", "person", "bicycle")


@cache
def pixels(width: int, height: int) -> np.ndarray:
    y, x = np.mgrid[:height, :width]
    return np.stack([x % 256, y % 256, np.zeros_like(x)], axis=2).astype(np.uint8)


@dataclass(frozen=True)
class Still:
    """A picture whose pixels carry their own place: blue is x and green is y, both modulo 256."""

    width: int = 1000
    height: int = 500

    def bgr(self) -> np.ndarray:
        return pixels(self.width, self.height)

    def scaled(self, width: int, height: int) -> np.ndarray:
        raise AssertionError("the analysis has no use for a scaled picture")


@dataclass(frozen=True)
class Thing:
    """An object that the detector finds: the middle of its lower edge, and its size."""

    x: float
    y: float
    label: str = "car"
    width: float = 60
    height: float = 100
    score: float = 0.9

    @property
    def box(self) -> tuple[float, float, float, float]:
        return self.x - self.width / 2, self.y - self.height, self.x + self.width / 2, self.y


def detections(things: Sequence[Thing], names: Sequence[str] = NAMES) -> Detections:
    """What a detector says about things, best first."""
    best = sorted(things, key=lambda thing: -thing.score)
    return Detections(
        np.array([thing.box for thing in best], np.float32).reshape(-1, 4),
        np.array([thing.score for thing in best], np.float32),
        np.array([names.index(thing.label) for thing in best], np.int32),
    )


@dataclass
class Stage:
    """A camera's analysis and all that came out of it.

    Attributes:
        camera: Its configuration.
        models: Its models.
        reader: Reads text.
        rate: Frames a second.
        size: Width and height of the pictures.
    """

    camera: Camera
    models: dict[str, ModelInfo]
    reader: Any = None
    rate: float = 10.0
    size: tuple[int, int] = (1000, 500)
    number: int = 0
    events: list[Event] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.analysis = self.fresh()

    def fresh(self) -> CameraAnalysis:
        """Another analysis of the same camera, which knows nothing yet."""
        return CameraAnalysis(self.camera, self.models, "inferfleet/test", self.reader)

    def frame(self, at: float | None = None) -> Frame:
        """The next frame, taken `at` so many seconds after the beginning."""
        seconds = self.number / self.rate if at is None else at
        position = Position(f"pts:{self.number}", self.number, round(self.number / self.rate, 6))
        return Frame(self.camera.id, BEGIN + timedelta(seconds=seconds), position, Still(*self.size), 0.0)

    def show(self, *things: Thing, at: float | None = None) -> Outcome:
        """Shows a frame with things on it."""
        return self.found(detections(things), at=at)

    def found(self, *steps: Detections, at: float | None = None) -> Outcome:
        """Shows a frame in which each detect step found something."""
        outcome = self.analysis.step(self.frame(at), steps)
        self.number += 1
        self.events += outcome.events
        return outcome

    def play(self, frames: Sequence[Sequence[Thing]]) -> None:
        """Shows frame after frame."""
        for things in frames:
            self.show(*things)

    def finish(self) -> None:
        """Ends the source."""
        self.events += self.analysis.finish().events

    def of(self, kind: str) -> list[Event]:
        """The events of a kind so far."""
        return [event for event in self.events if event.type == f"inferfleet.{kind}"]

    @property
    def kinds(self) -> list[str]:
        """The kinds of all events so far, in order."""
        return [event.type.removeprefix("inferfleet.") for event in self.events]


def make_camera(**settings: Any) -> Camera:
    """A camera with the given settings."""
    return Camera.model_validate({"id": "gate", "source": {"type": "file", "path": "none.mp4"}, **settings})


def make_stage(reader: Any = None, rate: float = 10.0, size: tuple[int, int] = (1000, 500), **settings: Any) -> Stage:
    """A stage for a camera with the given settings and one model."""
    models = {"street": ModelInfo("street", "a" * 64, NAMES)}
    return Stage(make_camera(**settings), models, reader, rate, size)


@pytest.fixture(scope="session")
def stage() -> Callable[..., Stage]:
    """Makes stages."""
    return make_stage


@pytest.fixture(scope="session")
def thing() -> type[Thing]:
    """Makes things."""
    return Thing


@pytest.fixture(scope="session")
def found() -> Callable[..., Detections]:
    """Makes detections of things."""
    return detections
