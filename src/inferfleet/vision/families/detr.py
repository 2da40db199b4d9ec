"""Detectors that predict a set: RT-DETR, D-FINE, DEIM, RF-DETR, and their exports by Transformers and Ultralytics.

None needs suppression. All take the whole picture stretched to the input. They differ in how much of the last step is
in the graph: finished labels, boxes and scores; or a box and class logits a query, of which the best pairs count.
"""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np

from inferfleet.vision.families.base import (
    IMAGENET,
    Candidates,
    DetectorFamily,
    Outputs,
    Preprocessing,
    corners,
)
from inferfleet.vision.signature import Signature
from inferfleet.vision.types import F32

_STRETCH = Preprocessing(fit="stretch")
_BOX_SCORE_CLASS = 6
_MOST_PAIRS = 300
"""Only so many of the best (query, class) pairs count: `num_top_queries` and `num_select` of the originals."""


def recognise_finished(signature: Signature) -> DetectorFamily | None:
    """Recognises the exports of RT-DETR, D-FINE and DEIM: labels, boxes, scores, asking for the picture's size.

    The size asked for is answered with the input's own, so that boxes come in input pixels like everybody else's.
    """
    labels, boxes, scores = (signature.output(name) for name in ("labels", "boxes", "scores"))
    if labels is None or boxes is None or scores is None or len(boxes.shape) != 3:  # noqa: PLR2004
        return None
    others = [port for port in signature.inputs if port is not signature.picture]
    if len(others) > 1 or any(port.shape[1:] != (2,) for port in others):
        return None
    return DetectorFamily(
        name="rt-detr",
        layout=f"{boxes.shape[1]} x labels, boxes, scores",
        preprocessing=_STRETCH,
        outputs=("labels", "boxes", "scores"),
        classes=None,
        decode=_decode_finished,
        constants={port.name: np.array(signature.size, port.dtype) for port in others},
    )


def recognise_ultralytics(signature: Signature) -> DetectorFamily | None:
    """Recognises Ultralytics' RT-DETR export: boxes as fractions, then a probability a class, or score and class.

    The second form came in 2026. With two classes both have six columns; the values then tell them apart.
    """
    port = signature.outputs[0]
    if len(port.shape) != 3 or port.shape[2] is None or port.shape[2] < 5:  # noqa: PLR2004
        return None
    size = np.array(signature.size * 2, np.float32)
    finished = port.shape[2] == _BOX_SCORE_CLASS and len(signature.names or ()) != 2  # noqa: PLR2004

    def decode(outputs: Outputs, index: int, least: float) -> Candidates:
        rows = outputs[0][index]
        if finished or (rows.shape[1] == _BOX_SCORE_CLASS and np.all(rows[:, 5] == np.round(rows[:, 5]))):
            rows = rows[rows[:, 4] > least].astype(np.float32)
            return Candidates(corners(rows[:, :4]) * size, rows[:, 4], rows[:, 5].astype(np.int32))
        ids = rows[:, 4:].argmax(axis=1)
        scores = rows[np.arange(len(ids)), 4 + ids].astype(np.float32)
        keep = scores > least
        boxes = corners(rows[keep, :4].astype(np.float32)) * size
        return Candidates(boxes, scores[keep], ids[keep].astype(np.int32))

    what = "score, class" if finished else f"{port.shape[2] - 4} classes"
    return DetectorFamily(
        name="rt-detr-ultralytics",
        layout=f"{port.shape[1]} queries x (centre, size as fractions, {what})",
        preprocessing=_STRETCH,
        outputs=(port.name,),
        classes=None if finished else port.shape[2] - 4,
        decode=decode,
    )


def recognise_rf_detr(signature: Signature) -> DetectorFamily | None:
    """Recognises RF-DETR's export: `dets` and `labels`, normalised with ImageNet's statistics."""
    family = _queries(signature, "dets", "labels")
    return None if family is None else replace(family, name="rf-detr", preprocessing=IMAGENET)


def recognise_queries(signature: Signature) -> DetectorFamily | None:
    """Recognises the exports of Transformers for RT-DETR and D-FINE: `pred_boxes` and `logits`."""
    if len(signature.inputs) != 1:
        return None
    return _queries(signature, "pred_boxes", "logits")


def _queries(signature: Signature, boxes_name: str, logits_name: str) -> DetectorFamily | None:
    boxes, logits = signature.output(boxes_name), signature.output(logits_name)
    if boxes is None or logits is None or len(boxes.shape) != 3 or len(logits.shape) != 3:  # noqa: PLR2004
        return None
    size = np.array(signature.size * 2, np.float32)

    def decode(outputs: Outputs, index: int, least: float) -> Candidates:
        return _decode_queries(outputs[0][index], outputs[1][index], size, least)

    return DetectorFamily(
        name="detr",
        layout=f"{boxes.shape[1]} queries x boxes as fractions, logits of {logits.shape[2]} classes",
        preprocessing=_STRETCH,
        outputs=(boxes_name, logits_name),
        classes=logits.shape[2],
        decode=decode,
    )


def _decode_finished(outputs: Outputs, index: int, least: float) -> Candidates:
    labels, boxes, scores = (output[index] for output in outputs)
    keep = scores > least
    return Candidates(
        boxes[keep].astype(np.float32, copy=False),
        scores[keep].astype(np.float32, copy=False),
        labels[keep].astype(np.int32),
    )


def _decode_queries(boxes: np.ndarray, logits: np.ndarray, size: F32, least: float) -> Candidates:
    flat = logits.ravel()
    threshold = math.log(least / (1 - least)) if 0 < least < 1 else math.copysign(math.inf, least - 0.5)
    pairs = np.flatnonzero(flat > threshold)
    if len(pairs) > _MOST_PAIRS:
        pairs = pairs[np.argsort(-flat[pairs], kind="stable")[:_MOST_PAIRS]]
    queries, ids = np.divmod(pairs, logits.shape[1])
    scores: F32 = np.float32(1) / (np.float32(1) + np.exp(-flat[pairs].astype(np.float32)))
    return Candidates(corners(boxes[queries].astype(np.float32)) * size, scores, ids.astype(np.int32))
