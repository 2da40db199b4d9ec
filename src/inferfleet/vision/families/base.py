"""What a family is: how a model's input is made and what its outputs mean."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from inferfleet.config.model import FamilyName, FitName, PreprocessConfig
from inferfleet.vision.types import F32

Outputs = Sequence[NDArray[Any]]


@dataclass(frozen=True, slots=True)
class Preprocessing:
    """How a model wants its pictures.

    Attributes:
        fit: How a picture is fitted into the input size.
        padding: The grey value around it, 0 to 255.
        bgr: Whether the model wants blue first.
        mean: Subtracted from red, green and blue (scale 0 to 255).
        std: What each is divided by afterwards.
    """

    fit: FitName = "letterbox"
    padding: int = 114
    bgr: bool = False
    mean: tuple[float, float, float] = (0.0, 0.0, 0.0)
    std: tuple[float, float, float] = (255.0, 255.0, 255.0)

    def overridden(self, config: PreprocessConfig) -> Preprocessing:
        """Returns this with what the user said put in its place."""
        changes: dict[str, Any] = config.model_dump(exclude_none=True, exclude={"colour"})
        if config.colour is not None:
            changes["bgr"] = config.colour == "bgr"
        return replace(self, **changes)


IMAGENET = Preprocessing(fit="stretch", mean=(123.675, 116.28, 103.53), std=(58.395, 57.12, 57.375))
"""The channel statistics of ImageNet, (0.485, 0.456, 0.406) and (0.229, 0.224, 0.225), times 255."""


@dataclass(frozen=True, slots=True)
class Candidates:
    """Boxes as a model gave them, before overlapping ones are removed.

    Attributes:
        boxes: float32 [n, 4], x1 y1 x2 y2 in pixels of the model's input.
        scores: float32 [n], all above the least score asked for.
        class_ids: int32 [n].
    """

    boxes: F32
    scores: F32
    class_ids: NDArray[np.int32]


@dataclass(frozen=True, slots=True)
class DetectorFamily:
    """How to feed and read one detection model.

    Attributes:
        name: The family's name in the configuration.
        layout: What its outputs hold, for people.
        preprocessing: How it wants its pictures.
        outputs: The names of the outputs that `decode` takes, in its order.
        classes: How many classes it tells apart; None where the outputs do not say.
        decode: (outputs, index in the batch, least score) → candidates.
        iou: The overlap above which the weaker of two boxes goes; None where the model leaves no duplicates.
        constants: Further inputs and the row that each picture gets in them.
    """

    name: FamilyName
    layout: str
    preprocessing: Preprocessing
    outputs: tuple[str, ...]
    classes: int | None
    decode: Callable[[Outputs, int, float], Candidates]
    iou: float | None = None
    constants: Mapping[str, NDArray[Any]] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class ClassifierFamily:
    """How to feed and read one classification model.

    Attributes:
        name: The family's name in the configuration.
        layout: What its output holds, for people.
        preprocessing: How it wants its pictures.
        outputs: The name of its output.
        classes: How many classes it tells apart.
        probabilities: (outputs, index in the batch) → float32 [classes].
        constants: Always empty; here so that both kinds are fed alike.
    """

    name: FamilyName
    layout: str
    preprocessing: Preprocessing
    outputs: tuple[str, ...]
    classes: int
    probabilities: Callable[[Outputs, int], F32]
    constants: Mapping[str, NDArray[Any]] = field(default_factory=dict)


Family = DetectorFamily | ClassifierFamily


def corners(boxes: F32) -> F32:
    """Turns boxes given as centre x, centre y, width, height ([n, 4]) into x1 y1 x2 y2."""
    result = np.empty_like(boxes)
    half = boxes[:, 2:] * np.float32(0.5)
    np.subtract(boxes[:, :2], half, out=result[:, :2])
    np.add(boxes[:, :2], half, out=result[:, 2:])
    return result
