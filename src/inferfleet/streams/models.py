"""The models that the cameras use, each loaded once, whoever asks for it."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from inferfleet.config.cameras import Camera, CamerasFile
from inferfleet.config.model import ModelConfig
from inferfleet.streams.analysis import least_confidence
from inferfleet.streams.devices import ModelThreads
from inferfleet.streams.metrics import Metrics
from inferfleet.vision.loader import load_detector


@dataclass(frozen=True)
class ModelUse:
    """A model that a camera uses: its name in `models`, and its settings there."""

    name: str
    config: ModelConfig


def uses_of(config: CamerasFile, camera: Camera, base: Path) -> tuple[ModelUse, ...]:
    """Returns the model of each of a camera's detect steps; local files are below `base`."""
    names = [config.model_of(step) for step in camera.detect_steps]
    return tuple(ModelUse(name, config.models[name].anchored(base)) for name in names)


def least_score(camera: Camera) -> float:
    """Returns the least score of a detection that any of the camera's steps or its tracking still want to see."""
    return min(least_confidence(step, camera.tracking) for step in camera.detect_steps)


class Models:
    """Loaded models, each with its threads."""

    def __init__(self, metrics: Metrics) -> None:
        self._metrics = metrics
        self._loaded: list[tuple[ModelUse, ModelThreads]] = []

    @property
    def all(self) -> list[ModelThreads]:
        """All loaded models."""
        return [threads for _, threads in self._loaded]

    def load(self, uses: Iterable[ModelUse]) -> None:
        """Loads what is not loaded yet.

        Raises:
            InputError: A model cannot be used. What was loaded before stays.
            OutsideError: A model's file cannot be fetched.
        """
        for use in uses:
            if all(use != known for known, _ in self._loaded):
                threads = ModelThreads(use.name, load_detector(use.config), self._metrics)
                threads.start()
                self._loaded.append((use, threads))

    def threads(self, use: ModelUse) -> ModelThreads:
        """Returns a loaded model."""
        return next(threads for known, threads in self._loaded if known == use)

    def keep_only(self, uses: Sequence[ModelUse], timeout: float) -> None:
        """Ends the models that are not among `uses`."""
        for use, threads in self._loaded:
            if use not in uses:
                threads.stop(timeout)
        self._loaded = [(use, threads) for use, threads in self._loaded if use in uses]
