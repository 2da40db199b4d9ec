"""Plain classifiers: one output of [batch, classes].

A graph that ends in Softmax or Sigmoid gives probabilities already; otherwise softmax is applied. Ultralytics' take
the centre of the picture scaled 0 to 1; all others are taken to be trained on ImageNet's statistics, as torchvision's
and timm's are.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from inferfleet.vision.families.base import IMAGENET, ClassifierFamily, Outputs, Preprocessing
from inferfleet.vision.signature import Signature
from inferfleet.vision.types import F32

_TORCHVISION = replace(IMAGENET, fit="crop")
_ULTRALYTICS = Preprocessing(fit="centre")


def recognise(signature: Signature) -> ClassifierFamily | None:
    """Recognises one output with a number a class (further dimensions of size 1 do not matter)."""
    port = signature.outputs[0]
    sides = port.shape[1:]
    if len(signature.outputs) != 1 or not sides or any(side != 1 for side in sides[1:]):
        return None
    classes = sides[0]
    if classes is None or classes < 2:  # noqa: PLR2004
        return None
    finished = signature.ends_in.get(port.name) in ("Softmax", "Sigmoid")

    def probabilities(outputs: Outputs, index: int) -> F32:
        row = outputs[0][index].reshape(-1).astype(np.float32)
        return row if finished else softmax(row)

    return ClassifierFamily(
        name="classifier",
        layout=f"{classes} classes, {'probabilities' if finished else 'logits'}",
        preprocessing=_ULTRALYTICS if signature.metadata.get("task") == "classify" else _TORCHVISION,
        outputs=(port.name,),
        classes=classes,
        probabilities=probabilities,
    )


def softmax(logits: F32) -> F32:
    """Turns logits [n] into probabilities."""
    powers = np.exp(logits - logits.max())
    result: F32 = powers / powers.sum()
    return result
