"""The models that the cameras use, each loaded once, whoever asks for it."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from inferfleet.config.cameras import Camera, CamerasFile, Detect
from inferfleet.config.model import ModelConfig
from inferfleet.streams.devices import ModelThreads
from inferfleet.streams.metrics import Metrics
from inferfleet.vision.loader import load_detector


@dataclass(frozen=True)
class ModelUse:
    """A model as the cameras of a configuration use it.

    Attributes:
        name: Its name in `models`.
        config: Its settings there.
        least: The least score that any camera still wants to see, 0 to 1.
    """

    name: str
    config: ModelConfig
    least: float


def uses_of(config: CamerasFile, base: Path) -> dict[str, tuple[ModelUse, ...]]:
    """Returns, for each enabled camera, the model of each of its detect steps; local files are below `base`."""
    cameras = [camera for camera in config.cameras if camera.enabled]
    least: dict[str, float] = {}
    for camera in cameras:
        for step in camera.detect_steps:
            name = config.model_of(step)
            least[name] = min(least.get(name, 1.0), _least_score(camera, step))
    return {
        camera.id: tuple(
            ModelUse(name, config.models[name].anchored(base), least[name])
            for name in (config.model_of(step) for step in camera.detect_steps)
        )
        for camera in cameras
    }


def _least_score(camera: Camera, step: Detect) -> float:
    own = [score for score in (step.classes or {}).values() if score is not None]
    return min(camera.tracking.low_confidence, step.confidence, *own)


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
                threads = ModelThreads(use.name, load_detector(use.config), use.least, self._metrics)
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
