"""From what the user says about a model to a model that runs."""

from __future__ import annotations

from pathlib import Path

from inferfleet.config.model import ModelConfig
from inferfleet.errors import InputError
from inferfleet.vision.detector import Classifier, Detector


def load(config: ModelConfig, *, cache: Path | None = None) -> Detector | Classifier:
    """Fetches, recognises and builds a model.

    Args:
        config: What the user says about it.
        cache: Where downloads are kept; `MODEL_CACHE` or the usual cache folder when left out.

    Raises:
        InputError: The model cannot be used; the message says what was found and what is supported.
        OutsideError: The file could not be fetched.
    """
    raise NotImplementedError


def load_detector(config: ModelConfig, *, cache: Path | None = None) -> Detector:
    """Loads a model that must be a detector; see `load`."""
    model = load(config, cache=cache)
    if not isinstance(model, Detector):
        raise InputError(f"model {config.path}: is a classifier ({model.family.layout}); a detector is needed here")
    return model


def load_classifier(config: ModelConfig, *, cache: Path | None = None) -> Classifier:
    """Loads a model that must be a classifier; see `load`."""
    model = load(config, cache=cache)
    if not isinstance(model, Classifier):
        raise InputError(f"model {config.path}: is a detector ({model.family.layout}); a classifier is needed here")
    return model
